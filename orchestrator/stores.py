"""Where an installation keeps things: its inbox, its ledger and its configuration files, opened from settings.

On SQLite the inbox (written by the service) and the ledger (written by workers) are two files, so that a burst
at the door can't starve a run; on Postgres they share one database.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePath
from typing import Any, Self

from orchestrator.configuration.configuration import Configuration
from orchestrator.configuration.load import load
from orchestrator.configuration.reading import read, stamps_of
from orchestrator.configuration.reloading import Reloading
from orchestrator.database import Database, sqlite_url
from orchestrator.inbox import schema as inbox_schema
from orchestrator.inbox.sql import SqlInbox
from orchestrator.ledger import migrations as ledger_migrations
from orchestrator.secrets import Unread
from orchestrator.state import StateDirectory


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """The two databases, open. `close` them at the end of the process."""

    inbox: SqlInbox
    inbox_database: Database
    ledger: Database

    @classmethod
    def open(cls, state: StateDirectory, database: str | None) -> Self:
        """Open both, migrating them if need be. Raises DatabaseError."""
        state.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = Database.open(database or sqlite_url(state.inbox), inbox_schema.MIGRATIONS)
        done = Database.open(database or sqlite_url(state.ledger), ledger_migrations.MIGRATIONS)
        return cls(inbox=SqlInbox(kept), inbox_database=kept, ledger=done)

    def close(self) -> None:
        """Finish what is under way."""
        self.inbox_database.close()
        self.ledger.close()


def configuration_reader(
    directory: Path, environment: Mapping[str, str]
) -> Callable[[], Configuration]:
    """A function that reads the files as they are now; an unchanged directory is read only once."""
    last: list[tuple[tuple[tuple[str, int, int], ...], Configuration]] = []

    def read() -> Configuration:
        seen = _fingerprint(directory)
        if not last or last[0][0] != seen:
            last[:] = [(seen, load(directory, environment, read_secret_file))]
        return last[0][1]

    return read


def reloading_of(
    directory: Path,
    environment: Callable[[], Mapping[str, str]],
    dotenv: Path,
    ledger: Database,
    now: Callable[[], datetime],
    log: Any,
) -> Reloading:
    """The configuration of a process that stays: not read yet. `environment` is asked anew each time."""
    return Reloading(
        read=lambda: read(directory, environment(), read_secret_file),
        stamp=lambda beside: stamps_of(directory, {*beside, dotenv}),
        ledger=ledger,
        now=now,
        log=log,
    )


def read_secret_file(path: PurePath) -> str | Unread:
    """The text of a `file:` secret, or why it can't be read: never in words that hold a part of it."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return Unread("it is no text in UTF-8")
    except ValueError as error:
        return Unread(str(error))
    except OSError as error:
        return Unread(error.strerror or type(error).__name__)


def _fingerprint(directory: Path) -> tuple[tuple[str, int, int], ...]:
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    return tuple((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in files)
