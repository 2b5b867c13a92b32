"""What a run hears of what happened outside: values, or failures it understands. Temporal's own test environment."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from temporalio.common import RawValue
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from orchestrator.agent.activities import ATTEMPTS_TO_REACH, Activities, ToolActivity
from orchestrator.agent.conversation import frozen
from orchestrator.agent.hands.definitions import Answered, HandsUnreachable, Lost
from orchestrator.agent.means import Means
from orchestrator.agent.reply import Rejected, Unavailable
from orchestrator.ledger import artifacts, calls, conversations, shortfalls, turns
from tests.support.builders import (
    AT,
    MODEL,
    RUN,
    configuration,
    intent,
    ledger_at,
    opening,
    payer,
    tool,
)
from tests.support.builders import frozen as pinned
from workflows.activities import PERSON
from workflows.messages import Answer, Ask, CallRequest, CallState, RunRef
from workflows.playbook import Budget, Effect

PROPOSED = calls.Result(state=CallState.PROPOSED, content=[], is_error=False)
DONE = calls.Result(state=CallState.DONE, content=[], is_error=False)
ANSWERED = Answered(
    content=({"type": "text", "text": "written"},),
    is_error=False,
    full=b"written",
    full_media_type="text/plain",
)
APPLIED = f"1.1{calls.APPLIED}"


@dataclass
class Says:
    """A model, and hands, that only ever fail, in this way."""

    error: Any

    async def say(self, _request):
        raise self.error

    async def discover(self, _server):
        raise self.error

    async def call(self, *_what, before_send, **_how):
        assert await before_send()
        return self.error

    def learn(self, servers):
        pass


def means(ledger, error=None, read=configuration):
    fails = Says(error)
    return Means(
        inbox=None,
        ledger=ledger,
        model=fails,
        hands=fails,
        configuration=read,
        now=lambda: AT,
        scripted=True,
    )


@pytest.fixture
async def ledger(tmp_path):
    """A conversation with its prompt pinned, and one call."""
    with ledger_at(tmp_path) as database:
        await database.write(conversations.begin, opening(), AT)
        pin = frozen.dump(pinned(tool()))
        digest = await database.write(artifacts.put, pin, "application/json", AT)
        await database.write(conversations.freeze, RUN, digest, MODEL)
        await database.write(turns.note, RUN, 1, 0, "An event.")
        await database.write(shortfalls.pays, payer())
        await database.write(calls.intend, RUN, 1, intent("1.0", effect=Effect.READ), AT)
        yield database


def environment_of(attempt, name, told=()):
    environment = ActivityEnvironment()
    environment.info = replace(
        environment.info, attempt=attempt, activity_type=name, heartbeat_details=told
    )
    return environment


def given(request):
    return [RawValue(DataConverter.default.payload_converter.to_payload(request))]


async def failure(does, request, attempt=1, name="github.comment", told=(), beats=None):
    environment = environment_of(attempt, name, told)
    if beats is not None:
        environment.on_heartbeat = lambda *details: beats.append(details)
    with pytest.raises(ApplicationError) as caught:
        await environment.run(does, request)
    return caught.value


async def test_what_a_person_must_mend_parks_the_run_and_is_not_tried_again(ledger):
    does = Activities(means(ledger, Rejected("set ANTHROPIC_API_KEY"))).ask_model
    error = await failure(does, Ask(run_id=RUN, turn=1, budget=Budget()))

    assert (error.type, error.non_retryable) == (PERSON, True)
    assert error.message == "set ANTHROPIC_API_KEY"


@pytest.mark.parametrize(("asked", "told"), [(None, None), (17, 17), (10**9, 600)])
async def test_a_model_that_is_busy_is_asked_again_when_it_says(ledger, asked, told):
    does = Activities(means(ledger, Unavailable("busy", asked))).ask_model
    error = await failure(does, Ask(run_id=RUN, turn=1, budget=Budget()))

    assert not error.non_retryable
    assert error.next_retry_delay == (None if told is None else timedelta(seconds=told))


def unreachable():
    raise HandsUnreachable("server 'github' can't be reached")


async def test_h3_hands_that_can_not_be_reached_are_tried_a_few_times_before_a_person_is_asked(
    tmp_path,
):
    beats = [()]
    with ledger_at(tmp_path) as empty:
        await empty.write(conversations.begin, opening(), AT)
        does = Activities(means(empty, read=unreachable)).prepare
        errors = [
            await failure(does, RunRef(run_id=RUN), attempt, told=beats[-1], beats=beats)
            for attempt in range(1, ATTEMPTS_TO_REACH + 1)
        ]

    *first, last = errors
    assert not any(error.non_retryable for error in first)
    assert (last.type, last.non_retryable) == (PERSON, True)


async def test_a1_attempts_that_were_lost_with_their_worker_do_not_count_as_tries_to_reach_the_hands(
    tmp_path,
):
    with ledger_at(tmp_path) as empty:
        await empty.write(conversations.begin, opening(), AT)
        does = Activities(means(empty, read=unreachable)).prepare
        error = await failure(does, RunRef(run_id=RUN), ATTEMPTS_TO_REACH, told=("its progress",))

    assert not error.non_retryable


async def test_a_call_that_may_be_repeated_and_got_no_answer_is_tried_again(ledger):
    does = ToolActivity(means(ledger, Lost(reason="broken"))).call
    error = await failure(does, given(CallRequest(run_id=RUN, call_id="1.0")))

    assert not error.non_retryable
    assert "gave no answer" in error.message


async def test_an_activity_of_a_newer_version_is_never_taken_for_a_tool_call(ledger):
    """Which call it is about, it would say in the same words."""
    does = ToolActivity(means(ledger, Lost(reason="broken"))).call
    request = CallRequest(run_id=RUN, call_id="1.0")
    error = await failure(does, given(request), name="prepare_something")

    assert not error.non_retryable
    assert "does not know 'prepare_something'" in error.message


async def test_the_proposals_of_a_run_that_never_opened_are_none(ledger):
    found = await Activities(means(ledger)).proposals(RunRef(run_id="nobody.1"))

    assert (found.calls, found.tools) == ((), ())


async def test_proposals_are_handed_out_until_they_are_made(ledger):
    await ledger.write(calls.finish, RUN, "1.0", PROPOSED, AT)
    does = Activities(means(ledger))

    for _ in range(2):
        found = await does.proposals(RunRef(run_id=RUN))
        assert [call.call_id for call in found.calls] == ["1.0:applied"]
        assert [card.alias for card in found.tools] == ["github__comment"]
        assert found.tried == {}
    await ledger.write(calls.finish, RUN, "1.0:applied", DONE, AT)
    assert (await does.proposals(RunRef(run_id=RUN))).calls == ()


@pytest.mark.parametrize("effect", [Effect.WRITE, Effect.WRITE_ONCE])
@pytest.mark.parametrize(("sent", "becomes"), [(False, CallState.DONE), (True, CallState.UNKNOWN)])
@pytest.mark.parametrize("taken_again", [False, True])
async def test_a2_a_proposal_whose_run_was_lost_is_made_by_the_next_unless_it_was_sent(
    ledger, effect, sent, becomes, taken_again
):
    await ledger.write(calls.intend, RUN, 1, intent("1.1", effect=effect), AT)
    await ledger.write(calls.finish, RUN, "1.1", PROPOSED, AT)
    does = means(ledger, ANSWERED)
    await Activities(does).proposals(RunRef(run_id=RUN))
    await ledger.write(calls.take, RUN, APPLIED, 2, again=False)
    if sent:
        await ledger.write(calls.send, RUN, APPLIED, 2, AT - 90, AT - 30)
    if taken_again:
        await ledger.write(calls.take, RUN, APPLIED, 3, again=True)

    again = await Activities(does).proposals(RunRef(run_id=RUN))
    assert again.tried == {APPLIED: 3 if taken_again else 2}
    request = CallRequest(run_id=RUN, call_id=APPLIED, after=again.tried[APPLIED])
    environment = environment_of(1, "github.comment")
    outcome = await environment.run(ToolActivity(does).call, given(request))
    assert outcome.state is becomes


async def test_a3_words_that_stand_as_an_answer_already_are_not_overwritten(ledger):
    """A complaint is written with its reply; the run, which does not know it, answers again in general words."""
    complaint = calls.Result(state=CallState.REFUSED, content=[{"text": "body: 7"}], is_error=True)
    await ledger.write(calls.finish, RUN, "1.0", complaint, AT)
    answer = Answer(run_id=RUN, call_id="1.0", state=CallState.REFUSED, text="It can't be used.")

    assert (await Activities(means(ledger)).answer(answer)).state is CallState.REFUSED
    assert (await ledger.read(calls.one, RUN, "1.0")).content == [{"text": "body: 7"}]
