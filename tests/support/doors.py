"""A door on a real inbox and a real socket, inside the test; it knows a few sources and no promise."""

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpx2
import structlog

from orchestrator.database import Database, sqlite_url
from orchestrator.doorbell.app import build
from orchestrator.doorbell.health import Readiness
from orchestrator.doorbell.receive import door
from orchestrator.inbox.group_commit import GroupCommit, RefusalLog
from orchestrator.inbox.schema import MIGRATIONS
from orchestrator.inbox.sql import SqlInbox
from orchestrator.secrets import Secret
from orchestrator.signatures import github
from orchestrator.sources.operator import operator_source
from orchestrator.sources.presets import PRESETS
from orchestrator.sources.source import Source
from tests.support.asgi import serving
from tests.support.told import told

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SECRET = b"It's a Secret to Everybody"
WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ISSUE = json.dumps(
    {
        "action": "opened",
        "issue": {"number": 7},
        "repository": {"full_name": "acme/api"},
        "sender": {"id": 1, "login": "ann"},
    }
).encode()


def source(name: str, preset: str, *secrets: str, max_body: int | None = None) -> Source:
    chosen = PRESETS[preset]
    return Source(
        name=name,
        scheme=chosen.scheme,
        secrets=tuple(Secret(f"env:{name}", secret) for secret in secrets),
        dialect=chosen.dialect,
        max_body=max_body or chosen.max_body,
        dedupe_body=chosen.dedupe_body,
    )


SOURCES = {
    "github": source("github", "github", SECRET.decode()),
    "second": source("second", "github", "another secret"),
    "small": source("small", "github", SECRET.decode(), max_body=2_000),
    "billing": source("billing", "standard-webhooks", WHSEC),
    "operator": operator_source(Secret("file:s", WHSEC)),
}


class Lines(list):
    """The log, line by line; `came` is set by the first."""

    def __init__(self):
        super().__init__()
        self.came = asyncio.Event()

    def __call__(self, _logger, _method, event):
        self.append(event)
        self.came.set()
        raise structlog.DropEvent


class House:
    """A door on a real inbox and a real socket."""

    def __init__(self, url: str, inbox: SqlInbox, lines: Lines) -> None:
        self.url, self.inbox, self.lines = url, inbox, lines
        self.http = httpx2.AsyncClient(base_url=url, timeout=20, verify=False)

    async def ring(self, body=ISSUE, *, to="github", secret=SECRET, event="issues", **headers):
        sent = {"x-github-event": event, "x-github-delivery": "d1", **github.sign(secret, body)}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        kept = {name: value for name, value in sent.items() if value is not None}
        return await self.http.post(f"/hooks/{to}", content=body, headers=kept)

    async def raw(self, text: bytes) -> bytes:
        """What the server answers to these exact bytes."""
        address = urlsplit(self.url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(text)
        try:
            return await asyncio.wait_for(reader.read(65536), 5)
        finally:
            writer.close()


@asynccontextmanager
async def house(directory, *, commit=None, refuse=None, deadline=5.0, probe=None):
    database = Database.open(sqlite_url(directory / "inbox.db"), MIGRATIONS)
    inbox = SqlInbox(database)
    lines = Lines()
    ids = iter(range(1, 10_000))
    log = structlog.wrap_logger(structlog.PrintLogger(), processors=[lines])
    async with GroupCommit(inbox) as keeps, RefusalLog(inbox) as remembers:
        knock = door(
            lambda: SOURCES,
            commit or keeps,
            refuse or remembers.refuse,
            lambda: NOW,
            lambda: f"e{next(ids)}",
            told(log),
            deadline=deadline,
        )
        app = build(knock, Readiness(probe or inbox.pulse, lambda: NOW), _status, log)
        async with serving(app) as url:
            place = House(url, inbox, lines)
            async with place.http:
                yield place
    database.close()


async def _status():
    return {"temporal": "down"}


def says(answer, status, reason):
    problem = answer.json()
    assert (answer.status_code, problem["status"]) == (status, status)
    assert problem["type"] == f"urn:doorbell:problem:{reason}"
    assert problem["title"]
    assert problem["detail"]
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(problem) == {"type", "title", "status", "detail"}
