"""The part of a transaction that carries out what a person ordered; it knows dead letters and pauses.

A word is compared with the state it finds: said twice, or too late, it changes nothing.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Insert, Row, Select, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from orchestrator.inbox.inbox import FOLDED, Action, DecisionState
from orchestrator.inbox.orders import Discard, Drain, Hold, Order, Pausable, Pause, Retry
from orchestrator.inbox.schema import DECISIONS, ENTRIES, PAUSES
from orchestrator.inbox.sql_folds import unfold
from orchestrator.inbox.sql_lanes import number_in

DEAD: Final = DECISIONS.c.state == DecisionState.DEAD
PAUSED: Final[Select[Any]] = (
    select(PAUSES).where(PAUSES.c.paused).order_by(PAUSES.c.what, PAUSES.c.name)
)


def _remember(insert: Any) -> Insert:
    new = insert(PAUSES).values({column.name: bindparam(column.name) for column in PAUSES.c})
    told = {name: new.excluded[name] for name in ("paused", "by", "at", "position")}
    newest: Insert = new.on_conflict_do_update(
        index_elements=["what", "name"],
        set_=told,
        where=PAUSES.c.position < new.excluded.position,
    )
    return newest


REMEMBER: Final[Mapping[str, Insert]] = {
    "sqlite": _remember(sqlite_insert),
    "postgresql": _remember(postgres_insert),
}


def carry_out(connection: Connection, order: Order, event_id: str, now: datetime) -> None:
    """Do what the word in this entry orders."""
    match order:
        case Retry():
            _retry(connection, order, now)
        case Discard():
            _discard(connection, order)
        case Hold():
            _pause(connection, event_id, now, what=order.what, name=order.name, by=order.by)
        case Drain():
            _pause(connection, event_id, now, what=order.what, name=order.name, by=None)


def pauses(connection: Connection) -> list[Pause]:
    """What is paused now."""
    return [
        Pause(what=Pausable(row.what), name=row.name, by=row.by, at=row.at)
        for row in connection.execute(PAUSED)
    ]


def _retry(connection: Connection, order: Retry, now: datetime) -> None:
    dead = _dead(connection, order.decision_id)
    if dead is None:
        return
    if dead.action == Action.RESUME:
        _fold(connection, dead)
    number = None if dead.lane is None else number_in(connection, dead.lane)
    values = {"state": DecisionState.READY, "attempts": 0, "note": None, "due_at": now}
    connection.execute(
        update(DECISIONS)
        .where(DECISIONS.c.id == dead.id)
        .values(lane_number=number, leased_until=None, **values)
    )


def _discard(connection: Connection, order: Discard) -> None:
    dead = _dead(connection, order.decision_id)
    if dead is None:
        return
    connection.execute(
        update(DECISIONS)
        .where(DECISIONS.c.id == dead.id)
        .values(state=DecisionState.SETTLED, note=order.note)
    )
    if dead.action == Action.RESUME:
        unfold(connection, dead.event_id, dead.workflow_id, dead.again)


def _dead(connection: Connection, decision_id: str) -> Row[Any] | None:
    # The entry's lock comes first, as everywhere: pruning takes it too.
    event = select(DECISIONS.c.event_id).where(DECISIONS.c.id == decision_id).scalar_subquery()
    connection.execute(select(ENTRIES.c.id).where(ENTRIES.c.id == event).with_for_update())
    found = select(DECISIONS).where(DECISIONS.c.id == decision_id, DEAD).with_for_update()
    return connection.execute(found).one_or_none()


def _fold(connection: Connection, resume: Row[Any]) -> None:
    # Its start became ready when it was buried: what nobody has taken yet must not reach the run twice.
    connection.execute(
        update(DECISIONS)
        .where(
            DECISIONS.c.event_id == resume.event_id,
            DECISIONS.c.workflow_id == resume.workflow_id,
            DECISIONS.c.again.is_not_distinct_from(resume.again),
            DECISIONS.c.action == Action.START,
            DECISIONS.c.state == DecisionState.READY,
            DECISIONS.c.leased_until.is_(None),
        )
        .values(state=DecisionState.FOLDED, lane_number=None, reason=FOLDED)
    )


def _pause(
    connection: Connection,
    event_id: str,
    now: datetime,
    *,
    what: Pausable,
    name: str,
    by: str | None,
) -> None:
    word = select(ENTRIES.c.position).where(ENTRIES.c.id == event_id)
    told = {
        "what": what,
        "name": name,
        "paused": by is not None,
        "by": by or "",
        "at": now,
        "position": connection.scalars(word).one(),
    }
    connection.execute(REMEMBER[connection.dialect.name], told)
