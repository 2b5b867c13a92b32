"""The transactions that forget: entries become tombstones, tombstones go; they know no policy and no clock.

Whoever decides later on an entry locks it first, and so does pruning, so that nothing is decided on a body that
is going.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Select,
    and_,
    delete,
    exists,
    insert,
    or_,
    select,
)

from orchestrator.inbox import rows
from orchestrator.inbox.inbox import DecisionState, Entry, EntryState
from orchestrator.inbox.schema import DECISIONS, ENTRIES, KEYS, LANES, PRUNABLE, TOMBSTONE

OPEN: Final = (DecisionState.READY, DecisionState.DELIVERED)
SOURCES: Final = select(ENTRIES.c.source).where(PRUNABLE).distinct().order_by(ENTRIES.c.source)
STAYS: Final = [column for column in ENTRIES.c if column.name not in rows.tombstone()]


def prunable(
    columns: Sequence[Column[Any]], source: str, before: datetime, limit: int, after: Entry | None
) -> Select[Any]:
    """The statement that finds entries with nothing left to do, oldest first."""
    left = exists().where(DECISIONS.c.event_id == ENTRIES.c.id, DECISIONS.c.state.in_(OPEN))
    statement = (
        select(*columns)
        .where(PRUNABLE, ENTRIES.c.source == source, ENTRIES.c.received_at < before, ~left)
        .order_by(ENTRIES.c.received_at, ENTRIES.c.position)
        .limit(limit)
    )
    return statement if after is None else statement.where(_beyond(after))


def prune(connection: Connection, event_ids: Collection[str]) -> int:
    """Make tombstones of those that still have nothing left to do; says how many."""
    done = _locked(connection, event_ids)
    lanes = _emptied(connection, done)
    _drop(connection, [row.position for row in done if row.state == EntryState.QUARANTINED])
    _bury(connection, [row.position for row in done if row.state == EntryState.DECIDED])
    _forget_lanes(connection, lanes)
    return len(done)


def forget(connection: Connection, before: datetime, limit: int) -> int:
    """Remove the oldest tombstones of deliveries received before then; says how many."""
    oldest = (
        select(ENTRIES.c.position)
        .where(TOMBSTONE, ENTRIES.c.received_at < before)
        .order_by(ENTRIES.c.received_at)
        .limit(limit)
    )
    return _drop(connection, connection.scalars(oldest).all())


def _beyond(after: Entry) -> ColumnElement[bool]:
    same = and_(ENTRIES.c.received_at == after.received_at, ENTRIES.c.position > after.position)
    return or_(ENTRIES.c.received_at > after.received_at, same)


def _locked(connection: Connection, event_ids: Collection[str]) -> list[Any]:
    entries = connection.execute(
        select(ENTRIES.c.id, ENTRIES.c.position, ENTRIES.c.state)
        .where(ENTRIES.c.id.in_(event_ids), PRUNABLE)
        .order_by(ENTRIES.c.id)
        .with_for_update()
    ).all()
    decisions = connection.execute(
        select(DECISIONS.c.event_id, DECISIONS.c.state)
        .where(DECISIONS.c.event_id.in_([row.id for row in entries]))
        .order_by(DECISIONS.c.number)
        .with_for_update()
    )
    busy = {row.event_id for row in decisions if row.state in OPEN}
    return [row for row in entries if row.id not in busy]


def _emptied(connection: Connection, done: Sequence[Any]) -> set[str]:
    mine = DECISIONS.c.event_id.in_([row.id for row in done])
    lanes = set(connection.scalars(select(DECISIONS.c.lane).where(mine).distinct()))
    connection.execute(delete(DECISIONS).where(mine))
    connection.execute(delete(KEYS).where(KEYS.c.position.in_([row.position for row in done])))
    return lanes - {None}


def _drop(connection: Connection, positions: Sequence[int]) -> int:
    if positions:
        connection.execute(delete(ENTRIES).where(ENTRIES.c.position.in_(positions)))
    return len(positions)


def _bury(connection: Connection, positions: Sequence[int]) -> None:
    # Taken out and put back: SQLite gives no page back to what comes later for a row that only shrinks.
    stays = select(*STAYS).where(ENTRIES.c.position.in_(positions)).order_by(ENTRIES.c.position)
    stones = [{**row, **rows.tombstone()} for row in connection.execute(stays).mappings()]
    _drop(connection, positions)
    if stones:
        connection.execute(insert(ENTRIES), stones)


def _forget_lanes(connection: Connection, lanes: set[str]) -> None:
    # The lane's row is locked first: who takes a number in it waits, and then counts on from all that was decided.
    mine = select(LANES.c.lane).where(LANES.c.lane.in_(lanes)).order_by(LANES.c.lane)
    connection.execute(mine.with_for_update()).all()
    used: set[str | None] = set()
    for state in OPEN:
        in_use = select(DECISIONS.c.lane).where(
            DECISIONS.c.state == state, DECISIONS.c.lane.in_(lanes)
        )
        used |= set(connection.scalars(in_use))
    connection.execute(delete(LANES).where(LANES.c.lane.in_(lanes - used)))
