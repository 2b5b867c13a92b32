"""Handles: calls that their server answers later, as tasks of its own. It asks no server and decides no end.

The call's own row stays `sent` while its task is under way: so whoever counts writes counts it, and nobody makes it
again. A task's id is as good as a key to it; it stands here, and nowhere that people or the model read.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, Float, Integer, Row, String, Table, Text, select, update

from orchestrator.ledger.schema import LEDGER
from orchestrator.ledger.upsert import leave

table = Table(
    "handles",
    LEDGER,
    Column("run_id", String, primary_key=True),
    Column("call_id", String, primary_key=True),
    Column("server", String, nullable=False),
    Column("task_id", String, nullable=False),
    Column("document", Text, nullable=False),
    Column("opened_at", Float, nullable=False),
    Column("ttl", Float),
    Column("poll", Float, nullable=False),
    Column("looks", Integer, nullable=False),
    Column("look_at", Float, nullable=False),
    Column("status", String, nullable=False),
    Column("said", Text, nullable=False),
    Column("artifact", String),
    Column("ended_at", Float),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Handle:
    """A task of a call. `document` is what else the server answered the call with; `ttl` and `poll` are in seconds.

    `looks` counts how often it was asked after, `look_at` says when it will be again. `status` and `said` are the
    server's last words on it, `artifact` what it came to where nobody wanted that any more.
    """

    run_id: str
    call_id: str
    server: str
    task_id: str
    document: str
    opened_at: float
    ttl: float | None
    poll: float
    looks: int
    look_at: float
    status: str
    said: str
    artifact: str | None = None
    ended_at: float | None = None

    @property
    def over_at(self) -> float | None:
        """When its server may forget it; None for never."""
        return None if self.ttl is None else self.opened_at + self.ttl


def keep(connection: Connection, handle: Handle) -> None:
    """Write a handle down; the first of a call stays."""
    leave(connection, table, **{name: getattr(handle, name) for name in Handle.__slots__})


def find(connection: Connection, run_id: str, call_id: str) -> Handle | None:
    """The task of this call, if it became one."""
    row = connection.execute(select(table).where(_is(run_id, call_id))).one_or_none()
    return None if row is None else _handle(row)


def of_run(connection: Connection, run_id: str) -> list[Handle]:
    """The tasks of a run's calls, the oldest first."""
    wanted = select(table).where(table.c.run_id == run_id)
    rows = connection.execute(wanted.order_by(table.c.opened_at, table.c.call_id))
    return [_handle(row) for row in rows]


def seen(connection: Connection, handle: Handle) -> None:
    """Write down how a task stands, unless it has ended here."""
    values: dict[str, Any] = {
        name: getattr(handle, name)
        for name in ("ttl", "poll", "looks", "look_at", "status", "said")
    }
    still = table.c.ended_at.is_(None)
    connection.execute(
        update(table).where(_is(handle.run_id, handle.call_id), still).values(**values)
    )


def end(connection: Connection, handle: Handle, status: str, at: float) -> None:
    """Nobody follows it any more; the first end stays."""
    still = table.c.ended_at.is_(None)
    connection.execute(
        update(table)
        .where(_is(handle.run_id, handle.call_id), still)
        .values(status=status, ended_at=at)
    )


def late(
    connection: Connection, handle: Handle, status: str, said: str, artifact: str | None
) -> None:
    """Write down what became of a task that nobody followed any more."""
    values = {"status": status, "said": said, "artifact": artifact}
    connection.execute(update(table).where(_is(handle.run_id, handle.call_id)).values(**values))


def _is(run_id: str, call_id: str) -> Any:
    return (table.c.run_id == run_id) & (table.c.call_id == call_id)


def _handle(row: Row[Any]) -> Handle:
    return Handle(**row._mapping)  # noqa: SLF001 - the documented way to a row's names
