"""Mechanics 23: what may be done about a conversation whose run is gone depends on what it had sent."""

import pytest

from orchestrator.ledger import calls, conversations, installation, losses, waits
from orchestrator.ledger.losses import MARGIN
from tests.support.builders import AT, RUN, intent, ledger_at, opening, wait
from workflows.messages import CallState, Outcome, RunState
from workflows.playbook import Effect

DEADLINE = AT + 60


@pytest.fixture
def ledger(tmp_path):
    with ledger_at(tmp_path) as database:
        yield database


@pytest.fixture
async def run_id(ledger):
    return (await ledger.write(conversations.begin, opening(), AT)).run_id


async def asked(ledger, run_id, call_id="c1", *, sent=False, **changes):
    await ledger.write(calls.intend, run_id, 1, intent(call_id, **changes), AT)
    if sent:
        await ledger.write(calls.take, run_id, call_id, 1, again=True)
        await ledger.write(calls.send, run_id, call_id, 1, AT, DEADLINE)


async def states(ledger, run_id):
    return [call.state for call in await ledger.read(calls.of_run, run_id)]


async def test_one_that_sent_no_write_begins_again_and_its_calls_have_an_answer(ledger, run_id):
    await asked(ledger, run_id, "c1")
    await asked(ledger, run_id, "c2", sent=True, effect=Effect.READ)
    await ledger.write(waits.begin, wait(run_id=run_id))

    loss = await ledger.write(losses.lose, run_id, "gone", DEADLINE + MARGIN + 1)

    found = await ledger.read(conversations.one, run_id)
    assert loss.again
    assert (found.state, found.outcome) == (RunState.ENDED, Outcome.FAILED)
    assert found.reason == "lost: gone; it had sent no write, so it begins again"
    assert await states(ledger, run_id) == [CallState.REFUSED, CallState.UNKNOWN]
    assert [one.state for one in await ledger.read(waits.of_run, run_id)] == ["closed"]
    assert [one.run_id for one in await ledger.read(losses.untold, 9)] == [run_id]


@pytest.mark.parametrize("ended", [None, CallState.DONE, CallState.FAILED])
async def test_a2_one_that_sent_a_write_is_left_to_a_person_however_it_ended(ledger, run_id, ended):
    await asked(ledger, run_id, sent=True)
    if ended is not None:
        result = calls.Result(state=ended, content=[], is_error=False)
        await ledger.write(calls.finish, run_id, "c1", result, AT)

    loss = await ledger.write(losses.lose, run_id, "gone", DEADLINE + MARGIN + 1)

    found = await ledger.read(conversations.one, run_id)
    assert not loss.again
    assert found.outcome is Outcome.NEEDS_ATTENTION
    assert f"github.comment ({ended or 'unknown'})" in found.reason
    assert f"doorbell runs retry {run_id} --again" in found.reason
    assert await ledger.read(losses.untold, 9) == []


async def test_a2_a_repeatable_write_taken_again_counts_as_sent(ledger, run_id):
    await asked(ledger, run_id, sent=True, effect=Effect.WRITE)
    await ledger.write(calls.take, run_id, "c1", 2, again=True)

    loss = await ledger.write(losses.lose, run_id, "gone", DEADLINE + MARGIN + 1)

    assert not loss.again
    assert await states(ledger, run_id) == [CallState.UNKNOWN]


async def test_a2_nothing_is_said_while_a_request_may_still_be_under_way(ledger, run_id):
    await asked(ledger, run_id, sent=True)

    assert await ledger.write(losses.lose, run_id, "gone", DEADLINE + MARGIN) is None

    assert (await ledger.read(conversations.one, run_id)).state is RunState.RUNNING
    assert await states(ledger, run_id) == [CallState.SENT]


async def test_a2_what_was_given_up_unsent_can_not_be_sent_any_more(ledger, run_id):
    await asked(ledger, run_id)
    await ledger.write(calls.take, run_id, "c1", 1, again=False)
    await ledger.write(losses.lose, run_id, "gone", AT)

    assert not await ledger.write(calls.send, run_id, "c1", 1, AT, DEADLINE)


@pytest.mark.parametrize("effect", [Effect.WRITE, Effect.WRITE_ONCE])
async def test_a2_what_a_person_applied_stays_to_be_applied_again_unless_it_was_sent(
    ledger, run_id, effect
):
    for name in ("c1", "c2"):
        applied = f"{name}{calls.APPLIED}"
        await asked(ledger, run_id, applied, sent=name == "c2", effect=effect)
        await ledger.write(calls.take, run_id, applied, 2, again=effect is Effect.WRITE)
    await ledger.write(losses.lose, run_id, "gone", DEADLINE + MARGIN + 1)

    assert await states(ledger, run_id) == [CallState.INTENDED, CallState.UNKNOWN]
    left = await ledger.write(calls.apply, run_id, AT)
    assert [(call.call_id, call.attempt) for call in left] == [("c1:applied", 3)]
    # The worker of the lost run, if it lives.
    assert not await ledger.write(calls.send, run_id, "c1:applied", 2, AT, AT + 60)


async def test_one_that_ended_by_itself_is_no_loss(ledger, run_id):
    done = (run_id, RunState.ENDED, "", Outcome.COMPLETED, AT)
    await ledger.write(conversations.record, *done)

    assert await ledger.write(losses.lose, run_id, "gone", AT) is None
    assert (await ledger.read(conversations.one, run_id)).outcome is Outcome.COMPLETED


async def test_losing_it_twice_is_losing_it_once(ledger, run_id):
    assert await ledger.write(losses.lose, run_id, "gone", AT) is not None
    assert await ledger.write(losses.lose, run_id, "gone", AT + 1) is None
    await ledger.write(losses.told, [run_id], AT + 2)

    assert await ledger.read(losses.untold, 9) == []


async def test_open_ones_are_found_page_by_page_with_what_overtook_them(ledger):
    for number in range(1, 4):
        told = opening(f"dec_{number}", event_id=f"e{number}")
        await ledger.write(conversations.begin, told, AT + number)
    await ledger.write(conversations.record, f"{RUN[:-1]}2", RunState.ENDED, "", None, AT)

    [first] = await ledger.read(losses.open_ones, AT + 9, "", 1)
    [second] = await ledger.read(losses.open_ones, AT + 9, first.run_id, 1)

    assert (first.run_id[-2:], first.overtaken) == (".1", True)
    assert (second.run_id[-2:], second.overtaken) == (".3", False)
    assert await ledger.read(losses.open_ones, AT + 9, second.run_id, 1) == []
    assert await ledger.read(losses.open_ones, AT + 1, "", 9) == []


async def test_the_first_namespace_is_remembered_until_another_is_accepted(ledger):
    assert await ledger.read(installation.namespace) is None
    assert await ledger.write(installation.remember, "one", AT) == "one"
    assert await ledger.write(installation.remember, "two", AT) == "one"
    await ledger.write(installation.accept, "two", AT)
    assert await ledger.read(installation.namespace) == "two"
