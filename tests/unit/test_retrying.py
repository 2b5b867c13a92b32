"""A person's `run.retry`: once more what a run was opened for, and never a write twice without a word about it."""

import pytest
from sqlalchemy import event as hooks

from orchestrator.database import DatabaseError
from orchestrator.dispatch.decide import PERSON, decision_id
from orchestrator.inbox.inbox import Action, DecisionState
from orchestrator.ledger import calls, conversations
from tests.support.builders import AT, OPERATOR_SOURCE, arrival, comment, intent, opening, rule
from tests.support.roads import decided, delivered, road_at, taken, the
from workflows.messages import CallState, Outcome, RunState
from workflows.playbook import Effect


@pytest.fixture
def road(tmp_path):
    with road_at(tmp_path) as made:
        yield made


async def opened(road, receipt="e1", state=RunState.ENDED, **changes):
    """A run of the event's decision, and where it is."""
    await delivered(road, comment(receipt, **changes))
    (decision,) = await decided(road, receipt)
    await taken(road, decision)
    entry = await road.inbox.entry(receipt)
    begun = opening(
        decision.id,
        event_id=receipt,
        position=entry.position,
        workflow_id=decision.workflow_id,
        key=decision.key,
    )
    run = await road.ledger.write(conversations.begin, begun, AT)
    outcome = Outcome.FAILED if state is RunState.ENDED else None
    await road.ledger.write(conversations.record, run.run_id, state, "", outcome, AT)
    return run.run_id


async def called(road, run_id, state, effect=Effect.WRITE_ONCE, call_id="1.0"):
    await road.ledger.write(calls.intend, run_id, 1, intent(call_id, effect=effect), AT)
    await road.ledger.write(calls.take, run_id, call_id, 1, again=False)
    await road.ledger.write(calls.send, run_id, call_id, 1, AT, AT + 60)
    if state is not CallState.SENT:
        result = calls.Result(state=state, content=[], is_error=False)
        await road.ledger.write(calls.finish, run_id, call_id, result, AT)


async def retried(road, run_id, receipt="w1", **more):
    data = {"type": "run.retry", "run": run_id, "by": "ann", **more}
    await delivered(road, arrival(receipt, OPERATOR_SOURCE, {"webhook-id": f"d-{receipt}"}, data))
    return await the(road, receipt)


async def test_a_retried_run_is_a_new_start_of_the_same_decision(road):
    run_id = await opened(road)
    word = await retried(road, run_id)

    first, again = await decided(road, "e1")
    position = (await road.inbox.entry("w1")).position
    assert (word.cause, word.action, word.state) == (PERSON, Action.CONTROL, DecisionState.SETTLED)
    assert word.with_ == {"run": run_id, "decision": again.id}
    assert again.id == decision_id("e1", first.cause, position)
    assert again.again == position
    same = ("event_id", "cause", "rule", "action", "playbook", "with_", "key", "stage", "flow")
    assert [getattr(again, name) for name in same] == [getattr(first, name) for name in same]
    assert (again.workflow_id, again.lane) == (first.workflow_id, first.lane)
    assert again.reason == f"run.retry by ann: once more what run {run_id} was opened for"
    assert road.runs.arrived == [("e1", "github")] * 2


async def test_the_rules_are_not_asked_again(road):
    run_id = await opened(road)
    road.rules[:] = [rule("another")]
    await retried(road, run_id)

    assert {found.rule for found in await decided(road, "e1")} == {"triage"}


async def test_each_word_is_one_more_run_and_only_once(road):
    run_id = await opened(road)
    await retried(road, run_id, "w1")
    await retried(road, run_id, "w2")

    assert len({found.id for found in await decided(road, "e1")}) == 3
    assert len(road.runs.arrived) == 3


@pytest.mark.parametrize(
    ("state", "first"),
    [
        (RunState.RUNNING, "cancel it first"),
        (RunState.WAITING, "cancel it first"),
        (RunState.PARKED, "resume it, or cancel it first"),
    ],
)
async def test_a_run_that_goes_on_is_not_retried(road, state, first):
    run_id = await opened(road, state=state)
    word = await retried(road, run_id)

    assert word.action is Action.IGNORE
    assert word.reason == f"run {run_id} is {state}: {first}"
    assert len(road.runs.arrived) == 1


async def test_a_run_whose_key_has_an_open_run_is_not_retried(road):
    """It would be told the old event as if it had just come."""
    first = await opened(road)
    second = await opened(road, "e2", RunState.WAITING)
    word = await retried(road, first)

    assert word.reason == f"run {second} of its key is open: it is told what comes; cancel it first"


async def test_nobody_retries_what_is_not_there(road):
    assert (await retried(road, "nothing.1")).reason == "there is no run 'nothing.1'"


async def test_what_was_pruned_can_not_be_retried(road):
    run_id = await opened(road)
    road.clock.pass_by(31)
    await road.dispatcher.reconcile()
    assert await road.inbox.prune(["e1"]) == 1
    word = await retried(road, run_id)
    assert word.reason == "the event that opened it is pruned: its body is gone"


@pytest.mark.parametrize("state", [CallState.DONE, CallState.UNKNOWN, CallState.SENT])
async def test_a2_a_run_that_may_have_written_is_only_retried_when_that_is_said(road, state):
    run_id = await opened(road)
    await called(road, run_id, state)
    word = await retried(road, run_id, "w1")

    assert word.action is Action.IGNORE
    assert word.reason.startswith(f"it may have written: github.comment ({state}); look what")
    assert len(road.runs.arrived) == 1
    assert (await retried(road, run_id, "w2", again="yes")).action is Action.IGNORE
    assert (await retried(road, run_id, "w3", again=True)).action is Action.CONTROL
    assert len(road.runs.arrived) == 2


@pytest.mark.parametrize(
    ("state", "effect"),
    [
        (CallState.DONE, Effect.READ),
        (CallState.FAILED, Effect.WRITE_ONCE),
        (CallState.REFUSED, Effect.WRITE_ONCE),
        (CallState.PROPOSED, Effect.WRITE),
    ],
)
async def test_a_run_that_wrote_nothing_is_retried(road, state, effect):
    run_id = await opened(road)
    await called(road, run_id, state, effect)
    assert (await retried(road, run_id)).action is Action.CONTROL


async def test_many_writes_are_counted_beyond_the_first(road):
    run_id = await opened(road)
    for number in range(7):
        await called(road, run_id, CallState.DONE, call_id=f"1.{number}")
    word = await retried(road, run_id)
    assert word.reason.count("github.comment (done)") == 5
    assert " and 2 more; look" in word.reason


async def test_a1_a_word_that_dies_while_it_is_written_down_is_worked_off_once(road):
    run_id = await opened(road)
    data = {"type": "run.retry", "run": run_id, "by": "ann"}
    await road.keep(arrival("w1", OPERATOR_SOURCE, {"webhook-id": "d-w1"}, data))

    def dies(_connection, _cursor, statement, *_):
        if statement.startswith("INSERT"):
            raise DatabaseError("the disk is full")

    engine = road.inbox._database.engine
    hooks.listen(engine, "before_cursor_execute", dies)
    with pytest.raises(DatabaseError):
        await road.dispatcher.decide_some()
    hooks.remove(engine, "before_cursor_execute", dies)
    assert len(await decided(road, "e1")) == 1
    assert await road.dispatcher.decide_some() == 1
    assert await road.dispatcher.decide_some() == 0
    assert len(await decided(road, "e1")) == 2
