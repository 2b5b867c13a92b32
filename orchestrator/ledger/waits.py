"""Waits: what parked runs want to hear, found by correlation key, ended once by compare-and-set.

A wait is committed before anybody looks for its event. `looked` says that the inbox was searched for an event
that came before the wait; until then the dispatcher searches again (mechanics: rendezvous).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select, update

from orchestrator.ledger.schema import waits
from orchestrator.ledger.upsert import leave


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """One wait. `patterns` are globs over `source/type`; `since` is a position in the inbox, exclusive."""

    wait_id: str
    run_id: str
    workflow_id: str
    call_id: str
    patterns: tuple[str, ...]
    key: str
    since: int
    opened_at: float
    deadline_at: float
    state: str
    event_id: str | None
    looked: bool = False


def begin(connection: Connection, wait: Wait) -> Wait:
    """Register a wait, or return the one registered for it before."""
    leave(
        connection,
        waits,
        wait_id=wait.wait_id,
        run_id=wait.run_id,
        workflow_id=wait.workflow_id,
        call_id=wait.call_id,
        patterns=json.dumps(wait.patterns),
        key=wait.key,
        since=wait.since,
        opened_at=wait.opened_at,
        deadline_at=wait.deadline_at,
        state="open",
        looked=False,
    )
    return one(connection, wait.wait_id)


def end(connection: Connection, wait_id: str, state: str, event_id: str | None) -> bool:
    """End a wait; True for the first end and for every repeat of it."""
    connection.execute(
        update(waits)
        .where(waits.c.wait_id == wait_id, waits.c.state == "open")
        .values(state=state, event_id=event_id)
    )
    found = one(connection, wait_id)
    return found.state == state and found.event_id == event_id


def wanting(connection: Connection, keys: Sequence[str]) -> list[Wait]:
    """Open waits for any of these keys, the oldest first."""
    rows = connection.execute(
        select(waits)
        .where(waits.c.state == "open", waits.c.key.in_(keys))
        .order_by(waits.c.opened_at)
    )
    return [_wait(row) for row in rows]


def unlooked(connection: Connection, limit: int = 100) -> list[Wait]:
    """Open waits for which nobody has searched the inbox yet."""
    rows = connection.execute(
        select(waits).where(waits.c.state == "open", waits.c.looked.is_(False)).limit(limit)
    )
    return [_wait(row) for row in rows]


def looked(connection: Connection, wait_ids: Sequence[str]) -> None:
    """The inbox was searched for these."""
    connection.execute(update(waits).where(waits.c.wait_id.in_(wait_ids)).values(looked=True))


def of_run(connection: Connection, run_id: str) -> list[Wait]:
    """The waits of a conversation, oldest first."""
    rows = connection.execute(
        select(waits).where(waits.c.run_id == run_id).order_by(waits.c.opened_at)
    )
    return [_wait(row) for row in rows]


def one(connection: Connection, wait_id: str) -> Wait:
    """The wait of that id. Raises sqlalchemy's NoResultFound."""
    return _wait(connection.execute(select(waits).where(waits.c.wait_id == wait_id)).one())


def _wait(row: Row[Any]) -> Wait:
    values = dict(row._mapping)  # noqa: SLF001 - the documented way to a row's names
    values["patterns"] = tuple(json.loads(values["patterns"]))
    return Wait(**values)
