"""H4 as a client: a call that its server answers later parks its run; what counts is what that server says."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.demo.wire import ToolUse
from orchestrator.ledger import waits
from tests.support.house import House, opened
from tests.support.later import RULE, Later, later
from tests.support.scripts import Turns, results, says, uses
from tests.support.town import Town, kill
from workflows import parking

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(150)]

WRITE = uses(ToolUse("later__write_later", {"body": "hello"}))
READ = uses(ToolUse("later__read_later", {"name": "it"}))
DID = ["write_later hello"]
SUPERSEDED = [*DID, "called off write_later", *DID]
BOTH = ["read_later it", *DID]


def answer(script: Turns) -> str:
    """What the only call was answered with, as the model saw it in the end."""
    (said,) = results(script.asked[-1]).values()
    return str(said)


async def happened(home: House) -> dict[str, Any]:
    """What stands in the histories of the only run: kinds of events, and the activities, over all its parts."""
    (run,) = await home.runs()
    kinds: list[str] = []
    activities: list[str] = []
    parts = home.client.list_workflows(f"WorkflowId = '{run['workflow_id']}'")
    async for part in parts:
        handle = home.client.get_workflow_handle(part.id, run_id=part.run_id)
        async for event in handle.fetch_history_events():
            kinds.append(event.WhichOneof("attributes") or "")
            if event.HasField("activity_task_scheduled_event_attributes"):
                activities.append(event.activity_task_scheduled_event_attributes.activity_type.name)
    return {"kinds": kinds, "activities": activities}


async def test_h4_a_handle_parks_the_run_and_a_hint_makes_it_ask_its_server(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([WRITE, says()])
    async with later(tmp_path, town, script) as there:
        await there.home.ring(opened())
        run = await there.begun()
        assert "later answers write_later later" in str(run["reason"])
        task_id = (await there.handle()).task_id
        assert await there.peer.tells("completed", "written, at last") == "applied"
        hint = await there.hints()
        run = await there.home.ended()
        assert (await there.handle()).ended_at is not None
        past = await there.home.until(lambda: _looks(there.home), "the look in a history")
        text = str([part async for part in _payloads(there.home, run)])
    assert (run["outcome"], run["turns"], there.peer.did) == ("completed", 2, DID)
    assert [call["state"] for call in run["tool_calls"]] == ["done"]
    assert run["events"][1:] == [hint]
    assert "written, at last" in answer(script)
    # A task's id is as good as a key to it: no history has it, and no model.
    assert task_id not in text + str(script.asked)
    assert past["activities"].count("look") == 1


async def _looks(home: House) -> dict[str, Any] | None:
    past = await happened(home)
    return past if "look" in past["activities"] else None


async def _payloads(home: House, run: dict[str, Any]) -> Any:
    parts = home.client.list_workflows(f"WorkflowId = '{run['workflow_id']}'")
    async for part in parts:
        handle = home.client.get_workflow_handle(part.id, run_id=part.run_id)
        yield str(await handle.fetch_history())


async def test_h4_a_parked_task_costs_nothing_while_it_waits_and_survives_the_death_of_everybody(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([WRITE, says()])
    async with later(tmp_path, town, script, working=False) as there:
        async with there.home.worker() as first:
            await there.home.ring(opened())
            await there.begun()
            await there.home.until(lambda: _sleeps(there.home), "the prologue")
            before = await happened(there.home)
            there.peer.kill()
            await kill(first)
        # Nobody is there; then the server is, and its answer; at last a worker.
        await there.peer.start()
        assert await there.peer.tells("completed", "written, at last") == "applied"
        assert await there.peer.tells("failed", "no, it was not") == "late"
        await there.hints("done")
        await there.hints("done, again")
        async with there.home.worker():
            run = await there.home.ended()
    assert before["activities"] == ["prepare", "ask_model", "later.write_later"]
    assert (run["outcome"], run["turns"], there.peer.did) == ("completed", 2, DID)
    assert "written, at last" in answer(script)


async def _sleeps(home: House) -> bool:
    kinds = (await happened(home))["kinds"]
    return "workflow_execution_continued_as_new_event_attributes" in kinds


async def test_h4_hints_that_say_nothing_new_leave_the_run_where_it_is(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([WRITE, says()])
    async with later(tmp_path, town, script) as there:
        await there.home.ring(opened())
        await there.begun()
        await there.hints("it must be done by now")
        await there.home.until(lambda: _looked(there, 1), "a look")
        assert await there.peer.tells("working", "half of it") == "applied"
        await there.hints("and now?")
        await there.home.until(lambda: _looked(there, 2), "a second look")
        assert (await there.handle()).said == "half of it"
        assert (await there.begun())["state"] == "waiting"
        await there.peer.tells("completed", "written, at last")
        await there.hints("now")
        run = await there.home.ended()
        ends = await there.home.stores.ledger.read(waits.of_run, run["id"])
    assert (run["outcome"], there.peer.did, [one.state for one in ends]) == (
        "completed",
        DID,
        ["closed"],
    )


async def _looked(there: Later, times: int) -> bool:
    return (await there.handle()).looks >= times


async def test_h4_a_lost_hint_is_made_good_by_a_timer(tmp_path: Path, town: Town) -> None:
    script = Turns([READ, says()])
    async with later(tmp_path, town, script, 1.0) as there:
        await there.home.ring(opened())
        await there.home.until(lambda: there.peer.did, "the call")
        await there.peer.tells("completed", "it is fine")
        run = await there.home.ended()
    assert (run["outcome"], "it is fine" in answer(script)) == ("completed", True)


@pytest.mark.parametrize(
    ("how", "text", "state", "told"),
    [
        ("wrong", "no paper", "failed", "no paper"),
        (
            "failed",
            "it broke",
            "failed",
            "The call failed at its server: it broke (MCP error -32001)",
        ),
        ("cancelled", "by the shop", "failed", "was cancelled there: by the shop"),
        ("strange", "", "failed", "not a tool result"),
        ("samples", "", "failed", "it wants sampling/createMessage, which nobody offered it"),
    ],
)
async def test_h4_every_end_of_a_task_is_told_in_words(
    tmp_path: Path, town: Town, how: str, text: str, state: str, told: str
) -> None:
    script = Turns([WRITE, says()])
    async with later(tmp_path, town, script) as there:
        await there.home.ring(opened())
        await there.begun()
        await there.peer.tells(how, text)
        await there.hints()
        run = await there.home.ended()
        called_off = there.peer.did[1:]
    assert [call["state"] for call in run["tool_calls"]] == [state]
    assert told in answer(script)
    assert called_off == (["called off write_later"] if how == "samples" else [])


async def test_h4_a_task_that_its_server_forgot_is_unknown(tmp_path: Path, town: Town) -> None:
    script = Turns([WRITE, says()])
    async with later(tmp_path, town, script) as there:
        await there.home.ring(opened())
        await there.begun()
        there.peer.kill()
        (there.peer.directory / "later.db").rename(there.peer.directory / "lost.db")
        for beside in there.peer.directory.glob("later.db-*"):
            beside.unlink()
        await there.peer.start()
        await there.hints()
        run = await there.home.ended()
    assert (run["outcome"], there.peer.did) == ("needs_attention", DID)
    assert "its server no longer knows it" in answer(script)


async def test_h4_a_task_whose_time_is_over_is_an_outcome(tmp_path: Path, town: Town) -> None:
    script = Turns([WRITE, says()])
    async with later(tmp_path, town, script, timeout="3s") as there:
        await there.home.ring(opened())
        run = await there.home.ended()
    assert run["outcome"] == "needs_attention"
    assert "the 0:00:03 that the playbook waits for it are over" in answer(script)


async def test_h4_a_cancelled_run_asks_its_server_to_stop_and_a_late_result_changes_nothing(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([WRITE, says()])
    async with later(tmp_path, town, script) as there:
        await there.home.ring(opened())
        run = await there.begun()
        await there.home.say("cancel", run["id"])
        run = await there.home.ended()
        assert there.peer.did == [*DID, "called off write_later"]
        assert await there.peer.tells("completed", "too late") == "late"
        handle = await there.handle()
    assert (run["outcome"], handle.status, handle.ended_at is not None) == (
        "cancelled",
        "cancelled",
        True,
    )
    assert [call["state"] for call in run["tool_calls"]] == ["unknown"]


async def test_h4_what_is_done_before_it_can_be_stopped_is_written_down_beside_the_call(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([WRITE, says()])
    async with later(tmp_path, town, script) as there:
        await there.home.ring(opened())
        run = await there.begun()
        await there.peer.tells("completed", "done, and nobody looked")
        await there.home.say("cancel", run["id"])
        run = await there.home.ended()
        handle = await there.handle()
    assert (run["outcome"], handle.status) == ("cancelled", "completed")
    assert handle.artifact is not None
    assert [call["state"] for call in run["tool_calls"]] == ["unknown"]


async def test_h4_a_superseded_run_calls_its_task_off_and_the_newer_one_has_its_own(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([WRITE, says()])
    rule = RULE.replace("  stage:", "  flow: {mode: supersede}\n  stage:")
    async with later(tmp_path, town, script, rule=rule) as there:
        await there.home.ring(opened())
        await there.begun()
        await there.home.ring(opened())
        await there.home.until(lambda: len(there.peer.did) == len(SUPERSEDED), "the newer call")
        first, second = await there.home.runs()
        await there.home.until(lambda: _waits(there.home, second["id"]), "the newer wait")
        await there.peer.tells("completed", "written, at last")
        await there.hints()
        runs = await there.home.settled("ended", 2)
    assert there.peer.did == SUPERSEDED
    assert [run["outcome"] for run in runs] == ["superseded", "completed"]
    assert [run["id"] for run in runs] == [first["id"], second["id"]]


async def _waits(home: House, run_id: str) -> bool:
    return bool((await home.run(run_id))["state"] == "waiting")


async def test_h4_two_tasks_of_one_turn_end_each_at_its_own_time_across_a_continue_as_new(
    tmp_path: Path, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Turns([uses(*WRITE.blocks, *READ.blocks), says()])
    async with later(tmp_path, town, script, 2.0) as there:
        await there.home.ring(opened())
        await there.begun()
        await there.home.until(lambda: len(there.peer.did) == len(BOTH), "both calls")
        # The newest is told first; the other is found by its timer.
        monkeypatch.setattr(parking, "HISTORY_LIMIT", 10)
        await there.peer.tells("completed", "the newest")
        await there.home.until(lambda: _ended_calls(there.home, 1), "one end")
        (there.peer.directory / "newest").write_text((there.peer.directory / "first").read_text())
        await there.peer.tells("completed", "the first")
        run = await there.home.ended()
    said = list(results(script.asked[-1]).values())
    assert (run["outcome"], run["turns"], sorted(there.peer.did)) == ("completed", 2, BOTH)
    assert sorted(text for text in ("the newest", "the first") if text in str(said)) == [
        "the first",
        "the newest",
    ]


async def _ended_calls(home: House, count: int) -> bool:
    (run,) = await home.runs()
    return sum(call["state"] == "done" for call in run["tool_calls"]) == count
