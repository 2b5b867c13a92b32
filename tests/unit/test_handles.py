"""H4: a call that its server answers later: kept once, asked after ever more seldom, ended once."""

from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.agent.calling import once
from orchestrator.agent.calling.once import TryAgain
from orchestrator.agent.hands.definitions import Lost, NotSent
from orchestrator.agent.waiting import handles, registering
from orchestrator.ledger import artifacts, calls, conversations, pruning, waits
from orchestrator.ledger import handles as kept
from tests.support.builders import AT, RUN
from tests.support.following import Followed
from tests.support.waits import CALL, CALLBACK, awaiting
from workflows.looks import Look
from workflows.messages import CallRequest, CallState, Outcome, RunState, Settle

REQUEST = CallRequest(run_id=RUN, call_id=CALL)
LOOK = Look(run_id=RUN, call_id=CALL)
DAY = 86_400.0
OF_INPUTS = replace(CALLBACK, key="deployment:{{ with.name }}", timeout=20 * DAY)
ENDED = (RUN, RunState.ENDED, "", Outcome.COMPLETED)
NEVER = replace(OF_INPUTS, timeout=60 * DAY)


class Hands:
    """Answers each call with the next of these."""

    def __init__(self, *outcomes):
        self.outcomes = list(outcomes)

    async def call(self, *_what, before_send, **_how):
        assert await before_send()
        return self.outcomes.pop(0)


@asynccontextmanager
async def handed(tmp_path, callback=NEVER, begun=None, **changes):
    """A run whose call became a task."""
    async with awaiting(tmp_path, callback) as there:
        there.server = Followed(**changes)
        hands = Hands(there.server.begin(**(begun or {})))
        there.means = replace(there.means, hands=hands, tasks=there.server)
        await there.expect()
        there.outcome = await once.call(there.means, REQUEST, 1)
        yield there


async def handle(there):
    return await there.ledger.read(kept.find, RUN, CALL)


async def looked(there, **changes):
    return await handles.look(there.means, replace(LOOK, **changes))


async def test_h4_a_handle_is_kept_and_the_call_is_under_way_until_it_ends(tmp_path):
    async with handed(tmp_path) as there:
        assert there.outcome.state is CallState.SENT
        found = await handle(there)
        opened = await there.opened()
    assert (found.task_id, found.ttl, found.poll, found.look_at) == ("task-0", DAY, 5.0, AT + 5)
    assert (opened.wants, opened.seconds, opened.ended) == (
        "github answers deploy later",
        5.0,
        None,
    )


async def test_a2_a_call_that_became_a_task_is_never_made_again(tmp_path):
    async with handed(tmp_path) as there:
        # No outcome is left to the hands: a second request would fail here.
        for attempt in (1, 2, 3):
            assert (await once.call(there.means, REQUEST, attempt)).state is CallState.SENT
        lost = await once.settle_lost(there.means, Settle(run_id=RUN, call_id=CALL))
        assert (lost.state, lost.left) == (CallState.SENT, False)


async def test_h4_the_result_of_a_task_is_the_result_of_its_call(tmp_path):
    async with handed(tmp_path) as there:
        there.server.tells("completed", "deployed")
        first, again = await looked(there), await looked(there)
        row = await there.ledger.read(calls.one, RUN, CALL)
        wait = await there.wait()
        opened = await there.opened()
        whole = await there.ledger.read(artifacts.get, row.artifact)
    assert first == again
    assert (first.outcome.state, row.state, text_of(row)) == (
        CallState.DONE,
        CallState.DONE,
        "deployed",
    )
    assert (wait.state, opened.ended, whole.body) == ("closed", CallState.DONE, b"deployed")
    assert there.server.looked == 1


def text_of(row):
    return row.content[0]["text"]


async def test_h4_a_worker_that_died_behind_the_result_leaves_nothing_open(tmp_path):
    async with handed(tmp_path, OF_INPUTS) as there:
        await there.opened()
        there.server.tells("completed", "deployed")
        call = await there.ledger.read(calls.one, RUN, CALL)
        result = once.answer_words(CallState.DONE, "deployed")
        await there.ledger.write(calls.finish, RUN, CALL, result, AT)
        assert call.state is CallState.SENT
        # What follows on it: the wait is registered again, and ends there.
        assert (await there.opened()).ended is CallState.DONE
        assert ((await there.wait()).state, (await handle(there)).ended_at) == ("closed", AT)


