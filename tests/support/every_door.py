"""A door of its own process with one source for each known sender, on the server that production uses.

    python -m tests.support.every_door DIRECTORY PORT

Its clock stands still, its deadlines are short, and its log goes to DIRECTORY/log, one JSON line each. What
`DIRECTORY/certificate.pem` holds is what it finds at every address it is allowed to ask.
"""

import asyncio
import signal
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path

import structlog
import uvloop

from orchestrator.database import Database
from orchestrator.doorbell import listening as listening_module
from orchestrator.doorbell.app import build
from orchestrator.doorbell.health import Readiness
from orchestrator.doorbell.receive import door
from orchestrator.inbox.group_commit import GroupCommit, RefusalLog
from orchestrator.inbox.schema import MIGRATIONS
from orchestrator.inbox.sql import SqlInbox
from orchestrator.secrets import Secret
from orchestrator.sources.declared import DeclaredDialect
from orchestrator.sources.preset import Options, bound, handshake_of
from orchestrator.sources.presets import PRESETS
from orchestrator.sources.source import Source
from orchestrator.templates import Template
from tests.support.blanks import inbox_file
from tests.support.senders import NOW, SENDERS, TOPIC, URL
from tests.support.told import told

BODY_DEADLINE = 5.0
"""Seconds; the commit has as many, and a disk may be slow."""
HEADER_DEADLINE_MS = 1_000
GENERIC = DeclaredDialect(id=None, type=Template.parse("{{ event.type }}"))


def sources() -> dict[str, Source]:
    """One of each, named as its preset; `second` is GitHub's with another secret, `small` with a small limit."""
    each = {name: _source(name, name, SENDERS[name].secret) for name in PRESETS}
    each["second"] = _source("second", "github", "another secret")
    each["small"] = _source("small", "github", SENDERS["github"].secret, max_body=2_000)
    return each


def _source(name: str, preset_name: str, secret: str, *, max_body: int | None = None) -> Source:
    preset = PRESETS[preset_name]
    options = Options(
        public_url=URL.format(name),
        verify_token=Secret("env:W", "our word"),
        origins=frozenset({"eventgrid.azure.net"}),
        topics=frozenset({TOPIC}),
    )
    return Source(
        name=name,
        scheme=bound(preset.scheme, options),
        secrets=() if preset.secret is None else (Secret("env:S", secret),),
        dialect=preset.dialect or GENERIC,
        max_body=max_body or preset.max_body,
        dedupe_body=preset.dedupe_body,
        handshake=handshake_of(preset.handshake, options),
        thanks=preset.thanks,
        batch=preset.batch,
    )


async def _status() -> Mapping[str, str]:
    return {"temporal": "down"}


async def serve(directory: Path, port: int) -> None:
    """Serve until SIGTERM."""
    database = Database.open(inbox_file(directory / "inbox.db"), MIGRATIONS)
    inbox = SqlInbox(database)
    known = sources()

    async def fetch(_url: str) -> bytes:
        return (directory / "certificate.pem").read_bytes()

    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    log = structlog.get_logger()
    async with GroupCommit(inbox) as commit, RefusalLog(inbox) as refusals:
        knock = door(
            lambda: known,
            commit,
            refusals.refuse,
            lambda: NOW,
            lambda: uuid.uuid4().hex,
            told(log),
            deadline=BODY_DEADLINE,
            fetch=fetch,
        )
        app = build(knock, Readiness(inbox.pulse, lambda: NOW), _status, log)
        async with listening_module.listening(app, "127.0.0.1", port):
            await stopped.wait()
    database.close()


def run(directory: Path, port: int) -> None:
    """The whole process."""
    listening_module.HEADER_TIMEOUT_MS = HEADER_DEADLINE_MS
    structlog.configure(
        processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(file=(directory / "log").open("w")),
        cache_logger_on_first_use=True,
    )
    uvloop.run(serve(directory, port))


if __name__ == "__main__":
    run(Path(sys.argv[1]), int(sys.argv[2]))
