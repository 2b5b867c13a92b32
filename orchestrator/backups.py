"""Copies of an installation's SQLite files, made while nobody writes them; it knows no table and no version's meaning.

    state/backups/20261121T120000Z/inbox.db, temporal.db, ledger.db

The ledger comes last (mechanics: restore and loss): what it knows more than the others, nobody does twice. A copy that
was broken off is named `.partial` and goes with the next one.
"""

import os
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Final

from orchestrator.errors import OperatorError
from orchestrator.state import StateDirectory

KEPT: Final = 3
"""Backups; older ones go as a new one is whole."""

PARTIAL: Final = ".partial"
BESIDE: Final = ("", "-wal")
"""Of a database in use, what holds its pages."""


def outdated(state: StateDirectory, mark: str) -> bool:
    """Whether databases are here that another version wrote last, or nobody knows which."""
    return bool(_databases(state)) and last_mark(state) != mark


def last_mark(state: StateDirectory) -> str | None:
    """The mark of the version that wrote the databases last."""
    path = _marked(state)
    return path.read_text(encoding="utf-8").strip() if path.is_file() else None


def remember(state: StateDirectory, mark: str) -> None:
    """From now on this version writes the databases."""
    draft = _marked(state).with_name(f"version.{os.getpid()}")
    draft.write_text(mark + "\n", encoding="utf-8")
    _synced(draft)
    draft.replace(_marked(state))


def back_up(state: StateDirectory, at: datetime) -> Path:
    """Copy every database that is here; returns where to.

    Raises `OperatorError` when there is no room for it, or a file can't be read.
    """
    found, where = _databases(state), state.path / "backups"
    where.mkdir(mode=0o700, exist_ok=True)
    for broken_off in where.glob(f"*{PARTIAL}"):
        shutil.rmtree(broken_off)
    _refuse_if_full(state, found)
    partial = where / f"{at:%Y%m%dT%H%M%SZ}{PARTIAL}"
    partial.mkdir(mode=0o700)
    for database in found:
        copy(database, partial / database.name)
    _synced(partial)
    made = partial.replace(partial.with_name(partial.name.removesuffix(PARTIAL)))
    _synced(where)
    for older in sorted(path for path in where.iterdir() if path.is_dir())[:-KEPT]:
        shutil.rmtree(older)
    return made


def copy(database: Path, to: Path) -> None:
    """Copy one SQLite file with what stands in its log, by SQLite's own way. Raises `OperatorError`."""
    try:
        with (
            closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=rw", uri=True)) as of,
            closing(sqlite3.connect(to)) as into,
        ):
            of.backup(into)
    except sqlite3.Error as error:
        raise OperatorError(
            f"{str(database)!r} can't be copied to {str(to)!r}: {error}; nothing was changed. Free space or mend the "
            f"file, or start with --no-backup"
        ) from error
    to.chmod(0o600)
    _synced(to)


def _databases(state: StateDirectory) -> Sequence[Path]:
    ordered = (state.inbox, state.temporal, state.ledger)
    return [path for path in ordered if path.is_file()]


def _refuse_if_full(state: StateDirectory, found: Sequence[Path]) -> None:
    files = [path.with_name(path.name + more) for path in found for more in BESIDE]
    needed = sum(path.stat().st_size for path in files if path.is_file())
    free = shutil.disk_usage(state.path).free
    if free < needed:
        raise OperatorError(
            f"the databases are backed up before another version touches them: that takes {needed >> 20} MiB, and "
            f"{free >> 20} MiB are free beside {str(state.path)!r}. Free some (backups/ holds older ones), or start "
            f"with --no-backup; nothing was changed"
        )


def _marked(state: StateDirectory) -> Path:
    return state.path / "version"


def _synced(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