async def test_h4_it_is_asked_after_as_often_as_its_server_wants_and_then_ever_more_seldom(
    tmp_path,
):
    pauses = []
    async with handed(tmp_path, ttl=None) as there:
        for _ in range(16):
            answer = await looked(there)
            pauses.append(answer.seconds)
            there.clock.time += answer.seconds
    assert pauses[:7] == [5, 5, 5, 10, 20, 40, 80]
    assert pauses[-1] == handles.SELDOM
    assert pauses == sorted(pauses)


async def test_h4_its_server_may_want_to_be_asked_less_often_than_that(tmp_path):
    async with handed(tmp_path, poll=7200.0, ttl=None) as there:
        assert [(await looked(there)).seconds for _ in range(6)] == [7200.0] * 6


@pytest.mark.parametrize("poll", [0.0, -5.0, 0.001])
async def test_h4_a_server_that_wants_to_be_asked_without_a_pause_is_not(tmp_path, poll):
    async with handed(tmp_path, poll=poll, begun={"poll": poll}) as there:
        assert (await there.opened()).seconds == once.SHORTEST_POLL
        assert (await looked(there)).seconds == once.SHORTEST_POLL


@given(poll=st.floats(allow_nan=False, allow_infinity=False) | st.none())
def test_h4_every_pause_fits_a_timer(poll):
    assert once.SHORTEST_POLL <= once.poll_of(poll) <= once.LONGEST_POLL


async def test_h4_a_server_that_is_away_is_asked_again(tmp_path):
    async with handed(tmp_path) as there:
        there.server.away = "nobody there"
        assert (await looked(there)).outcome is None
        there.server.away = ""
        there.server.tells("completed", "deployed")
        assert (await looked(there)).outcome.state is CallState.DONE


@pytest.mark.parametrize(
    ("how", "state", "words"),
    [
        ("wrong", CallState.FAILED, "no paper"),
        ("failed", CallState.FAILED, "no paper (MCP error -32001)"),
        ("cancelled", CallState.FAILED, "cancelled there: no paper"),
        ("samples", CallState.FAILED, "it wants sampling/createMessage, which nobody offered it"),
    ],
)
async def test_h4_every_end_is_told_in_words(tmp_path, how, state, words):
    async with handed(tmp_path) as there:
        there.server.tells(how, "no paper")
        assert (await looked(there)).outcome.state is state
        assert words in (await there.texts())[0]
        assert there.server.called_off == (["task-0"] if how == "samples" else [])


async def test_h4_a_task_its_server_does_not_know_is_unknown(tmp_path):
    async with handed(tmp_path) as there:
        there.server.tasks.clear()
        assert (await looked(there)).outcome.state is CallState.UNKNOWN
        assert "its server no longer knows it: Task not found" in (await there.texts())[0]


async def test_h4_its_time_ends_it_once_its_server_was_asked_a_last_time(tmp_path):
    async with handed(tmp_path, ttl=60.0) as there:
        there.clock.time += 59
        first = await looked(there)
        assert (first.outcome, first.seconds) == (None, 5.0)
        there.clock.time += 6
        assert (await looked(there)).outcome.state is CallState.UNKNOWN
        assert "was given 0:01:00 for it" in (await there.texts())[0]


async def test_h4_a_result_that_came_in_the_last_moment_counts(tmp_path):
    async with handed(tmp_path, ttl=60.0) as there:
        there.clock.time += 66
        there.server.tells("completed", "deployed")
        assert (await looked(there)).outcome.state is CallState.DONE


async def test_h4_the_patience_of_the_playbook_ends_it_too(tmp_path):
    async with handed(tmp_path, replace(OF_INPUTS, timeout=20.0), poll=3600.0) as there:
        assert (await there.opened()).seconds == 20.0
        there.clock.time += 20
        assert (await looked(there)).outcome.state is CallState.UNKNOWN
        assert "the 0:00:20 that the playbook waits for it are over" in (await there.texts())[0]


async def test_h4_the_last_look_ends_it_with_its_reason(tmp_path):
    async with handed(tmp_path) as there:
        ended = await looked(there, last="the time of this conversation is up")
        assert ended.outcome.state is CallState.UNKNOWN
        assert "the time of this conversation is up" in (await there.texts())[0]


