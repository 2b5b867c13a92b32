"""The transactions that lease, settle and bury decisions; they know lanes and what is paused, and act on nothing.

A lane's number is taken under the lane row's lock, so numbers become visible in their order. Of each lane only
the lowest undelivered number can be leased; but a wake-up passes starts that stand behind their rule's limit. Settling
is a compare-and-set on the fence of the newest claim.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    and_,
    bindparam,
    case,
    column,
    exists,
    func,
    literal,
    or_,
    select,
    table,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from orchestrator.inbox import rows
from orchestrator.inbox.inbox import Action, Ahead, DecisionState, EntryState, Lease
from orchestrator.inbox.orders import Pausable
from orchestrator.inbox.schema import DECISIONS, ENTRIES, LANES, PAUSES
from orchestrator.inbox.sought import HELD, OPEN


def _following(count: Select[Any]) -> ColumnElement[int]:
    return func.coalesce(count.scalar_subquery(), 0) + 1


_NEXT: Final = {"last": LANES.c.last + 1}
# A lane that was forgotten never counts from 1 again: a run that is open since then would take what is new for late.
# No lane is ahead of the count of decisions, which never falls, so what follows that is beyond all that it ever gave.
_OF_SQLITE: Final[Select[Any]] = select(column("seq")).select_from(table("sqlite_sequence"))
_OF_POSTGRES: Final = select(
    func.pg_sequence_last_value(text("pg_get_serial_sequence('decisions', 'number')::regclass"))
)
NEXT_NUMBER: Final = {
    "sqlite": sqlite_insert(LANES)
    .values(
        lane=bindparam("lane"),
        last=_following(_OF_SQLITE.where(column("name") == DECISIONS.name)),
    )
    .on_conflict_do_update(index_elements=["lane"], set_=_NEXT)
    .returning(LANES.c.last),
    "postgresql": postgres_insert(LANES)
    .values(lane=bindparam("lane"), last=_following(_OF_POSTGRES))
    .on_conflict_do_update(index_elements=["lane"], set_=_NEXT)
    .returning(LANES.c.last),
}
_READY: Final = DECISIONS.c.state == DecisionState.READY


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


def number_in(connection: Connection, lane: str) -> int:
    """The next number of a lane; its row stays locked until the transaction ends."""
    number: int = connection.scalars(NEXT_NUMBER[connection.dialect.name], {"lane": lane}).one()
    return number


def ahead(connection: Connection, decision_ids: Sequence[str]) -> dict[str, Ahead]:
    """The foremost of what each of these must wait for in its lane."""
    before = DECISIONS.alias("ahead")
    foremost = (
        select(DECISIONS.c.id, before.c.lane, func.min(before.c.lane_number).label("number"))
        .join_from(DECISIONS, before, _before(before))
        .where(_READY, DECISIONS.c.id.in_(decision_ids))
        .group_by(DECISIONS.c.id, before.c.lane)
        .subquery()
    )
    mine = and_(
        DECISIONS.c.lane == foremost.c.lane,
        DECISIONS.c.lane_number == foremost.c.number,
        _READY,
    )
    found = (
        select(DECISIONS, foremost.c.id.label("behind"), ENTRIES.c.source)
        .join_from(DECISIONS, foremost, mine)
        .join(ENTRIES, ENTRIES.c.id == DECISIONS.c.event_id)
    )
    return {
        row["behind"]: Ahead(decision=rows.decision(dict(row)), source=row["source"])
        for row in connection.execute(found).mappings()
    }


def claim(
    connection: Connection,
    now: datetime,
    lease: timedelta,
    limit: int,
    actions: Collection[Action] | None,
) -> list[Lease]:
    """Lease the heads of the lanes that are due, free and not paused, oldest decisions first."""
    wanted = [] if actions is None else [DECISIONS.c.action.in_(actions)]
    statement = _heads(now, limit).where(*wanted, *running(connection))
    heads = [dict(row) for row in connection.execute(statement).mappings()]
    if not heads:
        return []
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
    """Mark it delivered, or a forward settled, if the claim still holds."""
    state = case(
        (DECISIONS.c.action == Action.FORWARD, literal(DecisionState.SETTLED)),
        else_=literal(DecisionState.DELIVERED),
    )
    return _end(connection, decision_id, fence, {"state": state, "delivered_at": now, "note": None})


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


def running(connection: Connection) -> list[ColumnElement[bool]]:
    """What a decision must be in order not to be paused; mostly nothing is."""
    paused: dict[str, list[str]] = {what: [] for what in Pausable}
    for row in connection.execute(select(PAUSES.c.what, PAUSES.c.name).where(PAUSES.c.paused)):
        paused[row.what].append(row.name)
    conditions: list[ColumnElement[bool]] = []
    if paused[Pausable.RULE]:
        conditions.append(DECISIONS.c.rule.not_in(paused[Pausable.RULE]))
    if paused[Pausable.SOURCE]:
        rung = exists().where(
            ENTRIES.c.id == DECISIONS.c.event_id, ENTRIES.c.source.in_(paused[Pausable.SOURCE])
        )
        conditions.append(~rung)
    return conditions


def undelivered(connection: Connection) -> dict[str, int]:
    """Ready decisions, counted by rule."""
    counted = select(DECISIONS.c.rule, func.count().label("many")).where(_READY)
    found = connection.execute(counted.group_by(DECISIONS.c.rule))
    return {row.rule: row.many for row in found}


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


def _heads(now: datetime, limit: int) -> Select[Any]:
    blocked = exists().where(_before(DECISIONS.alias("ahead")))
    return (
        select(DECISIONS)
        .where(_READY, DECISIONS.c.due_at <= now, _free(now), ~blocked)
        .order_by(DECISIONS.c.number)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )


def _before(ahead: FromClause) -> ColumnElement[bool]:
    """Whether it has to be delivered first."""
    passed = and_(
        DECISIONS.c.action == Action.RESUME, ahead.c.action == Action.START, _behind_a_limit(ahead)
    )
    return and_(
        ahead.c.lane == DECISIONS.c.lane,
        ahead.c.state == DecisionState.READY,
        ahead.c.lane_number < DECISIONS.c.lane_number,
        ~passed,
    )


def _behind_a_limit(ahead: FromClause) -> ColumnElement[bool]:
    """Whether it, or a start before it in its lane, is held until other runs end: a wake-up is held by no limit."""
    held = DECISIONS.alias("held")
    return exists().where(
        held.c.lane == ahead.c.lane,
        held.c.state == DecisionState.READY,
        held.c.lane_number <= ahead.c.lane_number,
        held.c.note.startswith(HELD),
        held.c.note.endswith(OPEN),
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
