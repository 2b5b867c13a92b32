"""O2: whoever pauses or unpauses is told what that means for the runs that are there, and for what comes."""

import pytest

from orchestrator.dispatch.pausing import held, released
from orchestrator.inbox.inbox import Action
from orchestrator.ledger import conversations, standstills
from orchestrator.ledger.standstills import Open
from tests.support.builders import AT, opening, order, word
from tests.support.roads import decided, delivered, road_at
from workflows.messages import RunState


@pytest.fixture
def road(tmp_path):
    with road_at(tmp_path) as made:
        yield made


async def run(road, number, state=RunState.RUNNING, **changes):
    """An open run; a parked one stands still."""
    given = opening(f"dec_{number}", workflow_id=f"work-{number}", **changes)
    ref = await road.ledger.write(conversations.begin, given, AT)
    await road.ledger.write(conversations.record, ref.run_id, state, "", None, AT)
    if state is RunState.PARKED:
        await road.ledger.write(standstills.hold, ref.run_id, "turn 1", AT)
    return ref.run_id


async def told(road, said, named="triage"):
    receipt = f"{said}-{named}"
    await delivered(road, order(receipt, said, named))
    (decision,) = await decided(road, receipt)
    return decision.reason


def opened(*states):
    return [
        Open(run_id=f"r{at}", rule="triage", source="github", state=state, held=False)
        for at, state in enumerate(states)
    ]


def test_what_a_pause_holds_is_counted_by_how_the_runs_stand():
    working, waiting = RunState.RUNNING, RunState.WAITING

    assert held([]) == "no run is at work"
    assert held(opened(RunState.PARKED)) == "no run is at work"
    assert held(opened(working)) == ("1 run at work stands still before its next turn or tool call")
    assert held(opened(working, waiting, working, waiting)) == (
        "2 runs at work stand still before their next turn or tool call,"
        " 2 that wait stand still once they are woken"
    )
    assert held(opened(waiting)).endswith("1 that waits stands still once it is woken")


def test_what_goes_on_is_counted_apart_from_what_another_pause_holds():
    assert released(0, 0) == "no run goes on"
    assert released(1, 0) == "1 run goes on by itself"
    assert released(2, 1) == (
        "2 runs go on by themselves, a few at a time, 1 stays held by another pause"
    )


async def test_o2_a_pause_says_what_it_holds_and_its_end_what_goes_on(road):
    await run(road, 1)
    await run(road, 2, RunState.PARKED)
    await run(road, 3, rule="other", source="desk")

    assert await told(road, "rule.pause") == (
        "rule.pause by ann: what comes for it from now on waits in the inbox;"
        " 1 run at work stands still before its next turn or tool call"
    )
    await told(road, "source.pause", "github")
    assert await told(road, "rule.unpause") == (
        "rule.unpause by ann: what waits for it in the inbox is delivered, in its order;"
        " no run goes on, 1 stays held by another pause"
    )
    assert (await told(road, "source.unpause", "github")).endswith("; 1 run goes on by itself")


async def test_what_is_not_paused_is_not_unpaused(road):
    assert await told(road, "rule.unpause") == "rule.unpause by ann: it was not paused"


async def test_a_rule_that_is_gone_from_the_files_is_paused_while_a_run_of_it_is_open(road):
    road.rules.clear()
    assert "there is no rule 'triage'" in await told(road, "rule.pause")
    await run(road, 1)
    await delivered(road, order("w2", "rule.pause", "triage"))

    assert [one.name for one in await road.inbox.pauses()] == ["triage"]


async def test_what_a_person_wants_applied_is_refused_while_its_rule_is_paused(road):
    run_id = await run(road, 1, RunState.ENDED)
    await told(road, "rule.pause")
    await delivered(road, word("a1", "apply", run_id), word("c1", "cancel", run_id))
    (applied,), (cancelled,) = await decided(road, "a1"), await decided(road, "c1")
    await told(road, "rule.unpause")
    await delivered(road, word("a2", "apply", run_id))
    (again,) = await decided(road, "a2")

    assert (applied.action, applied.reason) == (
        Action.IGNORE,
        "rule 'triage' is paused: say it again after `doorbell rules unpause triage`",
    )
    assert [cancelled.action, again.action] == [Action.CONTROL] * 2
