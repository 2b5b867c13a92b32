"""The service's side of MCP Events without Temporal: a real door on a real socket, the real loop, an inbox on disk.

async with tickets(tmp_path) as desk, post(tmp_path, desk.url) as there:
    await there.step()                      # what is due is asked now
    await asyncio.to_thread(desk.tell, "T-1")
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import structlog

from orchestrator.agent.hands.events import Events
from orchestrator.agent.hands.subscriptions import AsksForEvents
from orchestrator.configuration.files import Files
from orchestrator.configuration.load import configured
from orchestrator.configuration.reading import Reading
from orchestrator.configuration.reloading import Loaded
from orchestrator.database import Database
from orchestrator.doorbell.receive import Keeps, door
from orchestrator.inbox import subscriptions
from orchestrator.inbox.group_commit import GroupCommit, RefusalLog
from orchestrator.inbox.inbox import Entry
from orchestrator.inbox.schema import MIGRATIONS
from orchestrator.inbox.sql import SqlInbox
from orchestrator.inbox.subscriptions import Subscription
from orchestrator.recovery.indoors import indoors
from orchestrator.subscribing.heeding import Heeding
from orchestrator.subscribing.subscribing import Subscribing
from tests.support.asgi import serving
from tests.support.blanks import inbox_file
from tests.support.builders import Log
from tests.support.ports import free_port
from tests.support.told import told

SECRET = "a root of thirty-two random bytes"
OLDER = "another root of thirty-two bytes!"
ENVIRONMENT = {"TICKETS": SECRET, "TICKETS_OLD": OLDER}


def sources(
    url: str, events: str = "[{name: ticket.updated}]", secrets: str = "env:TICKETS"
) -> str:
    """sources.yaml with one source, whose server calls this URL."""
    return (
        f"tickets:\n  mcp: {{server: crm, url: {url}, events: {events}}}\n"
        f"  secrets: {secrets}\n"
        '  keys: ["ticket:{{ event.data.ticket }}"]\n  subject: "{{ event.data.ticket }}"\n'
    )


def loaded(
    text: str, server: str, number: int = 1, environment: dict[str, str] | None = None
) -> Loaded:
    """The configuration as it comes into force; `server` is the URL of the server crm."""
    texts = {"sources.yaml": text, "servers.yaml": f"crm: {{url: {server}}}\n" if server else ""}
    files = Files(root=Path("doorbell.d"), texts=texts)
    known = ENVIRONMENT if environment is None else environment
    made = configured(files, known, lambda _path: None)
    return Loaded(
        number=number,
        reading=Reading(
            configuration=made, content=b"", texts=texts, beside=frozenset(), made_of=number
        ),
        configuration=made,
        sources=made.sources,
        readable=made.readable(),
        at=datetime.now(UTC),
    )


@dataclass
class Strict(Log):
    """Remembers what was logged; as with the real one, `event` is its own word."""

    def _say(self, event: str, **_: Any) -> None:
        self.said.append(event)

    info = warning = error = exception = _say


@dataclass(kw_only=True)
class Post:
    """What a test does with it. `later` is how far its loop is ahead of the clock."""

    database: Database
    inbox: SqlInbox
    url: str
    server: str
    loaded: Loaded
    log: Any = field(default_factory=Strict)
    told: list[tuple[str, str, str]] = field(default_factory=list)
    later: timedelta = timedelta()
    subscribing: Subscribing | None = None

    def now(self) -> datetime:
        """The loop's clock."""
        return datetime.now(UTC) + self.later

    def say(self, text: str, *, server: str | None = None, **more: Any) -> None:
        """Another configuration comes into force."""
        at = self.server if server is None else server
        self.loaded = loaded(text, at, self.loaded.number + 1, **more)

    async def step(self) -> int:
        """One round of the loop."""
        assert self.subscribing is not None
        return await self.subscribing.step()

    async def rows(self) -> list[Subscription]:
        """All subscriptions."""
        return await self.database.read(subscriptions.everything)

    async def row(self) -> Subscription:
        """The only one."""
        (only,) = await self.rows()
        return only

    async def entries(self) -> list[Entry]:
        """What was kept, oldest first, whole."""
        found = [await self.inbox.entry(one.id) for one in await self.inbox.entries(1000)]
        return [one for one in reversed(found) if one is not None]

    async def types(self) -> list[str]:
        """What was kept, oldest first, by type."""
        return [one.type for one in await self.entries()]

    async def knock(self, headers: dict[str, str], body: Any) -> httpx2.Response:
        """Anything at the door."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with httpx2.AsyncClient(timeout=30) as client:
            return await client.post(self.url, content=raw, headers=headers)

    def outcomes(self) -> list[str]:
        """What was counted."""
        return [outcome for _, outcome, _ in self.told]


@asynccontextmanager
async def post(
    directory: Path,
    server: str,
    *,
    asks: AsksForEvents | None = None,
    text: str | None = None,
    port: int = 0,
) -> AsyncIterator[Post]:
    """The door at a port, and a loop that does a step when it is told to."""
    port = port or free_port()
    url = f"http://127.0.0.1:{port}/hooks/tickets"
    database = Database.open(inbox_file(directory / "inbox.db"), MIGRATIONS)
    inbox = SqlInbox(database)
    there = Post(
        database=database,
        inbox=inbox,
        url=url,
        server=server,
        loaded=loaded(text or sources(url), server),
    )
    try:
        async with GroupCommit(inbox) as commit, RefusalLog(inbox) as refusals:
            await _wire(there, commit, refusals, asks or Events())
            application = _door(there, _heeding(there, commit), refusals)
            async with serving(application, port=port):
                yield there
    finally:
        database.close()


async def _wire(there: Post, commit: Keeps, refusals: RefusalLog, asks: AsksForEvents) -> None:
    def bare(keeps: Keeps) -> Any:
        return _knock(there, keeps, refusals, there.now)

    there.subscribing = Subscribing(
        database=there.database,
        inbox=there.inbox,
        loaded=lambda: there.loaded,
        asks=asks,
        ring=indoors(bare, commit),
        now=there.now,
        log=there.log,
        tell=lambda source, became, why: there.told.append((source, str(became), why)),
        jitter=lambda: 0.0,
    )


def _heeding(there: Post, commit: Keeps) -> Keeps:
    assert there.subscribing is not None
    return Heeding(
        commit,
        there.database,
        there.now,
        lambda: 0.0,
        there.log,
        lambda source, became, why: there.told.append((source, str(became), why)),
        there.subscribing.poke,
    )


def _knock(there: Post, keeps: Keeps, refusals: RefusalLog, now: Callable[[], datetime]) -> Any:
    log = structlog.wrap_logger(structlog.PrintLogger(), processors=[_dropped])
    return door(lambda: there.loaded.sources, keeps, refusals.refuse, now, _new_id, told(log))


def _door(there: Post, keeps: Keeps, refusals: RefusalLog) -> Any:
    knock = _knock(there, keeps, refusals, _now)

    async def mounted(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await knock({**scope, "path": scope["path"].removeprefix("/hooks")}, receive, send)

    return mounted


_counted = iter(range(10**9))


def _new_id() -> str:
    return f"evt_{next(_counted):09}"


def _now() -> datetime:
    return datetime.now(UTC)


def _dropped(_logger: Any, _name: str, _event: Any) -> Any:
    raise structlog.DropEvent


async def blocking(act: Any, *given: Any, **named: Any) -> Any:
    """Something that blocks, beside the loop that answers it."""
    return await asyncio.to_thread(act, *given, **named)