async def test_h4_what_nobody_waits_for_is_called_off_and_its_end_stands_beside_the_call(tmp_path):
    async with handed(tmp_path) as there:
        settle = Settle(run_id=RUN, call_id=CALL, reason="cancelled", given_up=True)
        given_up = await once.settle_lost(there.means, settle)
        assert (given_up.state, given_up.left) == (CallState.UNKNOWN, True)
        there.server.tells("completed", "deployed after all")
        there.server.away = "nobody there"
        with pytest.raises(TryAgain):
            await handles.call_off(there.means, LOOK)
        there.server.away = ""
        await handles.call_off(there.means, LOOK)
        await handles.call_off(there.means, LOOK)
        found = await handle(there)
        row = await there.ledger.read(calls.one, RUN, CALL)
        garbage = await there.ledger.read(artifacts.unreferenced, 10)
    assert there.server.called_off == ["task-0"]
    assert (found.status, found.ended_at, row.state) == ("completed", AT, CallState.UNKNOWN)
    assert found.artifact is not None
    assert found.artifact not in garbage


async def test_what_is_known_of_a_task_is_forgotten_with_its_conversation(tmp_path):
    async with handed(tmp_path) as there:
        await there.ledger.write(conversations.record, *ENDED, AT)
        await there.ledger.write(pruning.prune, [RUN], AT, AT)
        assert await handle(there) is None


async def test_h4_an_event_that_hints_at_it_is_heard_once_and_ends_nothing(tmp_path):
    async with handed(tmp_path, OF_INPUTS) as there:
        await there.opened()
        await there.status("e2", "success")
        assert (await looked(there, event_id="e2")).outcome is None
        assert (await there.wait()).state == waits.OPEN


async def test_h4_an_applied_call_that_is_answered_later_says_that_nobody_waits(tmp_path):
    async with awaiting(tmp_path, NEVER) as there:
        applied = f"{CALL}{calls.APPLIED}"
        means = replace(there.means, hands=Hands(Followed().begin()))
        await there.ledger.write(calls.intend, RUN, 0, await applied_intent(there, applied), AT)
        outcome = await once.call(means, CallRequest(run_id=RUN, call_id=applied), 1)
        row = await there.ledger.read(calls.one, RUN, applied)
    assert outcome.state is CallState.DONE
    assert "nobody waits for that here" in text_of(row)


async def test_a2_an_applied_call_whose_worker_died_behind_its_handle_gets_an_answer(
    tmp_path, monkeypatch
):
    applied = f"{CALL}{calls.APPLIED}"

    async def dies(*_what):
        raise ConnectionAbortedError

    async with awaiting(tmp_path, NEVER) as there:
        means = replace(there.means, hands=Hands(Followed().begin()))
        request = CallRequest(run_id=RUN, call_id=applied)
        await there.ledger.write(calls.intend, RUN, 0, await applied_intent(there, applied), AT)
        with monkeypatch.context() as death:
            death.setattr(once, "finish", dies)
            with pytest.raises(ConnectionAbortedError):
                await once.call(means, request, 1)
        later = replace(means, now=lambda: AT + 600)
        assert (await once.call(later, request, 2)).state is CallState.UNKNOWN
        assert await there.ledger.read(kept.find, RUN, applied) is not None


async def applied_intent(there, call_id):
    row = await there.ledger.read(calls.one, RUN, CALL)
    names = ("position", "alias", "server", "tool", "effect", "arguments")
    return calls.Intent(call_id=call_id, **{name: getattr(row, name) for name in names})


@pytest.mark.parametrize("outcome", [NotSent(reason="refused"), Lost(reason="broken")])
async def test_a_call_without_a_handle_ends_as_before(tmp_path, outcome):
    async with awaiting(tmp_path, NEVER) as there:
        means = replace(there.means, hands=Hands(outcome))
        try:
            ended = await once.call(means, REQUEST, 3)
        except TryAgain:
            return
        assert ended.state is not CallState.SENT
        request = (await registering.open_wait(means, there_request())).ended
        assert request is not None


def there_request():
    return registering.WaitRequest(run_id=RUN, call_id=CALL)
