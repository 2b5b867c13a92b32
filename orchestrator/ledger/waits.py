"""Waits: what parked runs want to hear, found by correlation key, ended once by compare-and-set.

A wait is committed before anybody looks for its event. `looked` says that the inbox was searched for an event
that came before the wait; until then the dispatcher searches again (mechanics: rendezvous).

    prepared --> open --> resolved | expired | interrupted | closed
                   `--> left (its call has an answer; the event is still heard) --> resolved | expired | closed
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, and_, or_, select, update

from orchestrator.ledger.calls import APPLIED
from orchestrator.ledger.schema import waits
from orchestrator.ledger.upsert import leave

OPEN: Final = "open"
LEFT: Final = "left"
PREPARED: Final = "prepared"
CLOSED: Final = "closed"
LISTENING: Final = (OPEN, LEFT)
"""The states in which an event is wanted."""

PAGE: Final = 100

REMEMBERED: Final = 7 * 86_400.0
"""Seconds for which it is known of a wait that has ended who waited for what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """One wait. `patterns` are globs over `source/type`; `since` is a position in the inbox, exclusive.

    `cel` is what must hold of an event that ends it; empty, every one does. A prepared wait has no key yet.
    """

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
    cel: str = ""
    ended_at: float | None = None


def wait_id_of(run_id: str, call_id: str) -> str:
    """The id of the wait of this call; there is one at most."""
    return f"wait_{hashlib.sha256(f'{run_id}/{call_id}'.encode()).hexdigest()[:16]}"


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
        state=wait.state,
        looked=False,
        cel=wait.cel,
    )
    return one(connection, wait.wait_id)


def renew(connection: Connection, wait: Wait) -> None:
    """Expect it anew from here on, where a run that is gone left it behind and its call was never sent."""
    connection.execute(
        update(waits)
        .where(waits.c.wait_id == wait.wait_id, waits.c.state.in_((OPEN, PREPARED, CLOSED)))
        .values(
            state=wait.state,
            key=wait.key,
            since=wait.since,
            opened_at=wait.opened_at,
            deadline_at=wait.deadline_at,
            looked=False,
            ended_at=None,
        )
    )


def open_(
    connection: Connection, wait_id: str, key: str, opened_at: float, deadline_at: float
) -> Wait:
    """Open a prepared wait, now that its key is known; an open one, and one that has ended, stays as it is."""
    connection.execute(
        update(waits)
        .where(waits.c.wait_id == wait_id, waits.c.state == PREPARED)
        .values(state=OPEN, key=key, opened_at=opened_at, deadline_at=deadline_at, looked=False)
    )
    return one(connection, wait_id)


def end(
    connection: Connection, wait_id: str, state: str, event_id: str | None, at: float = 0.0
) -> bool:
    """End a wait; True for the first end and for every repeat of it."""
    if settle(connection, wait_id, state, event_id, at):
        return True
    found = one(connection, wait_id)
    return found.state == state and found.event_id == event_id


def settle(
    connection: Connection, wait_id: str, state: str, event_id: str | None, at: float
) -> bool:
    """End a wait; True for the first end only."""
    ended = connection.execute(
        update(waits)
        .where(waits.c.wait_id == wait_id, waits.c.state.in_((*LISTENING, PREPARED)))
        .values(state=state, event_id=event_id, ended_at=at)
    )
    return ended.rowcount == 1


def leave_open(connection: Connection, wait_id: str) -> bool:
    """Its call gets its answer without the event, which is still heard when it comes; False where it is so already."""
    left = connection.execute(
        update(waits).where(waits.c.wait_id == wait_id, waits.c.state == OPEN).values(state=LEFT)
    )
    return left.rowcount == 1


def close(connection: Connection, run_id: str, at: float) -> None:
    """End what is left of the waits of a conversation that has ended; what a person applied is heard beyond it."""
    connection.execute(
        update(waits)
        .where(
            waits.c.run_id == run_id,
            waits.c.state.in_((*LISTENING, PREPARED)),
            waits.c.call_id.not_like(f"%{APPLIED}"),
        )
        .values(state=CLOSED, ended_at=at)
    )


