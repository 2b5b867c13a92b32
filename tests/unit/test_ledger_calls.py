"""A2: the life of a tool call, moved by compare-and-set whatever attempts overtake each other."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.database import DatabaseError
from orchestrator.ledger import calls
from orchestrator.ledger.calls import Result
from tests.support.builders import AT, RUN, intent, ledger_at
from workflows.messages import CallState
from workflows.playbook import Effect

DONE = Result(
    state=CallState.DONE, content=[{"type": "text", "text": "ok"}], is_error=False, size=2
)
UNKNOWN = Result(state=CallState.UNKNOWN, content=[], is_error=True)
PROPOSED = Result(state=CallState.PROPOSED, content=[], is_error=False)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with ledger_at(tmp_path_factory.mktemp("calls")) as database:
        yield database


@pytest.fixture
async def ledger(tmp_path):
    with ledger_at(tmp_path) as database:
        await database.write(calls.intend, RUN, 1, intent(), AT)
        yield database


async def take(ledger, attempt, *, again=False):
    return await ledger.write(calls.take, RUN, "c1", attempt, again=again)


async def send(ledger, attempt):
    return await ledger.write(calls.send, RUN, "c1", attempt, AT, AT + 60)


async def finish(ledger, result=DONE):
    return await ledger.write(calls.finish, RUN, "c1", result, AT + 9)


async def the(ledger, call_id="c1"):
    return await ledger.read(calls.one, RUN, call_id)


async def test_a_call_is_intended_then_sent_then_done(ledger):
    call = await the(ledger)
    assert (call.state, call.attempt, call.sent_at) == (CallState.INTENDED, 0, None)
    assert (call.alias, call.effect, call.arguments) == (
        "github__comment",
        Effect.WRITE_ONCE,
        {"body": "Hello"},
    )

    assert await take(ledger, 1)
    assert await send(ledger, 1)
    call = await the(ledger)
    assert (call.state, call.attempt) == (CallState.SENT, 1)
    assert (call.sent_at, call.deadline_at) == (AT, AT + 60)

    assert await finish(ledger)
    call = await the(ledger)
    assert (call.state, call.done_at, call.size) == (CallState.DONE, AT + 9, 2)
    assert call.content == [{"type": "text", "text": "ok"}]


async def test_asking_again_for_a_call_leaves_it_as_it_is(ledger):
    await take(ledger, 1)
    await ledger.write(calls.intend, RUN, 1, intent(arguments={"body": "Other"}), AT)

    call = await the(ledger)
    assert (call.attempt, call.arguments) == (1, {"body": "Hello"})


async def test_nothing_leaves_that_was_not_taken(ledger):
    assert not await send(ledger, 0 + 1)
    assert (await the(ledger)).state is CallState.INTENDED


async def test_a2_an_attempt_that_was_overtaken_can_not_send(ledger):
    assert await take(ledger, 1)
    assert await take(ledger, 2)

    assert not await send(ledger, 1)
    assert not await take(ledger, 1)
    assert await send(ledger, 2)
    assert not await send(ledger, 2)


async def test_a2_what_was_sent_is_not_taken_again(ledger):
    await take(ledger, 1)
    await send(ledger, 1)

    assert not await take(ledger, 2)
    assert (await the(ledger)).state is CallState.SENT


async def test_a_call_that_may_be_repeated_is_taken_again_and_the_old_attempt_can_not_send(ledger):
    await take(ledger, 1)
    await send(ledger, 1)

    assert await take(ledger, 2, again=True)
    assert not await send(ledger, 1)
    assert await send(ledger, 2)


async def test_the_first_end_stays(ledger):
    await take(ledger, 1)
    await send(ledger, 1)

    assert await finish(ledger, UNKNOWN)
    assert not await finish(ledger, DONE)
    assert (await the(ledger)).state is CallState.UNKNOWN
    assert not await take(ledger, 2, again=True)
    assert not await send(ledger, 1)


async def test_a2_of_many_attempts_at_once_one_sends(ledger):
    async def attempt(number):
        return await take(ledger, number) and await send(ledger, number)

    sent = await asyncio.gather(*(attempt(n) for n in range(1, 30)))

    assert sent.count(True) == 1


async def test_of_many_ends_at_once_one_counts(ledger):
    ended = await asyncio.gather(*(finish(ledger, each) for each in [DONE, UNKNOWN] * 10))

    assert ended.count(True) == 1


ACTS = st.lists(
    st.tuples(st.sampled_from(["take", "send", "finish"]), st.integers(1, 4)), max_size=25
)
NUMBERS = iter(range(10**9))


@settings(max_examples=40, deadline=None)
@given(acts=ACTS)
def test_a2_in_whatever_order_attempts_come_a_write_once_is_sent_once(shared, acts):
    call_id = f"h{next(NUMBERS)}"

    async def story():
        sent = 0
        await shared.write(calls.intend, RUN, 1, intent(call_id), AT)
        for act, attempt in acts:
            if act == "take":
                await shared.write(calls.take, RUN, call_id, attempt, again=False)
            elif act == "send":
                sent += await shared.write(calls.send, RUN, call_id, attempt, AT, AT)
            else:
                await shared.write(calls.finish, RUN, call_id, DONE, AT)
        return sent

    assert asyncio.run(story()) <= 1


async def test_a_proposal_becomes_a_call_once(ledger):
    await ledger.write(calls.intend, RUN, 1, intent("c2", position=1), AT)
    await finish(ledger, PROPOSED)
    await ledger.write(calls.finish, RUN, "c2", DONE, AT)

    first = await ledger.write(calls.apply, RUN, AT)
    again = await ledger.write(calls.apply, RUN, AT)
    assert [call.call_id for call in first] == [call.call_id for call in again] == ["c1:applied"]
    made = first[0]
    assert (made.state, made.turn, made.arguments) == (CallState.INTENDED, 0, {"body": "Hello"})
    assert (made.server, made.tool, made.effect) == ("github", "comment", Effect.WRITE_ONCE)

    await ledger.write(calls.finish, RUN, "c1:applied", DONE, AT)
    assert await ledger.write(calls.apply, RUN, AT) == []
    assert (await the(ledger)).state is CallState.PROPOSED


async def test_proposals_are_applied_in_the_order_they_were_made(ledger):
    await finish(ledger, PROPOSED)
    for number in range(2, 5):
        made = intent(f"c{number}", position=9 - number)
        await ledger.write(calls.intend, RUN, number, made, AT)
        await ledger.write(calls.finish, RUN, f"c{number}", PROPOSED, AT)

    applied = await ledger.write(calls.apply, RUN, AT)
    assert [call.call_id for call in applied] == [f"c{number}:applied" for number in range(1, 5)]


async def test_calls_stand_in_the_order_they_were_asked_for(ledger):
    for turn, position, call_id in ((2, 0, "d"), (1, 2, "b"), (1, 1, "a")):
        await ledger.write(calls.intend, RUN, turn, intent(call_id, position=position), AT)
    await ledger.write(calls.intend, "other.1", 1, intent("x"), AT)

    found = await ledger.read(calls.of_run, RUN)
    assert [call.call_id for call in found] == ["c1", "a", "b", "d"]


async def test_a_call_that_is_not_there_is_not_found(ledger):
    with pytest.raises(DatabaseError, match="No row was found"):
        await the(ledger, "c9")


async def test_what_a_turn_came_to_can_be_shown_without_a_part_of_it(ledger):
    await ledger.write(calls.intend, RUN, 2, intent(call_id="c2"), AT)
    await ledger.write(calls.intend, RUN, 1, intent(call_id="c3"), AT)
    for call_id in ("c1", "c2"):
        await ledger.write(calls.finish, RUN, call_id, DONE, AT)
    await ledger.write(calls.withhold, RUN, 1, lambda call: replace(call, content=[]))

    shown = [(await the(ledger, call_id)).content for call_id in ("c1", "c2", "c3")]
    assert shown == [[], DONE.content, None]
