"""A1: kill -9 of a worker at any instant: the same run goes on in the same conversation, and nothing is done twice."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.house import House, commented, house, opened
from tests.support.scripts import Once, Turns, says, use, uses, wait
from tests.support.town import Town, kill

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(90)]

FOREVER = 600.0
COMMENT = use("write_thing", body="Thank you.")


async def finished(home: House) -> dict[str, Any]:
    """The only run, once it ended well, with its one comment."""
    run = await home.ended()
    assert run["outcome"] == "completed", run
    assert home.executed("write_thing") == ["write_thing Thank you."]
    assert [run["id"] for run in await home.runs()] == [run["id"]]
    return run


async def test_a1_a_worker_killed_while_a_model_turn_is_in_flight_asks_that_turn_again(
    tmp_path: Path, town: Town
) -> None:
    slow = Once(says("never heard", delay=FOREVER), says())
    script = Turns([uses(COMMENT), slow])
    async with house(tmp_path, town, script, working=False) as home:
        await home.ring(opened())
        async with home.worker() as first:
            await home.until(lambda: slow.seen, "the second turn")
            await kill(first)
        async with home.worker():
            run = await finished(home)
    assert run["turns"] == 2
    assert script.asked_for(0) == 1
    assert run["spent"]["assumed_attempts"] == 1


async def test_a1_a_reply_that_was_recorded_when_the_worker_died_is_never_paid_twice(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(COMMENT), says()])
    async with house(tmp_path, town, script, working=False) as home:
        hold = home.directory / "hold"
        hold.touch()
        await home.ring(opened())
        async with home.worker(HOLD=str(hold), HOLD_AT="replied") as first:
            await home.until(hold.with_suffix(".held").exists, "the recorded reply")
            await kill(first)
        async with home.worker():
            run = await finished(home)
    assert [script.asked_for(turn) for turn in range(2)] == [1, 1]
    assert run["spent"]["assumed_attempts"] == 0


async def test_a1_a_worker_killed_while_a_tool_reads_makes_the_call_again(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(COMMENT), uses(use("slow_read", seconds=4)), says()])
    async with house(tmp_path, town, script, working=False) as home:
        await home.ring(opened())
        async with home.worker() as first:
            await home.until(lambda: home.executed("slow_read"), "the call")
            await kill(first)
        async with home.worker():
            run = await finished(home)
    assert home.executed("slow_read") == ["slow_read", "slow_read"]
    comment, read = (call["attempts"] for call in run["tool_calls"])
    assert comment == 1 < read
    assert [script.asked_for(turn) for turn in range(3)] == [1, 1, 1]


async def test_a1_a_wait_of_which_only_the_ledger_knew_when_the_worker_died_is_ended_by_its_event(
    tmp_path: Path, town: Town
) -> None:
    """Its event is in the mailbox before the run, which plays its last steps again, comes to its wait."""
    script = Turns([uses(COMMENT), uses(wait("github/issue_comment.created")), says()])
    async with house(tmp_path, town, script, working=False) as home:
        hold = home.directory / "hold"
        hold.touch()
        await home.ring(opened())
        async with home.worker(HOLD=str(hold), HOLD_AT="waiting") as first:
            await home.until(hold.with_suffix(".held").exists, "the wait")
            event_id = await home.ring(commented("here are the steps"), "issue_comment")
            await home.until(lambda: delivered(home, event_id), "its wake-up")
            await kill(first)
        async with home.worker():
            run = await finished(home)
    assert len(run["events"]) == 2
    assert str(script.asked[-1]["messages"]).count("here are the steps") == 1


async def delivered(home: House, event_id: str) -> bool:
    found = await home.stores.inbox.decisions([event_id])
    return any(one.wait_id and str(one.state) == "delivered" for one in found[event_id])


async def test_a1_a_worker_killed_while_its_run_waits_is_woken_all_the_same(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(COMMENT), uses(wait("github/issue_comment.created")), says()])
    async with house(tmp_path, town, script, working=False) as home:
        await home.ring(opened())
        async with home.worker() as first:
            before = await home.one("waiting")
            await kill(first)
        await home.ring(commented("here are the steps"), "issue_comment")
        async with home.worker():
            run = await finished(home)
    assert run["id"] == before["id"]
    assert len(run["events"]) == 2
    assert "here are the steps" in str(script.asked[-1]["messages"])