def wanting(connection: Connection, keys: Sequence[str]) -> list[Wait]:
    """Open waits for any of these keys, the oldest first."""
    rows = connection.execute(
        select(waits)
        .where(waits.c.state.in_(LISTENING), waits.c.key.in_(keys))
        .order_by(waits.c.opened_at, waits.c.wait_id)
    )
    return [_wait(row) for row in rows]


def known(connection: Connection, keys: Sequence[str], at: float) -> list[Wait]:
    """Waits for any of these keys, open or ended not long ago, the oldest first."""
    lately = and_(waits.c.ended_at.is_not(None), waits.c.ended_at > at - REMEMBERED)
    rows = connection.execute(
        select(waits)
        .where(waits.c.key.in_(keys), or_(waits.c.state.in_(LISTENING), lately))
        .order_by(waits.c.opened_at, waits.c.wait_id)
    )
    return [_wait(row) for row in rows]


def unlooked(connection: Connection, after: str = "", limit: int = PAGE) -> list[Wait]:
    """Open waits for which nobody has searched the inbox yet, in the order of their ids, those after one."""
    rows = connection.execute(
        select(waits)
        .where(waits.c.state.in_(LISTENING), waits.c.looked.is_(False), waits.c.wait_id > after)
        .order_by(waits.c.wait_id)
        .limit(limit)
    )
    return [_wait(row) for row in rows]


def left_over(
    connection: Connection, before: float, after: str = "", limit: int = PAGE
) -> list[Wait]:
    """Waits beyond their turn whose time was up before then, in the order of their ids, those after one."""
    rows = connection.execute(
        select(waits)
        .where(
            # Both, because the index over the states begins with it.
            waits.c.looked.in_((True, False)),
            waits.c.state == LEFT,
            waits.c.deadline_at < before,
            waits.c.wait_id > after,
        )
        .order_by(waits.c.wait_id)
        .limit(limit)
    )
    return [_wait(row) for row in rows]


def of_applied(
    connection: Connection, before: float, after: str = "", limit: int = PAGE
) -> list[Wait]:
    """What calls are to hear that people applied before then and that no turn waits for yet, those after one."""
    rows = connection.execute(
        select(waits)
        .where(
            # Both, because the index over the states begins with it.
            waits.c.looked.in_((True, False)),
            waits.c.state.in_((OPEN, PREPARED)),
            waits.c.call_id.like(f"%{APPLIED}"),
            waits.c.opened_at < before,
            waits.c.wait_id > after,
        )
        .order_by(waits.c.wait_id)
        .limit(limit)
    )
    return [_wait(row) for row in rows]


def strand(connection: Connection, wait: Wait, state: str, at: float) -> bool:
    """Nobody will say any more what becomes of it; False where somebody has since it was read."""
    ended = connection.execute(
        update(waits)
        .where(
            waits.c.wait_id == wait.wait_id,
            waits.c.state == wait.state,
            waits.c.opened_at == wait.opened_at,
        )
        .values(state=state, ended_at=at if state == CLOSED else None)
    )
    return ended.rowcount == 1


def looked(connection: Connection, wait_ids: Sequence[str]) -> None:
    """The inbox was searched for these."""
    connection.execute(update(waits).where(waits.c.wait_id.in_(wait_ids)).values(looked=True))


def of_run(connection: Connection, run_id: str) -> list[Wait]:
    """The waits of a conversation, oldest first."""
    rows = connection.execute(
        select(waits).where(waits.c.run_id == run_id).order_by(waits.c.opened_at)
    )
    return [_wait(row) for row in rows]


def find(connection: Connection, wait_id: str) -> Wait | None:
    """The wait of that id, if there is one."""
    row = connection.execute(select(waits).where(waits.c.wait_id == wait_id)).one_or_none()
    return None if row is None else _wait(row)


def one(connection: Connection, wait_id: str) -> Wait:
    """The wait of that id. Raises sqlalchemy's NoResultFound."""
    return _wait(connection.execute(select(waits).where(waits.c.wait_id == wait_id)).one())


def _wait(row: Row[Any]) -> Wait:
    values = dict(row._mapping)  # noqa: SLF001 - the documented way to a row's names
    values["patterns"] = tuple(json.loads(values["patterns"]))
    values["cel"] = values["cel"] or ""
    return Wait(**values)
