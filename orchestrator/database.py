"""One database, SQLite file or Postgres, behind two verbs: `write` and `read`; it knows no table but `migrations`.

The engine is synchronous and lives in threads of its own: on SQLite one thread writes, so that transactions
queue here instead of colliding there, and a few read. Several processes may open the same file. Each verb is
one transaction, and one that lost to a lock or a deadlock is run again, so what it is given touches nothing
but its connection.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate, Final, ParamSpec, Self, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    InterfaceError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from orchestrator.errors import OperatorError

P = ParamSpec("P")
T = TypeVar("T")
Transaction = Connection
"""What `write` and `read` hand to their function; its owner may name it without knowing SQL."""

Migration = Callable[[Connection], None]
"""One step of a schema. Its function's name is its identity: unique over every part that shares the database."""

READERS: Final = 4
POSTGRES_THREADS: Final = 8
ATTEMPTS: Final = 5
PAUSE: Final = 0.05
"""Seconds before the first repetition; the n-th waits n times as long."""

_PRAGMAS: Final = (
    "PRAGMA busy_timeout=30000",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    # Ids and hashes fall anywhere in their indexes: a million rows are as fast as none only while these fit.
    "PRAGMA cache_size=-65536",
    "PRAGMA wal_autocheckpoint=8000",
)
_ON_DISK: Final = (
    "SELECT set_config('synchronous_commit', 'on', false)"
    " WHERE current_setting('synchronous_commit') = 'off'"
)
_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_CONFLICTS: Final = frozenset({"40001", "40P01", "55P03"})
_ADVISORY: Final = 0x646F6F7262656C6C


class DatabaseError(OperatorError):
    """The database did not do it: nothing of the transaction is there."""


class DatabaseUnavailable(DatabaseError):
    """The database can do nothing just now: gone, full, or locked for too long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """An open database. `open` it once for each process, `close` it at the end."""

    engine: Engine
    writers: ThreadPoolExecutor
    readers: ThreadPoolExecutor

    @classmethod
    def open(cls, url: str, migrations: Sequence[Migration]) -> Self:
        """Connect and bring the schema up to date, under a lock against other processes.

        Raises `DatabaseError`.
        """
        engine = _engine(url)
        try:
            _repeated(engine, _migrate, migrations)
        except DatabaseError:
            engine.dispose()
            raise
        lite = engine.dialect.name == "sqlite"
        return cls(
            engine=engine,
            writers=ThreadPoolExecutor(1 if lite else POSTGRES_THREADS, "database-write"),
            readers=ThreadPoolExecutor(READERS, "database-read"),
        )

    @property
    def dialect(self) -> str:
        """Either `sqlite` or `postgresql`."""
        return self.engine.dialect.name

    async def write(
        self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `fn(connection, ...)` in one transaction that is on disk when this returns.

        Raises `DatabaseError`; then nothing of it happened, or a lost connection keeps it a secret.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self.writers, lambda: _repeated(self.engine, fn, *args, **kwargs)
        )

    async def read(
        self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `fn(connection, ...)` in one transaction that writes nothing. Raises `DatabaseError`."""
        loop = asyncio.get_running_loop()
        reading = self.engine.execution_options(reading=True)
        return await loop.run_in_executor(
            self.readers, lambda: _repeated(reading, fn, *args, **kwargs)
        )

    def close(self) -> None:
        """Finish what is under way and let go of the connections."""
        self.writers.shutdown()
        self.readers.shutdown()
        self.engine.dispose()


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite file."""
    return URL.create("sqlite", database=str(path)).render_as_string(hide_password=False)


def _engine(url: str) -> Engine:
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed)
    if parsed.get_backend_name() == "postgresql":
        return _postgres(parsed)
    raise DatabaseError(
        f"expected a sqlite: or postgresql: URL, {parsed.get_backend_name()!r} came"
    )


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except ArgumentError:
        # The text is not shown: a database URL may hold a password.
        raise DatabaseError("expected a database URL like postgresql://user@host/name") from None


def _postgres(url: URL) -> Engine:
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        hide_parameters=True,
        isolation_level="READ COMMITTED",
        pool_size=POSTGRES_THREADS + READERS,
        pool_pre_ping=True,
    )
    event.listen(engine, "connect", _promise)
    return engine


def _promise(connection: Any, _record: Any) -> None:
    # A server or a role may be set to answer before the disk has it; a 2xx of ours may not (promise D2).
    with connection.cursor() as cursor:
        cursor.execute(_ON_DISK)
    connection.commit()


def _sqlite(url: URL) -> Engine:
    engine = create_engine(url, hide_parameters=True, pool_size=1 + READERS)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: sqlite3.Connection, _record: Any) -> None:
    # The driver's own transactions begin late and deferred; ours begin where `_begin` says.
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(pragma)


def _begin(connection: Connection) -> None:
    # Deferred transactions that turn into writers fail at once when another process has written since.
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _repeated(
    engine: Engine, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
) -> T:
    attempt = 1
    while True:
        try:
            with engine.begin() as connection:
                return fn(connection, *args, **kwargs)
        except (SQLAlchemyError, sqlite3.Error) as error:
            if attempt == ATTEMPTS or not _worth_repeating(error):
                raise _translated(error) from error
        time.sleep(PAUSE * attempt)
        attempt += 1


def _worth_repeating(error: Exception) -> bool:
    match getattr(error, "orig", error):
        case sqlite3.OperationalError() as busy:
            # The low byte is the kind; the rest says which of its variants.
            return getattr(busy, "sqlite_errorcode", 0) & 0xFF in _BUSY
        case cause:
            return getattr(cause, "sqlstate", None) in _CONFLICTS


def _translated(error: Exception) -> DatabaseError:
    # Who hands a statement to SQLite's driver itself gets the driver's own errors.
    gone = OperationalError | InterfaceError | PoolTimeout | sqlite3.OperationalError
    if isinstance(error, gone):
        return DatabaseUnavailable(f"the database can't be used: {_said(error)}")
    return DatabaseError(f"the database refused: {_said(error)}")


def _said(error: Exception) -> str:
    # Only the driver's first line: the rest may quote the statement's values.
    cause = error.orig if isinstance(error, DBAPIError) else error
    return (str(cause).splitlines() or [type(cause).__name__])[0]


def _migrate(connection: Connection, migrations: Sequence[Migration]) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY})
    connection.execute(
        text(
            "CREATE TABLE IF NOT EXISTS migrations"
            " (name TEXT PRIMARY KEY, at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)"
        )
    )
    applied = set(connection.scalars(text("SELECT name FROM migrations")))
    for migration in migrations:
        if migration.__name__ not in applied:
            migration(connection)
            connection.execute(
                text("INSERT INTO migrations (name) VALUES (:name)"), {"name": migration.__name__}
            )
