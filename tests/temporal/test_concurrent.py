"""R3: of a limited rule only so many runs are open at once; the others wait in the inbox, in order, and all act."""

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.ledger import conversations
from tests.support.house import Files, House, house, opened
from tests.support.scripts import Turns, says, use, uses, wait
from tests.support.town import Town, kill

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(120)]

LIMITED = replace(Files(), rule=Files().rule.rstrip("\n") + "\n  limits: {concurrent: 2}\n")


def keys(home: House, count: int) -> list[object]:
    """So many events, each of an issue of its own."""
    return [home.arrival(opened(n, action="labeled")) for n in range(count)]


async def states(home: House) -> list[str]:
    """How every run stands, in one read: between two, one may have made room for the next."""
    found = await home.stores.ledger.read(conversations.newest, 100)
    return [str(one.state) for one in found]


async def test_r3_of_six_runs_only_two_are_open_at_once_and_all_end(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(use("slow_read", seconds=1)), says()])
    async with house(tmp_path, town, script, LIMITED) as home:
        most = 0

        async def over() -> bool:
            nonlocal most
            now = await states(home)
            most = max(most, now.count("running"))
            return now == ["ended"] * 6

        ids = await home.keep(*keys(home, 6))
        await home.until(over, "all six ended")
        runs = await home.runs()
    assert most == 2
    assert sorted(event for run in runs for event in run["events"]) == sorted(ids)


async def test_r3_a_run_that_waits_for_days_leaves_its_slot_to_others(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(wait("github/issue_comment.created")), says()])
    async with house(tmp_path, town, script, LIMITED) as home:
        await home.keep(*keys(home, 5))
        runs = await home.settled("waiting", count=5)
    assert len(runs) == 5


QUEUED = replace(
    Files(mode="queue"), rule=Files().rule.rstrip("\n") + "\n  limits: {concurrent: 1}\n"
)


async def test_r3_a_queued_conversation_asks_again_for_a_slot_also_after_its_worker_was_killed(
    tmp_path: Path, town: Town
) -> None:
    """One slot; an event of one key, one of another, and one of the first again: each has its turn, one at a time."""
    script = Turns([uses(use("slow_read", seconds=1)), says()])
    most = 0
    async with house(tmp_path, town, script, QUEUED, working=False) as home:

        async def over() -> bool:
            nonlocal most
            now = await states(home)
            most = max(most, now.count("running"))
            return now == ["ended"] * 3

        ids = await home.keep(home.arrival(opened(1, action="labeled", note="one")))
        async with home.worker() as first:
            await home.until(lambda: home.executed("slow_read"), "the first conversation")
            for number in (2, 1):
                ids += await home.keep(home.arrival(opened(number, action="labeled", note="more")))
            await home.until(lambda: begun(home, 2), "the second conversation")
            await kill(first)
        async with home.worker():
            await home.until(over, "all three ended")
        runs = await home.runs()
    assert most == 1
    assert [run["events"] for run in runs] == [[one] for one in ids]
    assert {run["outcome"] for run in runs} == {"completed"}


async def begun(home: House, count: int) -> bool:
    return len(await home.runs()) >= count
