"""Overload and a full disk: the sender is told to come again, nothing is kept, nothing is lost, nothing is parsed."""

import asyncio
import random
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

import httpx2
import pytest
import structlog
from sqlalchemy import event

from orchestrator.database import Database, DatabaseUnavailable, sqlite_url
from orchestrator.doorbell.app import build
from orchestrator.doorbell.health import Readiness
from orchestrator.doorbell.receive import door
from orchestrator.inbox.backlog import RECOUNT, Backlog
from orchestrator.inbox.batches import Overloaded
from orchestrator.inbox.group_commit import GroupCommit, RefusalLog
from orchestrator.inbox.schema import MIGRATIONS
from orchestrator.inbox.sql import SqlInbox
from orchestrator.secrets import Secret
from orchestrator.signatures import github
from tests.support.asgi import serving
from tests.support.builders import NOW, source
from tests.support.told import told

SECRET = b"It's a Secret to Everybody"


def issue(n):
    """A payload that can't be packed small, so that it needs room of its own."""
    noise = random.Random(n).randbytes(2000).hex()
    return f'{{"action": "opened", "issue": {{"number": {n}}}, "noise": "{noise}"}}'.encode()


class Inbox:
    """Counts what waits, slowly if its gate is shut; `counted` is how often it was asked."""

    def __init__(self, waiting=0):
        self.waiting, self.counted, self.gate, self.error = waiting, 0, asyncio.Event(), None
        self.gate.set()

    async def count(self, _source):
        self.counted += 1
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return self.waiting


@dataclass
class Ticks:
    time: float = 0.0

    def __call__(self):
        return self.time


async def let_in(backlog, many, name="a"):
    """How many of so many, one after the other, are let in."""
    inside = 0
    for _ in range(many):
        try:
            place = await backlog.enter(name)
        except Overloaded:
            continue
        backlog.leave(place)
        inside += 1
    return inside


async def test_d5_a_backlog_lets_in_exactly_what_its_limit_leaves_room_for():
    inbox = Inbox(waiting=7)

    assert await let_in(Backlog(inbox.count, lambda _name: 10, Ticks()), 5) == 3


async def test_a_source_without_a_limit_is_never_counted():
    inbox = Inbox(waiting=10**9)

    assert await let_in(Backlog(inbox.count, lambda _name: None, Ticks()), 50) == 50
    assert inbox.counted == 0


async def test_counting_is_rare_while_there_is_room_and_bounded_while_there_is_none():
    inbox, ticks = Inbox(), Ticks()
    backlog = Backlog(inbox.count, lambda _name: 100, ticks)

    assert await let_in(backlog, 100) == 100
    assert inbox.counted == 1
    inbox.waiting = 100
    ticks.time += RECOUNT
    assert await let_in(backlog, 1000) == 0
    assert inbox.counted == 2


async def test_d5_a_backlog_that_was_worked_off_lets_in_again():
    inbox, ticks = Inbox(waiting=10), Ticks()
    backlog = Backlog(inbox.count, lambda _name: 10, ticks)

    assert await let_in(backlog, 3) == 0
    inbox.waiting = 8
    assert await let_in(backlog, 3) == 0
    ticks.time += RECOUNT
    assert await let_in(backlog, 3) == 2


async def test_sources_do_not_share_a_backlog():
    inbox = Inbox()
    backlog = Backlog(inbox.count, {"a": 1, "b": 2}.get, Ticks())

    assert [await let_in(backlog, 5, name) for name in "ab"] == [1, 2]


async def test_what_is_on_its_way_to_the_disk_counts_too():
    inbox, ticks = Inbox(), Ticks()
    backlog = Backlog(inbox.count, lambda _name: 2, ticks)

    for _ in range(2):
        await backlog.enter("a")
    ticks.time += RECOUNT
    assert await let_in(backlog, 1) == 0


async def test_many_that_come_at_once_are_counted_once():
    inbox = Inbox()
    inbox.gate.clear()
    backlog = Backlog(inbox.count, lambda _name: 5, Ticks())
    tasks = [asyncio.create_task(let_in(backlog, 1)) for _ in range(50)]
    await asyncio.sleep(0)
    inbox.gate.set()

    assert sum(await asyncio.gather(*tasks)) == 5
    assert inbox.counted == 1


async def test_a_count_that_fails_lets_nobody_in_and_is_asked_again():
    inbox = Inbox()
    backlog = Backlog(inbox.count, lambda _name: 5, Ticks())
    inbox.error = DatabaseUnavailable("gone")
    with pytest.raises(DatabaseUnavailable):
        await let_in(backlog, 1)
    inbox.error = None

    assert await let_in(backlog, 9) == 5


class House:
    """A door on a real socket; `limit` is every source's backlog."""

    def __init__(self, http, database, read):
        self.http, self.database, self.read = http, database, read
        self.inbox = SqlInbox(database)

    async def ring(self, n, secret=SECRET):
        body = issue(n)
        headers = {"x-github-event": "issues", "x-github-delivery": f"d{n}"}
        return await self.http.post(
            "/hooks/github", content=body, headers=headers | github.sign(secret, body)
        )

    async def rung(self, *numbers):
        return [(await self.ring(n)).status_code for n in numbers]

    async def kept(self):
        return [entry.delivery_id for entry in await self.inbox.entries(10_000)]


