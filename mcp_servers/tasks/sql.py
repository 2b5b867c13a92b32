"""Tasks in SQLite or Postgres, so that they outlive the process and its replicas share them.

Each verb is one transaction in a thread of its own. On SQLite it holds the one write lock from its beginning; on
Postgres it locks the correlation keys it touches, in order, and then the rows.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Concatenate, Final, ParamSpec, Self, TypeVar, final

from sqlalchemy import (
    Connection,
    Engine,
    create_engine,
    delete,
    event,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from typing_extensions import override

from mcp_servers.tasks.rows import (
    MIGRATIONS,
    callback_keys,
    callback_row,
    callbacks,
    changed_row,
    keys,
    micros,
    new_row,
    task_of,
    tasks,
    told_of,
)
from mcp_servers.tasks.states import Change, Task, after
from mcp_servers.tasks.store import (
    LEASE,
    Callback,
    Draft,
    Opened,
    Received,
    Reception,
    Store,
    StoreUnavailable,
    drafted,
    key_taken,
    other_arguments,
    token_key,
    unknown,
)

P = ParamSpec("P")
T = TypeVar("T")

_THREADS: Final = 4
_PRAGMAS: Final = (
    "PRAGMA busy_timeout=30000",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
)
_ON_DISK: Final = "SET synchronous_commit = on"
_SCHEMA_LOCK: Final = 0x6D63705F7461736B
_LOCK: Final = text("SELECT pg_advisory_xact_lock(hashtextextended(:key, :seed))")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SqlStore(Store):
    """An open database; one database or file for each kind of server. `close` it at the end."""

    engine: Engine
    threads: ThreadPoolExecutor

    @classmethod
    def open_at(cls, url: str) -> Self:
        """Connect to `sqlite:///FILE` or `postgresql://…` and bring the tables up to date.

        Raises `StoreUnavailable`.
        """
        engine = _engine(url)
        try:
            _run(engine, _migrate)
        except StoreUnavailable:
            engine.dispose()
            raise
        lite = engine.dialect.name == "sqlite"
        return cls(engine=engine, threads=ThreadPoolExecutor(1 if lite else _THREADS, "tasks"))

    def close(self) -> None:
        """Finish what is under way and let go of the connections."""
        self.threads.shutdown()
        self.engine.dispose()

    @override
    async def open(self, draft: Draft, now: datetime) -> Opened:
        return await self._in(_open, draft, now)

    @override
    async def name(
        self, id_: str, keys: Iterable[str], change: Change | None, now: datetime
    ) -> Task:
        return await self._in(_name, id_, sorted(set(keys)), change, now)

    @override
    async def forget(self, id_: str) -> None:
        await self._in(_forget, id_)

    @override
    async def get(self, ids: Iterable[str]) -> Mapping[str, Task]:
        return await self._in(_get, list(ids))

    @override
    async def keys(self, id_: str) -> Sequence[str]:
        return await self._in(_keys, id_)

    @override
    async def unfinished(self) -> Sequence[Task]:
        return await self._in(_unfinished)

    @override
    async def move(self, id_: str, change: Change, now: datetime) -> Task | None:
        return await self._in(_move, id_, change, now)

    @override
    async def receive(self, callback: Callback, now: datetime) -> Received:
        return await self._in(_receive, callback, now)

    @override
    async def prune(self, now: datetime, keep: timedelta) -> int:
        return await self._in(_prune, now - keep)

    async def _in(
        self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self.threads, lambda: _run(self.engine, fn, *args, **kwargs)
        )


def _run(
    engine: Engine, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
) -> T:
    try:
        with engine.begin() as connection:
            return fn(connection, *args, **kwargs)
    except (SQLAlchemyError, sqlite3.Error) as error:
        # Only the driver's first line: the rest may quote what was stored.
        cause = str(getattr(error, "orig", None) or error).partition("\n")[0]
        raise StoreUnavailable(f"the task store can't be used: {cause}") from error


def _open(connection: Connection, draft: Draft, now: datetime) -> Opened:
    if draft.idempotency:
        _lock(connection, [f"{draft.principal}\n{draft.tool}\n{draft.idempotency}"], seed=1)
        known = connection.execute(
            select(tasks)
            .where(tasks.c.principal == draft.principal, tasks.c.tool == draft.tool)
            .where(tasks.c.idempotency == draft.idempotency)
            .with_for_update()
        ).one_or_none()
        if known is not None:
            return _opened_again(connection, draft, known, now)
    task = drafted(draft, now)
    connection.execute(insert(tasks), new_row(draft, task, now + LEASE))
    connection.execute(insert(keys), {"key": token_key(task.token), "task": task.id})
    return Opened(task=task, mine=True, again=False)


def _opened_again(connection: Connection, draft: Draft, known: Any, now: datetime) -> Opened:
    if known.digest != draft.digest:
        raise other_arguments(draft)
    mine = not (known.named or known.ended or micros(now) < known.asked_until)
    if mine:
        until = {"asked_until": micros(now + LEASE)}
        connection.execute(update(tasks).where(tasks.c.id == known.id), until)
    return Opened(task=task_of(known), mine=mine, again=True)


def _name(
    connection: Connection, id_: str, named: Sequence[str], change: Change | None, now: datetime
) -> Task:
    _lock(connection, named)
    if _locked_task(connection, id_) is None:
        raise unknown(id_)
    owners = {
        row.key: row.task for row in connection.execute(select(keys).where(keys.c.key.in_(named)))
    }
    for key in named:
        if owners.get(key, id_) != id_:
            raise key_taken(key, id_)
    fresh = [{"key": key, "task": id_} for key in named if key not in owners]
    if fresh:
        connection.execute(insert(keys), fresh)
    connection.execute(update(tasks).where(tasks.c.id == id_), {"named": True})
    if change is not None:
        _move(connection, id_, change, now)
    _rematch(connection, id_, named, now)
    return task_of(connection.execute(select(tasks).where(tasks.c.id == id_)).one())


def _rematch(connection: Connection, id_: str, named: Sequence[str], now: datetime) -> None:
    wanted = select(callback_keys.c.callback).where(callback_keys.c.key.in_(named))
    early = connection.execute(
        select(callbacks)
        .where(callbacks.c.number.in_(wanted), callbacks.c.waiting)
        .order_by(callbacks.c.number)
    ).all()
    for row in early:
        _move(connection, id_, told_of(row), now)
    found = callbacks.c.number.in_([row.number for row in early])
    connection.execute(update(callbacks).where(found), {"waiting": False})


def _forget(connection: Connection, id_: str) -> None:
    gone = (tasks.c.id == id_) & ~tasks.c.named & ~tasks.c.ended
    connection.execute(delete(tasks).where(gone))


def _get(connection: Connection, ids: Sequence[str]) -> dict[str, Task]:
    found = connection.execute(select(tasks).where(tasks.c.id.in_(ids)))
    return {row.id: task_of(row) for row in found}


def _keys(connection: Connection, id_: str) -> list[str]:
    owned = connection.scalars(select(keys.c.key).where(keys.c.task == id_))
    # Sorted here: databases differ in how they compare texts.
    return sorted(owned)


def _unfinished(connection: Connection) -> list[Task]:
    going = select(tasks).where(~tasks.c.ended).order_by(tasks.c.created_at, tasks.c.id)
    return [task_of(row) for row in connection.execute(going)]


def _move(connection: Connection, id_: str, change: Change, now: datetime) -> Task | None:
    task = _locked_task(connection, id_)
    moved = None if task is None else after(task, change, now)
    if moved is not None:
        connection.execute(update(tasks).where(tasks.c.id == id_), changed_row(moved))
    return moved


def _receive(connection: Connection, callback: Callback, now: datetime) -> Received:
    named = sorted(set(callback.keys))
    _lock(connection, [callback.id], seed=2)
    _lock(connection, named)
    known = select(callbacks.c.number).where(callbacks.c.id == callback.id)
    if connection.execute(known).first() is not None:
        return Received(reception=Reception.DUPLICATE)
    owned = select(keys.c.task).where(keys.c.key.in_(named)).distinct().order_by(keys.c.task)
    owners = list(connection.scalars(owned))
    row = callback_row(callback, now, waiting=not owners)
    number = connection.execute(insert(callbacks).returning(callbacks.c.number), row).scalar_one()
    if not owners:
        for key in named:
            connection.execute(insert(callback_keys), {"key": key, "callback": number})
        return Received(reception=Reception.EARLY)
    moved = [id_ for id_ in owners if _move(connection, id_, callback.told, now) is not None]
    return Received(reception=Reception.APPLIED if moved else Reception.LATE, tasks=moved)


def _prune(connection: Connection, limit: datetime) -> int:
    until = micros(limit)
    quiet = ~tasks.c.ended | (tasks.c.updated_at <= until)
    over = (tasks.c.expires_at.is_(None) & tasks.c.ended) | (tasks.c.expires_at <= until)
    gone = connection.execute(delete(tasks).where(quiet, over)).rowcount
    old = connection.execute(delete(callbacks).where(callbacks.c.received_at <= until)).rowcount
    return gone + old


def _locked_task(connection: Connection, id_: str) -> Task | None:
    row = connection.execute(select(tasks).where(tasks.c.id == id_).with_for_update()).one_or_none()
    return None if row is None else task_of(row)


def _lock(connection: Connection, names: Sequence[str], seed: int = 0) -> None:
    # Whoever names a key and whoever calls back by it must not pass each other unseen.
    if connection.dialect.name == "postgresql":
        for name in sorted(names):
            connection.execute(_LOCK, {"key": name, "seed": seed})


def _migrate(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _SCHEMA_LOCK})
    connection.execute(text("CREATE TABLE IF NOT EXISTS task_schema (version INTEGER PRIMARY KEY)"))
    done = set(connection.scalars(text("SELECT version FROM task_schema")))
    for version, migration in enumerate(MIGRATIONS, 1):
        if version not in done:
            migration(connection)
            added = text("INSERT INTO task_schema (version) VALUES (:version)")
            connection.execute(added, {"version": version})


def _engine(url: str) -> Engine:
    parsed = _parsed(url)
    match parsed.get_backend_name():
        case "sqlite":
            engine = create_engine(parsed, hide_parameters=True)
            event.listen(engine, "connect", _prepare)
            event.listen(engine, "begin", _begin)
        case "postgresql":
            driven = parsed.set(drivername="postgresql+psycopg")
            engine = create_engine(
                driven, hide_parameters=True, pool_size=_THREADS, pool_pre_ping=True
            )
            event.listen(engine, "connect", _promise)
        case other:
            raise StoreUnavailable(f"expected a sqlite: or postgresql: URL, {other!r} came")
    return engine


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except ArgumentError:
        # The text is not shown: a database URL may hold a password.
        raise StoreUnavailable("expected a database URL like sqlite:///tasks.db") from None


def _prepare(connection: sqlite3.Connection, _record: Any) -> None:
    # The driver's own transactions begin late and deferred; ours begin where `_begin` says.
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(pragma)


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _promise(connection: Any, _record: Any) -> None:
    # A server or a role may be set to answer before the disk has it; a task may be handed out only after.
    with connection.cursor() as cursor:
        cursor.execute(_ON_DISK)
    connection.commit()
