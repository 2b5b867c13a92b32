"""A door of its own process, on granian: `python -m tests.support.door_server DATABASE_FILE PORT`.

Prints one line when it listens; ends at SIGTERM, or by SIGKILL, which is what it is for.
"""

import asyncio
import signal
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path

import structlog
import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server

from orchestrator.database import Database, sqlite_url
from orchestrator.doorbell.app import build
from orchestrator.doorbell.health import Readiness
from orchestrator.doorbell.receive import door
from orchestrator.inbox.group_commit import GroupCommit, RefusalLog
from orchestrator.inbox.schema import MIGRATIONS
from orchestrator.inbox.sql import SqlInbox
from orchestrator.secrets import Secret
from orchestrator.sources.presets import PRESETS
from orchestrator.sources.source import Source

SECRET = b"It's a Secret to Everybody"


def _now() -> datetime:
    return datetime.now(UTC)


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


async def serve(path: Path, port: int) -> None:
    """Serve until SIGTERM."""
    database = Database.open(sqlite_url(path), MIGRATIONS)
    inbox = SqlInbox(database)
    sources = {"github": _source()}
    log = structlog.get_logger()
    async with GroupCommit(inbox) as commit, RefusalLog(inbox) as refusals:
        knock = door(lambda: sources, commit, refusals.refuse, _now, lambda: uuid.uuid4().hex, log)
        app = build(knock, Readiness(inbox.pulse, _now), _status, log)
        server = Server(
            app, address="127.0.0.1", port=port, interface=Interfaces.ASGI, log_enabled=False
        )
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.stop)
        sys.stdout.write("listening\n")
        sys.stdout.flush()
        await server.serve()
    database.close()


if __name__ == "__main__":
    structlog.configure(
        processors=[structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(file=Path("/dev/null").open("w")),  # noqa: SIM115
        cache_logger_on_first_use=True,
    )
    uvloop.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
