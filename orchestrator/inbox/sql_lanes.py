"""The transactions that write decisions, and lease, settle and bury them; they know lanes, and act on nothing.

A lane's number is taken under the lane row's lock, so numbers become visible in their order. Of each lane only
the lowest undelivered number can be leased. Settling is a compare-and-set on the fence of the newest claim.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from orchestrator.inbox import rows
from orchestrator.inbox.inbox import Decision, DecisionState, EntryState, Lease
from orchestrator.inbox.schema import DECISIONS, ENTRIES, LANES

_NEXT: Final = {"last": LANES.c.last + 1}
NEXT_NUMBER: Final = {
    "sqlite": sqlite_insert(LANES)
    .values(lane=bindparam("lane"), last=1)
    .on_conflict_do_update(index_elements=["lane"], set_=_NEXT)
    .returning(LANES.c.last),
    "postgresql": postgres_insert(LANES)
    .values(lane=bindparam("lane"), last=1)
    .on_conflict_do_update(index_elements=["lane"], set_=_NEXT)
    .returning(LANES.c.last),
}
_READY: Final = DECISIONS.c.state == DecisionState.READY


def decide(
    connection: Connection, event_id: str, decisions: Sequence[Decision], now: datetime
) -> None:
    """Write the decisions and mark the entry decided; an entry decided before keeps what was decided."""
    decided = connection.execute(
        update(ENTRIES)
        .where(ENTRIES.c.id == event_id, ENTRIES.c.state == EntryState.RECEIVED)
        .values(state=EntryState.DECIDED)
    )
    if decided.rowcount:
        _write(connection, decisions, now)


def close(connection: Connection, decision_ids: Sequence[str]) -> None:
    """Runs have taken these."""
    connection.execute(
        update(DECISIONS)
        .where(DECISIONS.c.id.in_(decision_ids), DECISIONS.c.state == DecisionState.DELIVERED)
        .values(state=DecisionState.SETTLED)
    )


def reopen(connection: Connection, decision_id: str) -> None:
    """Make a delivered one ready again, in its old place of the lane."""
    connection.execute(
        update(DECISIONS)
        .where(DECISIONS.c.id == decision_id, DECISIONS.c.state == DecisionState.DELIVERED)
        .values(state=DecisionState.READY)
    )


def free_leases(connection: Connection) -> None:
    """Whoever held them is gone."""
    connection.execute(update(DECISIONS).where(_READY).values(leased_until=None))


def unfold(connection: Connection, event_id: str, workflow_id: str) -> None:
    """Give a folded start a number in its lane."""
    folded = (
        DECISIONS.c.event_id == event_id,
        DECISIONS.c.workflow_id == workflow_id,
        DECISIONS.c.state == DecisionState.FOLDED,
    )
    for lane in connection.scalars(select(DECISIONS.c.lane).where(*folded)).all():
        number = connection.scalars(NEXT_NUMBER[connection.dialect.name], {"lane": lane}).one()
        connection.execute(
            update(DECISIONS)
            .where(*folded, DECISIONS.c.lane == lane)
            .values(state=DecisionState.READY, lane_number=number)
        )


def add(connection: Connection, decisions: Sequence[Decision], now: datetime) -> None:
    """Write later decisions; known ids are left alone, and so are tombstones."""
    events = sorted({decision.event_id for decision in decisions})
    # The entries' locks make two that add the same id take turns.
    locked = connection.execute(
        select(ENTRIES.c.id, ENTRIES.c.state)
        .where(ENTRIES.c.id.in_(events))
        .order_by(ENTRIES.c.id)
        .with_for_update()
    ).all()
    pruned = {row.id for row in locked if row.state == EntryState.PRUNED}
    _write(connection, [one for one in decisions if one.event_id not in pruned], now)


def claim(connection: Connection, now: datetime, lease: timedelta, limit: int) -> list[Lease]:
    """Lease the heads of the lanes that are due and free, oldest decisions first."""
    heads = [dict(row) for row in connection.execute(_heads(now, limit)).mappings()]
    until = now + lease
    connection.execute(
        update(DECISIONS)
        .where(DECISIONS.c.id.in_([head["id"] for head in heads]))
        .values(fence=DECISIONS.c.fence + 1, leased_until=until)
    )
    return [
        Lease(decision=rows.decision(head), fence=head["fence"] + 1, until=until) for head in heads
    ]


def settle(connection: Connection, decision_id: str, fence: int, now: datetime) -> bool:
    """Mark it delivered, if the claim still holds."""
    return _end(
        connection,
        decision_id,
        fence,
        {"state": DecisionState.DELIVERED, "delivered_at": now, "note": None},
    )


def release(
    connection: Connection,
    decision_id: str,
    fence: int,
    until: datetime,
    reason: str,
    *,
    count: bool,
) -> bool:
    """Give the claim back, if it still holds."""
    attempts = DECISIONS.c.attempts + int(count)
    return _end(
        connection, decision_id, fence, {"due_at": until, "note": reason, "attempts": attempts}
    )


def bury(connection: Connection, decision_id: str, fence: int, reason: str) -> bool:
    """Make it a dead letter, if the claim still holds."""
    return _end(connection, decision_id, fence, {"state": DecisionState.DEAD, "note": reason})


def waiting(connection: Connection) -> int:
    """Received entries and ready decisions."""
    entries = select(func.count()).where(ENTRIES.c.state == EntryState.RECEIVED)
    decisions = select(func.count()).where(_READY)
    return connection.scalars(entries).one() + connection.scalars(decisions).one()


def backlog(connection: Connection, source: str) -> int:
    """Entries of a source that are received, or have a ready decision."""
    undecided = select(func.count()).where(
        ENTRIES.c.state == EntryState.RECEIVED, ENTRIES.c.source == source
    )
    undelivered = (
        select(func.count(DECISIONS.c.event_id.distinct()))
        .join(ENTRIES, ENTRIES.c.id == DECISIONS.c.event_id)
        .where(_READY, ENTRIES.c.source == source, ENTRIES.c.state != EntryState.RECEIVED)
    )
    return connection.scalars(undecided).one() + connection.scalars(undelivered).one()


def _write(connection: Connection, decisions: Sequence[Decision], now: datetime) -> None:
    ids = [decision.id for decision in decisions]
    known = set(connection.scalars(select(DECISIONS.c.id).where(DECISIONS.c.id.in_(ids))))
    new = {
        decision.id: rows.decision_row(decision, now)
        for decision in decisions
        if decision.id not in known
    }
    # Lanes are locked in one order, or two transactions could wait for each other.
    for row in sorted(new.values(), key=lambda row: row["lane"] or ""):
        if row["lane"] is not None and row["state"] == DecisionState.READY:
            number = NEXT_NUMBER[connection.dialect.name]
            row["lane_number"] = connection.scalars(number, {"lane": row["lane"]}).one()
    if new:
        connection.execute(insert(DECISIONS), list(new.values()))


def _heads(now: datetime, limit: int) -> Select[Any]:
    ahead = DECISIONS.alias("ahead")
    blocked = exists().where(
        ahead.c.lane == DECISIONS.c.lane,
        ahead.c.state == DecisionState.READY,
        ahead.c.lane_number < DECISIONS.c.lane_number,
    )
    return (
        select(DECISIONS)
        .where(_READY, DECISIONS.c.due_at <= now, _free(now), ~blocked)
        .order_by(DECISIONS.c.number)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )


def _free(now: datetime) -> ColumnElement[bool]:
    return or_(DECISIONS.c.leased_until.is_(None), DECISIONS.c.leased_until <= now)


def _end(connection: Connection, decision_id: str, fence: int, values: dict[str, Any]) -> bool:
    mine = and_(
        DECISIONS.c.id == decision_id,
        DECISIONS.c.fence == fence,
        DECISIONS.c.leased_until.is_not(None),
        _READY,
    )
    ended = connection.execute(update(DECISIONS).where(mine).values(leased_until=None, **values))
    return ended.rowcount == 1
