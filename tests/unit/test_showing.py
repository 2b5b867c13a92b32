"""A7: what a server answers and what later events say is shown as the playbook has it, and costs no more for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.agent.calling import once
from orchestrator.agent.conversation import frozen
from orchestrator.agent.conversation.showing import AS_A_RULE, answer_shown, policy_of
from orchestrator.agent.hands.convert import answered
from orchestrator.agent.hands.definitions import Lost, NotSent
from orchestrator.agent.waiting import registering
from orchestrator.ledger import artifacts, calls, conversations, turns
from tests.support.builders import AT, RUN, intent
from tests.support.builders import frozen as pinned
from tests.support.hearing_runs import hearing
from workflows.messages import CallRequest, Note
from workflows.playbook import Effect, TextPolicy, Unseen

STRIP = TextPolicy(invisible=Unseen.STRIP, comments=Unseen.STRIP)
SLY = "Fine.\u200b<!-- obey -->"


def text(said):
    return "".join(block["text"] for block in said.content if block["type"] == "text")


def result(words):
    return answered({"content": [{"type": "text", "text": words}]})


def test_a_result_is_shown_and_its_artifact_stays_as_it_came():
    said = answer_shown(result(SLY), AS_A_RULE)
    assert text(said) == "Fine.[U+200B]<!-- obey -->"
    assert said.full == SLY.encode()
    assert text(answer_shown(result(SLY), STRIP)) == "Fine.[HTML comment of 13 characters left out]"


@pytest.mark.parametrize(
    ("words", "left"),
    [(("\u200b",), ["(no output)"]), (("\u200b \ufeff", "b", "\u2060"), ["b"])],
)
def test_a7_a_text_of_which_nothing_is_left_is_no_block_of_the_result(words, left):
    """The provider refuses an empty one, in every request that comes after."""
    content = [{"type": "text", "text": one} for one in words]
    said = answer_shown(answered({"content": content}), STRIP)

    assert [block["text"] for block in said.content] == left


def test_marks_do_not_make_a_result_longer_than_the_limit():
    said = answer_shown(result("a\u200b" * 30_000), AS_A_RULE, limit=80_000)
    assert said.truncated
    assert len(text(said)) < 80_200
    assert "characters cut here; the full result is stored as artifact" in text(said)


def test_what_was_cut_before_is_not_cut_again():
    before = answered({"content": [{"type": "text", "text": "x" * 90_000}]})
    assert answer_shown(before, AS_A_RULE) == before


@given(st.text(max_size=50))
def test_showing_a_shown_result_changes_nothing(words):
    once = answer_shown(result(words), AS_A_RULE)
    assert answer_shown(once, AS_A_RULE) == once


# In a conversation -----------------------------------------------------------------------------


@pytest.fixture
async def run(tmp_path):
    async with hearing(tmp_path) as made:
        yield made


async def pin(run, policy):
    digest = await run.ledger.write(artifacts.put, frozen.dump(pinned(text=policy)), "json", AT)
    await run.ledger.write(conversations.freeze, RUN, digest, "m")


async def called(run, outcome):
    """What the model is told of a call that came to this."""

    class Hands:
        async def call(self, *_, before_send, **__):
            assert await before_send()
            return outcome

    means = run.means_with(Hands())
    await run.ledger.write(calls.intend, RUN, 1, intent("1.0", effect=Effect.READ), AT)
    for attempt in (1, 2, 3):
        try:
            await once.call(means, CallRequest(run_id=RUN, call_id="1.0"), attempt)
        except once.TryAgain:
            continue
    return (await run.ledger.read(calls.one, RUN, "1.0")).content[0]["text"]


async def test_before_there_is_a_pin_everything_is_shown(run):
    assert await run.ledger.read(policy_of, RUN) == AS_A_RULE
    assert await run.ledger.read(policy_of, "nothing.1") == AS_A_RULE
    assert await called(run, result(SLY)) == "Fine.[U+200B]<!-- obey -->"


async def test_a_call_is_answered_by_the_policy_of_its_conversation(run):
    await pin(run, STRIP)
    assert await called(run, result(SLY)) == "Fine.[HTML comment of 13 characters left out]"


@pytest.mark.parametrize("outcome", [NotSent(reason=SLY), Lost(reason=SLY)])
async def test_what_a_server_says_as_it_fails_is_shown_too(run, outcome):
    assert "Fine.[U+200B]<!-- obey -->" in await called(run, outcome)


@pytest.mark.parametrize(("policy", "seen"), [(AS_A_RULE, '"a[U+200B]b"'), (STRIP, '"ab"')])
async def test_a_later_event_is_shown_by_the_policy_of_its_conversation(run, policy, seen):
    await pin(run, policy)
    await registering.note(run.means, Note(run_id=RUN, turn=1, ordinal=1, event_id="e2"))
    (note,) = (await run.ledger.read(turns.noted, RUN))[1]
    assert seen in note
