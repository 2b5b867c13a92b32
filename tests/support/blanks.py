"""Database files that are migrated already: a new one is a copy of what its migrations made the first time.

It knows no table. Who wants to see migrations run opens a `Database` itself.
"""

import os
import tempfile
from functools import cache
from pathlib import Path

from orchestrator.database import Database, Migration, sqlite_url
from orchestrator.inbox import schema
from orchestrator.ledger import migrations
from orchestrator.state import StateDirectory


def inbox_file(path: Path) -> str:
    """The URL of an inbox's file, which is there then."""
    return _laid(path, tuple(schema.MIGRATIONS))


def ledger_file(path: Path) -> str:
    """The URL of a ledger's file, which is there then."""
    return _laid(path, tuple(migrations.MIGRATIONS))


def furnished(state: StateDirectory) -> StateDirectory:
    """The same directory, with both files in it."""
    state.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    inbox_file(state.inbox)
    ledger_file(state.ledger)
    return state


def _laid(path: Path, wanted: tuple[Migration, ...]) -> str:
    if not path.exists():
        # Whole or not there at all, also where its writer is killed.
        beside = path.with_name(f"{path.name}.{os.getpid()}")
        beside.write_bytes(_blank(wanted))
        beside.replace(path)
    return sqlite_url(path)


@cache
def _blank(wanted: tuple[Migration, ...]) -> bytes:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "blank.db"
        # The last connection that closes takes its journal into the file.
        Database.open(sqlite_url(path), wanted).close()
        return path.read_bytes()
