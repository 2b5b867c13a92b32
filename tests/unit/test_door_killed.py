"""The door as a process of its own, killed in the middle of a burst: what it acknowledged is on disk, once."""

import asyncio
import json
import multiprocessing
import random
import signal
from collections import Counter

import pytest

from orchestrator.database import Database, sqlite_url
from orchestrator.inbox.schema import MIGRATIONS
from orchestrator.inbox.sql import SqlInbox
from tests.support import door_server
from tests.support.knocking import knock, reachable, request
from tests.support.ports import free_port
from tests.support.postgres import installed

BURST = 600
"""Deliveries of one round: more than any round lets through."""

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.support.door_server"])


def body(delivery):
    payload = {"action": "opened", "issue": {"number": 7}, "delivery": delivery, "x": "y" * 4000}
    return json.dumps(payload).encode()


def signed(delivery):
    return request(body(delivery), door_server.SECRET, delivery)


@pytest.fixture
async def start():
    """Start a door on a database; every one still alive at the end is killed."""
    running = []

    async def started(url, *words):
        port = free_port()
        process = FORKS.Process(target=door_server.run, args=(url, port, *words), daemon=True)
        process.start()
        running.append(process)
        await reachable(port)
        return process, port

    yield started
    for process in running:
        process.kill()
        await ended(process)


async def ended(process):
    await asyncio.to_thread(process.join, 15)
    return process.exitcode


async def kept(url, limit=100_000):
    """How often each of the newest deliveries is in the inbox."""
    database = Database.open(url, MIGRATIONS)
    entries = await SqlInbox(database).entries(limit)
    database.close()
    return Counter(entry.delivery_id for entry in entries)


async def killed_again_and_again(start, url, rounds):
    """Bursts that each end by SIGKILL at another moment; begins with what the last one may have lost."""
    acknowledged, chance = [], random.Random(7)
    for n in range(rounds):
        process, port = await start(url)
        after = chance.randint(1, 200)

        def kill(tally, process=process, after=after):
            if len(tally.acknowledged) == after:
                process.kill()

        again = acknowledged[-20:]
        tally = await knock(port, [*again, *(f"d{n}-{m}" for m in range(BURST))], signed, 32, kill)
        assert await ended(process) == -signal.SIGKILL
        assert after <= len(tally.acknowledged) < BURST
        assert set(tally.acknowledged) <= set(await kept(url, 2 * BURST))
        acknowledged += tally.acknowledged
    return set(acknowledged)


@pytest.mark.timeout(180)
async def test_d2_fifty_sigkills_in_the_middle_of_a_burst_lose_nothing_acknowledged(
    start, tmp_path
):
    url = sqlite_url(tmp_path / "inbox.db")

    acknowledged = await killed_again_and_again(start, url, 50)

    found = await kept(url)
    assert acknowledged <= set(found)
    assert set(found.values()) == {1}


@pytest.mark.timeout(120)
async def test_d2_on_postgres_ten_sigkills_lose_nothing_acknowledged(start, postgres):
    with postgres.database() as url:
        acknowledged = await killed_again_and_again(start, url, 10)

        found = await kept(url)
        assert acknowledged <= set(found)
        assert set(found.values()) == {1}


async def test_d2_when_postgres_itself_crashes_the_door_defers_and_recovers_by_itself(start):
    with installed(fsync=True) as server:
        url = server.url("postgres")
        _, port = await start(url)

        def crash(tally):
            if len(tally.acknowledged) == 100:
                server.crash()

        ids = [f"d{n}" for n in range(400)]
        first = await knock(port, ids, signed, 16, crash)
        server.start()
        second = await knock(port, ids, signed, 16)

        assert first.refused
        assert all(b" 503 " in head and b"retry-after: 5" in head.lower() for head in first.refused)
        assert sorted(second.acknowledged) == sorted(ids)
        assert await kept(url) == Counter(ids)


async def test_d3_what_is_sent_again_after_a_crash_is_named_a_duplicate(start, tmp_path):
    url = sqlite_url(tmp_path / "inbox.db")
    process, port = await start(url)
    await knock(port, ["d1"], signed, 1)
    process.kill()
    await ended(process)

    _, port = await start(url)
    tally = await knock(port, ["d1", "d2"], signed, 1)

    assert tally.acknowledged == ["d1", "d2"]
    assert await kept(url) == {"d1": 1, "d2": 1}


async def test_s2_sigterm_ends_the_door_and_keeps_what_it_acknowledged(start, tmp_path):
    url = sqlite_url(tmp_path / "inbox.db")
    process, port = await start(url)

    def stop(tally):
        if len(tally.acknowledged) == 50:
            process.terminate()

    tally = await knock(port, [f"d{n}" for n in range(3000)], signed, 8, stop)

    assert await ended(process) == 0
    assert set(tally.acknowledged) <= set(await kept(url))


@pytest.mark.parametrize("on", ["sqlite", "postgres"])
async def test_two_doors_on_one_database_keep_one_of_each(on, start, tmp_path, postgres):
    """On SQLite a second door is refused by the state directory; were it not, the file would still hold."""
    with postgres.database() as made:
        url = sqlite_url(tmp_path / "inbox.db") if on == "sqlite" else made
        doors = [await start(url) for _ in range(2)]
        ids = [f"d{n}" for n in range(200)]

        tallies = await asyncio.gather(*[knock(port, ids, signed, 4) for _, port in doors])

        assert [len(tally.acknowledged) for tally in tallies] == [200, 200]
        assert await kept(url) == Counter(ids)