class Reads:
    """GitHub's dialect; remembers what it was given to read."""

    def __init__(self, dialect):
        self.dialect, self.bodies = dialect, []

    def read(self, headers, body):
        self.bodies.append(body)
        return self.dialect.read(headers, body)


@asynccontextmanager
async def house(directory, limit=None):
    database = Database.open(sqlite_url(directory / "inbox.db"), MIGRATIONS)
    inbox, ids = SqlInbox(database), iter(range(10_000))
    reads = Reads(source().dialect)
    ours = replace(source(), secrets=(Secret("env:X", SECRET.decode()),), dialect=reads)
    log = structlog.wrap_logger(structlog.PrintLogger(), processors=[_drop])
    async with GroupCommit(inbox, lambda _name: limit) as keeps, RefusalLog(inbox) as remembers:
        knock = door(
            lambda: {"github": ours},
            keeps,
            remembers.refuse,
            lambda: NOW,
            lambda: f"e{next(ids)}",
            told(log),
        )
        app = build(knock, Readiness(inbox.pulse, lambda: NOW), _status, log)
        async with (
            serving(app) as url,
            httpx2.AsyncClient(base_url=url, timeout=20, verify=False) as http,
        ):
            yield House(http, database, reads.bodies)
    database.close()


def _drop(_logger, _method, _event):
    raise structlog.DropEvent


async def _status():
    return {}


async def test_d5_over_the_limit_a_source_is_deferred_kept_nowhere_and_not_marked_as_seen(tmp_path):
    async with house(tmp_path, limit=3) as home:
        assert await home.rung(1, 2, 3) == [202] * 3

        deferred = await home.ring(4)

        assert (deferred.status_code, deferred.headers["retry-after"]) == (503, "5")
        assert await home.kept() == ["d3", "d2", "d1"]
        assert await home.inbox.refusals(10) == []


async def test_d5_a_deferred_delivery_is_kept_once_the_backlog_is_worked_off(tmp_path):
    async with house(tmp_path, limit=2) as home:
        assert await home.rung(1, 2, 3) == [202, 202, 503]
        for entry in await home.inbox.undecided(10):
            await home.inbox.decide(entry.id, [], NOW)

        async with asyncio.timeout(10):
            while (again := await home.ring(3)).status_code != 202:
                pass

        assert again.json()["status"] == "kept"
        assert await home.kept() == ["d3", "d2", "d1"]


async def test_d7_an_unsigned_flood_is_refused_before_anything_is_parsed(tmp_path):
    async with house(tmp_path, limit=1) as home:
        flood = [home.ring(n, secret=b"no idea") for n in range(200)]
        statuses = {answer.status_code for answer in await asyncio.gather(*flood)}

        assert statuses == {401}
        assert home.read == []
        assert await home.kept() == []
        assert await home.rung(1) == [202]


class Disk:
    """The disk below a database: full at so many pages of 4 KiB, until somebody makes room."""

    def __init__(self, database):
        self.pages = 2**30
        event.listen(database.engine, "begin", self.limit)

    def limit(self, connection):
        connection.exec_driver_sql(f"PRAGMA max_page_count={self.pages}")

    async def fill(self, home):
        self.pages = 1  # SQLite takes that for "as many as there are now"
        for n in range(1000, 2000):
            if (await home.ring(n)).status_code != 202:
                return
        raise AssertionError("the disk never became full")


async def test_d5_a_full_disk_answers_503_never_2xx_and_recovers_by_itself(tmp_path):
    async with house(tmp_path) as home:
        disk = Disk(home.database)
        assert await home.rung(1) == [202]
        await disk.fill(home)
        before = await home.kept()

        refused = [await home.ring(n) for n in range(2000, 2020)]
        # What is small may still find a place in a page that is there: then it is a 202, and it is kept.
        accepted = [answer for answer in refused if answer.status_code == 202]
        deferred = [answer for answer in refused if answer.status_code == 503]
        assert len(deferred) + len(accepted) == 20
        assert deferred
        assert {answer.headers["retry-after"] for answer in deferred} == {"5"}
        assert len(await home.kept()) == len(before) + len(accepted)

        disk.pages = 2**30
        assert await home.rung(*range(2000, 2020)) == [202] * 20
        assert len(await home.kept()) == len(before) + 20
        assert (await home.http.get("/ready")).status_code == 200


async def test_d5_pruning_makes_room_on_a_full_disk(tmp_path):
    async with house(tmp_path) as home:
        assert set(await home.rung(*range(60))) == {202}
        for entry in await home.inbox.undecided(40):
            await home.inbox.decide(entry.id, [], NOW)
        disk = Disk(home.database)
        await disk.fill(home)
        old = await home.inbox.prunable("github", NOW + timedelta(days=1), 40)

        assert await home.inbox.prune([entry.id for entry in old]) == 40
        assert await home.rung(3000) == [202]
