"""A4: a conversation that outgrows its model is shown without its oldest results, in one batch, and nothing is lost."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.agent.conversation import clearing
from orchestrator.agent.conversation.clearing import Limit, enough, gains, halved, instead, limit
from orchestrator.agent.conversation.prompt import conversation, event_block
from orchestrator.agent.conversation.weighing import Weight
from tests.support.builders import event
from tests.support.said import call, reply
from workflows.messages import CallState
from workflows.own_tools import ASK, BUILTIN, SLEEP, WAIT
from workflows.playbook import Effect

LONG = "x" * 5_000
WORDS = ({"type": "text", "text": LONG},)
SIZES = st.dictionaries(st.integers(1, 60), st.integers(1, 50_000), max_size=40)


def long_call(turn, **changes):
    values = {"content": WORDS, "artifact": "abc", "size": 5_000}
    return call(f"{turn}.0", turn, **values | changes)


def weights(sizes):
    return {turn: Weight(tokens=n, size=3 * n) for turn, n in sizes.items()}


@given(SIZES, st.integers(0, 200_000), st.integers(1, 1_000_000))
def test_a4_as_much_is_cleared_as_is_aimed_at_and_no_more(sizes, rest, most):
    found, wanted = weights(sizes), Limit(tokens=most)
    total = Weight(tokens=most + rest + sum(sizes.values()))
    through = enough(total, found, wanted)

    def left(upto):
        return total.tokens - sum(n for turn, n in sizes.items() if turn <= upto)

    if through is None:
        assert left(60) > most * clearing.AIM
        assert sum(sizes.values()) <= most * clearing.WORTH
    elif left(through) <= most * clearing.AIM:
        before = [turn for turn in sizes if turn < through]
        assert all(left(turn) > most * clearing.AIM for turn in before)
    else:
        assert through == max(sizes)


@given(SIZES.filter(bool), st.integers(0, 10_000))
def test_a4_half_of_what_its_provider_would_not_take_is_shown_no_more(sizes, rest):
    total = Weight(tokens=rest + sum(sizes.values()), size=3 * sum(sizes.values()))
    through = halved(total, weights(sizes))

    gone = sum(n for turn, n in sizes.items() if turn <= (through or 0))
    assert through is None or gone > 0
    assert through is not None or sum(sizes.values()) <= total.tokens * clearing.WORTH


@pytest.mark.parametrize(
    ("window", "output", "tokens"),
    [(1_000_000, 8_000, 600_000), (200_000, 128_000, 52_000), (8_000, 16_000, 0), (None, 1, None)],
)
def test_a_conversation_leaves_room_in_its_window_for_the_reply(window, output, tokens):
    assert limit(window, output).tokens == tokens


def test_many_images_are_too_many_before_they_are_too_long():
    most = limit(1_000_000, 8_000)

    assert most.holds(Weight(tokens=1000, size=1000, attached=90))
    assert not most.holds(Weight(tokens=1000, size=1000, attached=91))
    assert not most.holds(Weight(tokens=1000, size=25_000_000, attached=1))


def test_only_long_results_of_calls_that_were_done_may_go():
    """What failed, what nobody knows and what was only proposed the model must go on knowing."""
    states = [state for state in CallState if state not in {CallState.INTENDED, CallState.SENT}]
    found = {state: clearing.is_clearable(long_call(1, state=state)) for state in states}

    assert [state for state, goes in found.items() if goes] == [CallState.DONE]
    assert not clearing.is_clearable(call())


def test_a_turn_that_was_cleared_or_is_new_gains_nothing():
    notes = {1: [LONG], 3: [LONG, "short"], 9: [LONG]}
    calls = [long_call(turn) for turn in range(1, 9)]

    assert sorted(gains(notes, calls, 2, 6)) == [3, 4, 5, 6]
    assert gains(notes, calls, 2, 6)[3].size > 2 * len(LONG)
    assert gains({1: [LONG]}, [call()], 0, 6) == {}


def test_a4_what_is_cleared_says_what_it_was_and_where_it_is():
    read = instead(long_call(1))[0]["text"]
    written = instead(long_call(1, effect=Effect.WRITE_ONCE, artifact=None, size=0))[0]["text"]

    assert "5000 bytes" in read
    assert "artifact abc" in read
    assert "Call the tool again" in read
    assert "don't repeat it" in written
    assert "artifact" not in written
    answered = instead(long_call(1, effect=Effect.WRITE_ONCE), "evt_7")[0]["text"]
    assert "doorbell__event reads evt_7, which answered it, again" in answered
    assert max(len(read), len(written)) < clearing.SMALL


@pytest.mark.parametrize("alias", [WAIT, SLEEP])
def test_a4_a_wait_that_is_cleared_is_not_to_be_made_again(alias):
    waited = long_call(1, alias=alias, server=BUILTIN, artifact=None, size=0)
    told, unnamed = instead(waited, "evt_7")[0]["text"], instead(waited)[0]["text"]

    assert "doorbell__event reads evt_7 again" in told
    assert "doorbell__event reads the event again" in unnamed
    assert "don't repeat it" in told
    assert "Call the tool again" not in told


def test_a4_what_a_person_answered_is_never_cleared():
    asked = long_call(1, alias=ASK, server=BUILTIN)

    assert not clearing.is_clearable(asked)
    assert not clearing.is_cleared(asked, 3)
    assert gains({}, [asked], 0, 6) == {}


def test_a4_an_event_that_is_cleared_is_named():
    note = clearing.note_instead(event_block(event(data={"body": LONG}), "Another event."))

    assert f"doorbell__event reads {event().id} again" in note
    assert "doorbell__event" not in clearing.note_instead(LONG)
    assert len(note) < clearing.SMALL


def test_a4_the_conversation_names_the_event_of_a_cleared_wait():
    waited = long_call(1, alias=WAIT, server=BUILTIN, content=None)
    messages = conversation({1: ["e"]}, [reply(1, "c1")], [waited], 1, {waited.call_id: "evt_7"})

    assert "reads evt_7 again" in json.dumps(messages)


def shown(cleared, content=WORDS):
    turns = [reply(turn, f"c{turn}") for turn in range(1, 6)]
    notes = {1: [LONG], 3: [LONG, "short"], 6: [LONG]}
    calls = [long_call(turn) for turn in range(1, 6)]
    calls[1] = long_call(2, state=CallState.UNKNOWN, effect=Effect.WRITE_ONCE)
    calls[:cleared] = [
        c if c.state is CallState.UNKNOWN or content else long_call(c.turn, content=None)
        for c in calls[:cleared]
    ]
    return conversation(notes, turns, calls, cleared)


def test_a4_the_oldest_results_go_and_every_call_keeps_its_answer():
    messages = shown(3)
    results = [
        block
        for message in messages
        for block in message["content"]
        if block["type"] == "tool_result"
    ]

    assert [result["content"][0]["text"] == LONG for result in results] == [
        False,
        True,
        False,
        True,
        True,
    ]
    assert [result["tool_use_id"] for result in results] == [f"c{turn}" for turn in range(1, 6)]
    assert messages[0]["content"][0]["text"] == LONG
    third = [block["text"] for block in messages[4]["content"] if block["type"] == "text"]
    assert (third[0][:8], third[1]) == ("[cleared", "short")
    assert messages[-1]["content"][-1]["text"] == LONG


def test_a4_a_cleared_result_need_not_be_read_to_give_the_same_bytes():
    assert json.dumps(shown(3)) == json.dumps(shown(3, content=None))
