"""Killed anywhere, we are subscribed as before: a grant is found again, and nothing acknowledged is lost."""

import asyncio
import json
import signal
import sys
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.agent.hands.events import Events
from orchestrator.database import Database, sqlite_url
from orchestrator.inbox import subscriptions
from orchestrator.inbox.schema import MIGRATIONS
from orchestrator.inbox.sql import SqlInbox
from orchestrator.settings import environment
from orchestrator.state import StateDirectory
from tests.support.event_server import NAME, tickets
from tests.support.mortal import KilledError
from tests.support.ports import free_port
from tests.support.subscribed import ENVIRONMENT, blocking, post, sources
from tests.support.whole import NOBODY, ROOT

LOOK = 0.05
ENDED = {"type": "terminated", "error": {"code": 1, "message": "bye"}}


class Dying(Events):
    """Asks the server, and dies before anybody hears what it said."""

    async def subscribe(self, server, asked, *, look):
        await super().subscribe(server, asked, look=look)
        raise KilledError


async def test_a1_killed_between_the_grant_and_its_row_it_asks_again_and_gets_the_same(tmp_path):
    port = free_port()
    async with tickets(tmp_path) as desk:
        async with post(tmp_path, desk.url, asks=Dying(), port=port) as there:
            with pytest.raises(KilledError):
                await there.step()
            assert (await there.row()).id is None
            (granted,) = desk.subscriptions()
        async with post(tmp_path, desk.url, port=port) as there:
            assert await there.step() == 0, "the dead one's lease holds"
            assert (await there.row()).id is None
            await there.database.write(subscriptions.free)
            await there.step()
            assert (await there.row()).id == granted["id"]
        assert len(desk.subscriptions()) == 1


async def test_a1_killed_after_a_word_was_noted_and_before_it_was_kept_the_word_comes_again(
    tmp_path,
):
    async with tickets(tmp_path) as desk, post(tmp_path, desk.url) as there:
        await there.step()
        row = await there.row()
        await there.database.write(subscriptions.ended, row.mark, "bye", there.now(), _now_for)
        assert await blocking(desk.word, ENDED, "msg_1") == 202
        await there.step()
        assert (await there.row()).id == row.id
        assert await there.types() == ["mcp/terminated"]


def _now_for(_troubles):
    return datetime.now(UTC)


async def test_d2_a_word_that_overtakes_the_grant_is_not_forgotten_for_it(tmp_path):
    class Slow(Events):
        async def subscribe(self, server, asked, *, look):
            granted = await super().subscribe(server, asked, look=look)
            if len(desk.asked) == 1:
                assert await blocking(desk.word, ENDED, "msg_1") == 202
            return granted

    async with tickets(tmp_path) as desk, post(tmp_path, desk.url, asks=Slow()) as there:
        await there.step()
        assert (await there.row()).id is None
        await there.step()
        assert (await there.row()).active(there.now())
    assert len(desk.asked) == 2


@pytest.mark.timeout(300)
async def test_a1_the_service_killed_and_started_again_is_rung_as_before(tmp_path):
    port = free_port()
    url = f"http://127.0.0.1:{port}/hooks/tickets"
    async with tickets(tmp_path) as desk:
        _write(tmp_path, sources(url), desk.url)
        async with asyncio.timeout(120), _serving(tmp_path, port) as service:
            row = await _ready(tmp_path, _active)
            assert (await blocking(desk.tell, "T-1", event_id="evt_1"))["delivered"] == 1
            assert await blocking(desk.word, ENDED, "msg_1") == 202
            asked_again = await _ready(
                tmp_path, lambda one: _active(one) and one.reason is not None
            )
            assert (asked_again.id, asked_again.reason) == (row.id, "terminated")
            service.send_signal(signal.SIGKILL)
            await service.wait()
        assert (await blocking(desk.tell, "T-2", event_id="evt_2"))["delivered"] == 0
        async with asyncio.timeout(120), _serving(tmp_path, port):
            again = await _ready(tmp_path, _active)
            later = datetime.now(UTC) + timedelta(hours=1)
            desk.events.clock = later.timestamp
            assert (await blocking(desk.events.deliver_pending))["delivered"] == 1
        assert again.id == row.id
        assert len(desk.subscriptions()) == 1
        assert await _kept(tmp_path) == ["evt_1", "evt_2"]


@pytest.mark.timeout(180)
async def test_a_service_that_is_not_let_in_says_why_in_its_row(tmp_path):
    port = free_port()
    url = f"http://127.0.0.1:{port}/hooks/tickets"
    async with tickets(tmp_path) as desk:
        desk.refuses = [(-32024, "Forbidden", {"reason": "no such scope"})] * 100
        _write(tmp_path, sources(url), desk.url)
        async with asyncio.timeout(120), _serving(tmp_path, port):
            row = await _ready(tmp_path, lambda one: one.troubles > 0)
    assert (row.reason, row.error) == ("forbidden", "Forbidden: no such scope (-32024)")


@asynccontextmanager
async def _serving(directory, port):
    """The service as a process of its own, without Temporal."""
    line = ["-m", "orchestrator", "serve", "--port", str(port), "--temporal", NOBODY]
    with (directory / "said").open("ab") as said:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *line,
            cwd=directory,
            env={**environment(), "PYTHONPATH": str(ROOT), **ENVIRONMENT},
            stdout=said,
            stderr=said,
        )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _ready(directory, holds):
    """Its row as soon as that holds of it, once the door listens."""
    state = StateDirectory(directory / ".doorbell")
    while state.addresses() is None:  # noqa: ASYNC110 - another process
        await asyncio.sleep(LOOK)
    return await _until(directory, holds)


def _active(row):
    return row.active(datetime.now(UTC))


def _write(directory, text, server):
    there = directory / "doorbell.d"
    there.mkdir()
    (there / "sources.yaml").write_text(text)
    (there / "servers.yaml").write_text(f"crm: {{url: {json.dumps(server)}}}\n")


async def _until(directory, holds):
    database = _database(directory)
    try:
        while True:
            for row in await database.read(subscriptions.everything):
                if holds(row):
                    return row
            await asyncio.sleep(LOOK)
    finally:
        database.close()


async def _kept(directory):
    database = _database(directory)
    found = await SqlInbox(database).entries(100)
    database.close()
    return sorted(one.delivery_id for one in found if one.type == NAME)


def _database(directory):
    return Database.open(sqlite_url(StateDirectory(directory / ".doorbell").inbox), MIGRATIONS)
