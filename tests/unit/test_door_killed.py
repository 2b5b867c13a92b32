"""The door as a process of its own, killed in the middle of a burst: what it acknowledged is on disk."""

import asyncio
import json
import signal
import socket
import sys
from pathlib import Path

import pytest

from orchestrator.database import Database, sqlite_url
from orchestrator.inbox.schema import MIGRATIONS
from orchestrator.inbox.sql import SqlInbox
from tests.support.door_server import SECRET
from tests.support.knocking import knock, request

ROOT = Path(__file__).parents[2]


def body(delivery):
    payload = {"action": "opened", "issue": {"number": 7}, "delivery": delivery, "x": "y" * 4000}
    return json.dumps(payload).encode()


def signed(delivery):
    return request(body(delivery), SECRET, delivery)


@pytest.fixture
async def start(tmp_path):
    """Start a door on the test's file; every one still alive at the end is killed."""
    running = []

    async def started():
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        command = [sys.executable, "-m", "tests.support.door_server", str(tmp_path / "inbox.db")]
        process = await asyncio.create_subprocess_exec(
            *command, str(port), cwd=ROOT, stdout=asyncio.subprocess.PIPE
        )
        running.append(process)
        assert await process.stdout.readline() == b"listening\n"
        await reachable(port)
        return process, port

    yield started
    for process in running:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def reachable(port):
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.01)
            else:
                writer.close()
                return


async def kept(tmp_path):
    database = Database.open(sqlite_url(tmp_path / "inbox.db"), MIGRATIONS)
    entries = await SqlInbox(database).entries(10_000)
    database.close()
    return {entry.delivery_id for entry in entries}


@pytest.mark.parametrize("after", [1, 150, 400])
async def test_d2_sigkill_in_the_middle_of_a_burst_loses_nothing_acknowledged(
    start, tmp_path, after
):
    process, port = await start()

    def kill(tally):
        if len(tally.acknowledged) == after:
            process.send_signal(signal.SIGKILL)

    tally = await knock(port, [f"d{n}" for n in range(3000)], signed, 32, kill)
    await process.wait()

    assert tally.cut > 0
    assert after <= len(tally.acknowledged) < 3000
    assert set(tally.acknowledged) <= await kept(tmp_path)


async def test_d3_what_is_sent_again_after_a_crash_is_named_a_duplicate(start, tmp_path):
    process, port = await start()
    await knock(port, ["d1"], signed, 1)
    process.kill()
    await process.wait()

    _, port = await start()
    tally = await knock(port, ["d1", "d2"], signed, 1)

    assert tally.acknowledged == ["d1", "d2"]
    assert await kept(tmp_path) == {"d1", "d2"}


async def test_s2_sigterm_ends_the_door_and_keeps_what_it_acknowledged(start, tmp_path):
    process, port = await start()

    def stop(tally):
        if len(tally.acknowledged) == 50:
            process.terminate()

    tally = await knock(port, [f"d{n}" for n in range(3000)], signed, 8, stop)

    assert await asyncio.wait_for(process.wait(), 15) == 0
    assert set(tally.acknowledged) <= await kept(tmp_path)


async def test_two_processes_on_one_file_keep_one_of_each(start, tmp_path):
    """A second door is refused by the state directory; were it not, the file would still hold."""
    doors = [await start() for _ in range(2)]
    ids = [f"d{n}" for n in range(200)]

    tallies = await asyncio.gather(*[knock(port, ids, signed, 4) for _, port in doors])

    assert [len(tally.acknowledged) for tally in tallies] == [200, 200]
    assert await kept(tmp_path) == set(ids)
