"""The tables of the task store, and a task and a callback as rows and back; it runs no statement of its own."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Row,
    Table,
    Text,
    UniqueConstraint,
)

from mcp_servers.tasks.states import Cancelled, Completed, Failed, Status, Task, Working
from mcp_servers.tasks.store import Callback, Draft, Told

metadata: Final = MetaData()
tasks: Final = Table(
    "task",
    metadata,
    Column("id", Text, primary_key=True),
    Column("token", Text, nullable=False),
    Column("principal", Text, nullable=False),
    Column("tool", Text, nullable=False),
    # Null is never equal to null, so calls without a key never meet.
    Column("idempotency", Text),
    Column("digest", Text, nullable=False),
    Column("asked_until", BigInteger, nullable=False),
    Column("named", Boolean, nullable=False),
    Column("status", Text, nullable=False),
    Column("ended", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("said", Text, nullable=False),
    UniqueConstraint("principal", "tool", "idempotency"),
    Index("task_going", "ended", "created_at"),
)
keys: Final = Table(
    "task_key",
    metadata,
    Column("key", Text, primary_key=True),
    Column("task", ForeignKey("task.id", ondelete="CASCADE"), nullable=False, index=True),
)
callbacks: Final = Table(
    "callback",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("received_at", BigInteger, nullable=False, index=True),
    Column("waiting", Boolean, nullable=False),
    Column("told", Text, nullable=False),
)
callback_keys: Final = Table(
    "callback_key",
    metadata,
    Column("key", Text, primary_key=True),
    Column(
        "callback", ForeignKey("callback.number", ondelete="CASCADE"), primary_key=True, index=True
    ),
)


def _first(connection: Connection) -> None:
    metadata.create_all(connection)


MIGRATIONS: Final[tuple[Callable[[Connection], None], ...]] = (_first,)
"""Each is run once, in this order; the number of those that ran is the schema's version."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_TOLD: Final[Mapping[str, type[Told]]] = {
    kind.__name__: kind for kind in (Working, Completed, Failed, Cancelled)
}


def micros(at: datetime) -> int:
    """A moment as whole microseconds, which every database compares exactly."""
    return (at - _EPOCH) // _MICROSECOND


def new_row(draft: Draft, task: Task, asked_until: datetime) -> dict[str, Any]:
    """The row of a task that is just opened."""
    return {
        "id": task.id,
        "token": task.token,
        "principal": task.principal,
        "tool": task.tool,
        "idempotency": draft.idempotency,
        "digest": draft.digest,
        "asked_until": micros(asked_until),
        "named": False,
        "created_at": micros(task.created_at),
        "expires_at": None if task.ttl is None else micros(task.created_at + task.ttl),
        **changed_row(task),
    }


def changed_row(task: Task) -> dict[str, Any]:
    """The columns that a change of state writes."""
    said = {
        "ttl": None if task.ttl is None else task.ttl // _MICROSECOND,
        "poll": task.poll // _MICROSECOND,
        "message": task.message,
        "requests": dict(task.requests),
        "responses": dict(task.responses),
        "result": task.result,
        "error": task.error,
    }
    return {
        "status": task.status.value,
        "ended": task.ended,
        "version": task.version,
        "updated_at": micros(task.updated_at),
        "said": _json(said),
    }


def task_of(row: Row[Any]) -> Task:
    """The task in a row."""
    said = json.loads(row.said)
    return Task(
        id=row.id,
        token=row.token,
        principal=row.principal,
        tool=row.tool,
        created_at=_at(row.created_at),
        updated_at=_at(row.updated_at),
        ttl=None if said["ttl"] is None else said["ttl"] * _MICROSECOND,
        poll=said["poll"] * _MICROSECOND,
        status=Status(row.status),
        message=said["message"],
        version=row.version,
        requests=said["requests"],
        responses=said["responses"],
        result=said["result"],
        error=said["error"],
    )


def callback_row(callback: Callback, received_at: datetime, *, waiting: bool) -> dict[str, Any]:
    """The row of a callback."""
    told = {"kind": type(callback.told).__name__, **asdict(callback.told)}
    return {
        "id": callback.id,
        "received_at": micros(received_at),
        "waiting": waiting,
        "told": _json(told),
    }


def told_of(row: Row[Any]) -> Told:
    """What the callback in a row tells."""
    said = json.loads(row.told)
    return _TOLD[said.pop("kind")](**said)


def _at(number: int) -> datetime:
    return _EPOCH + number * _MICROSECOND


def _json(value: Any) -> str:
    # ASCII only: what came from outside may hold a lone surrogate or a NUL, and Postgres takes neither raw.
    return json.dumps(value, separators=(",", ":"))
