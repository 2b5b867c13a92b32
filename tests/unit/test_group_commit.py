"""Group commit: one commit for all that queue, an answer only after it, and no item suffers for another."""

import asyncio
from datetime import UTC, datetime

import pytest

from orchestrator.database import DatabaseError, DatabaseUnavailable
from orchestrator.errors import Reason
from orchestrator.inbox.batches import MOST, Batches, Overloaded
from orchestrator.inbox.group_commit import GroupCommit, RefusalLog
from orchestrator.inbox.inbox import Arrival, Kept, Refusal


class Disk:
    """Commits what it is given once its gate is open; items that are negative can't be written."""

    def __init__(self):
        self.commits, self.begun, self.gate = [], asyncio.Event(), asyncio.Event()
        self.gate.set()
        self.error = None

    async def commit(self, items):
        self.begun.set()
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        if any(item < 0 for item in items):
            raise DatabaseError("a value was refused")
        self.commits.append(list(items))
        return [f"kept {item}" for item in items]


async def busy(disk, batches):
    """A commit under way, so that what comes now queues."""
    disk.gate.clear()
    first = asyncio.create_task(batches.put(0))
    await disk.begun.wait()
    return first


def put_all(batches, items):
    return [asyncio.create_task(batches.put(item)) for item in items]


async def test_d2_what_queues_while_a_commit_runs_is_the_next_batch():
    disk = Disk()
    async with Batches(disk.commit) as batches:
        first = await busy(disk, batches)
        tasks = put_all(batches, range(1, 6))
        await asyncio.sleep(0)
        assert not any(task.done() for task in [first, *tasks])
        disk.gate.set()

        assert await asyncio.gather(*tasks) == [f"kept {n}" for n in range(1, 6)]
    assert disk.commits == [[0], [1, 2, 3, 4, 5]]


async def test_a_batch_is_bounded():
    disk = Disk()
    async with Batches(disk.commit) as batches:
        await busy(disk, batches)
        tasks = put_all(batches, range(1, MOST + 11))
        await asyncio.sleep(0)
        disk.gate.set()
        await asyncio.gather(*tasks)

    assert [len(commit) for commit in disk.commits] == [1, MOST, 10]


async def test_one_poisoned_item_fails_alone():
    disk = Disk()
    async with Batches(disk.commit) as batches:
        await busy(disk, batches)
        tasks = put_all(batches, [1, -2, 3])
        await asyncio.sleep(0)
        disk.gate.set()
        answers = await asyncio.gather(*tasks, return_exceptions=True)

    assert (answers[0], answers[2]) == ("kept 1", "kept 3")
    assert isinstance(answers[1], DatabaseError)


async def test_d5_a_disk_that_is_gone_is_asked_once_and_all_are_told():
    disk = Disk()
    async with Batches(disk.commit) as batches:
        await busy(disk, batches)
        tasks = put_all(batches, [1, 2, 3])
        await asyncio.sleep(0)
        disk.error = DatabaseUnavailable("gone")
        disk.gate.set()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(answer is disk.error for answer in answers)

        disk.error = None
        assert await batches.put(4) == "kept 4"


async def test_a_bug_in_the_commit_reaches_the_asker_and_the_next_one_is_served():
    disk = Disk()
    async with Batches(disk.commit) as batches:
        disk.error = KeyError("bug")
        with pytest.raises(KeyError):
            await batches.put(1)
        disk.error = None

        assert await batches.put(2) == "kept 2"


async def test_d5_a_full_queue_defers_and_evicts_nothing():
    disk = Disk()
    async with Batches(disk.commit, room=2) as batches:
        await busy(disk, batches)
        tasks = put_all(batches, [1, 2])
        await asyncio.sleep(0)
        with pytest.raises(Overloaded) as caught:
            await batches.put(3)
        assert caught.value.reason is Reason.OVERLOADED
        disk.gate.set()

        assert await asyncio.gather(*tasks) == ["kept 1", "kept 2"]


async def test_d5_heavy_items_fill_the_queue_sooner_but_one_always_fits():
    disk = Disk()
    async with Batches(disk.commit, weigh=lambda item: item, heaviest=10) as batches:
        assert await batches.put(50) == "kept 50"
        await busy(disk, batches)
        tasks = put_all(batches, [6])
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await batches.put(5)
        disk.gate.set()
        await asyncio.gather(*tasks)

        assert await batches.put(9) == "kept 9"


async def test_s2_leaving_commits_what_is_queued_and_takes_no_more():
    disk = Disk()
    async with Batches(disk.commit) as batches:
        await busy(disk, batches)
        tasks = put_all(batches, [1, 2])
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(disk.gate.set)

    assert [task.result() for task in tasks] == ["kept 1", "kept 2"]
    with pytest.raises(Overloaded):
        await batches.put(3)


async def test_leaving_without_having_been_asked_ends_at_once():
    async with Batches(Disk().commit):
        pass


async def test_who_goes_away_while_queued_is_not_written_and_hurts_nobody():
    disk = Disk()
    async with Batches(disk.commit) as batches:
        first = await busy(disk, batches)
        gone, stays = put_all(batches, [1, 2])
        await asyncio.sleep(0)
        gone.cancel()
        first.cancel()
        await asyncio.sleep(0)
        disk.gate.set()

        assert await stays == "kept 2"
    assert disk.commits == [[0], [2]]


class Inbox:
    """Remembers what it was asked to keep and to refuse."""

    def __init__(self):
        self.kept, self.refused = [], []

    async def keep(self, arrivals):
        self.kept += arrivals
        return [Kept(arrival.id) for arrival in arrivals]

    async def refuse_all(self, refusals):
        self.refused += refusals

    async def backlog(self, _source):
        return 0


async def test_the_door_keeps_and_refuses_through_it():
    now = datetime(2026, 11, 21, tzinfo=UTC)
    arrival = Arrival(
        id="e1",
        source="github",
        delivery_id=None,
        type="ping",
        subject=None,
        actor=None,
        keys=(),
        headers={},
        body=b"{}",
        received_at=now,
        dedupe_body=False,
    )
    refusal = Refusal(at=now, source="x", reason=Reason.STALE, detail="", headers=())
    inbox = Inbox()
    async with GroupCommit(inbox) as commit, RefusalLog(inbox) as log:
        assert await commit.keep(arrival) == Kept("e1")
        await log.refuse(refusal)

    assert (inbox.kept, inbox.refused) == ([arrival], [refusal])
