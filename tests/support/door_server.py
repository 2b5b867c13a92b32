"""A door of its own process, on granian: `python -m tests.support.door_server DATABASE_URL PORT [BACKLOG]`.

It ends at SIGTERM, or by SIGKILL, which is what it is for. Its log goes nowhere.
"""

import asyncio
import secrets
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

import structlog
import uvloop

from orchestrator.database import Database
from orchestrator.doorbell.app import build
from orchestrator.doorbell.health import Readiness
from orchestrator.doorbell.listening import listening
from orchestrator.doorbell.receive import Tell, door
from orchestrator.doorbell.telling import Telling
from orchestrator.events import event_id
from orchestrator.garbage import collect_seldom
from orchestrator.inbox.group_commit import GroupCommit, RefusalLog
from orchestrator.inbox.schema import MIGRATIONS
from orchestrator.inbox.sql import SqlInbox
from orchestrator.logs import Journal, Lines
from orchestrator.secrets import Secret
from orchestrator.sources.presets import PRESETS
from orchestrator.sources.source import Source
from orchestrator.telemetry import catalogue
from orchestrator.telemetry.instruments import DoorInstruments
from orchestrator.telemetry.registry import Registry
from orchestrator.telemetry.spans import Untraced

SECRET = b"It's a Secret to Everybody"


def _now() -> datetime:
    return datetime.now(UTC)


def _new_id() -> str:
    return event_id(_now(), secrets.token_bytes(6))


def _source() -> Source:
    preset = PRESETS["github"]
    return Source(
        name="github",
        scheme=preset.scheme,
        secrets=(Secret("env:X", SECRET.decode()),),
        dialect=preset.dialect,
        max_body=preset.max_body,
        dedupe_body=preset.dedupe_body,
    )


async def _status() -> dict[str, str]:
    return {}


def _tell(sources: dict[str, Source]) -> Tell:
    """As the service tells of its deliveries, but to nobody."""
    registry = Registry(catalogue.SCRAPE_FAILURES)
    journal = Journal("service", Lines(len), None)
    return Telling(
        DoorInstruments(registry, lambda: sources), journal.delivery, Untraced()
    ).delivery


async def serve(url: str, port: int, backlog: int | None = None) -> None:
    """Serve until SIGTERM."""
    database = Database.open(url, MIGRATIONS)
    inbox = SqlInbox(database)
    sources = {"github": _source()}
    log = structlog.get_logger()
    async with GroupCommit(inbox, lambda _source: backlog) as commit, RefusalLog(inbox) as refusals:
        knock = door(lambda: sources, commit, refusals.refuse, _now, _new_id, _tell(sources))
        app = build(knock, Readiness(inbox.pulse, _now), _status, log)
        over = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
        async with listening(app, "127.0.0.1", port):
            collect_seldom()
            await over.wait()
    database.close()


def run(url: str, port: int, backlog: int | None = None) -> None:
    """The whole process."""
    structlog.configure(
        processors=[structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(file=Path("/dev/null").open("w")),  # noqa: SIM115
        cache_logger_on_first_use=True,
    )
    uvloop.run(serve(url, port, backlog))


if __name__ == "__main__":
    run(sys.argv[1], int(sys.argv[2]), *map(int, sys.argv[3:]))
