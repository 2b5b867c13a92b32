"""Turns and calls that a pause holds up: whose, since when, and whether their runs were let go on. It pauses nothing.

One row for each. `number` grows with every time that it is held, so that each standstill is ended by one Resume row at
most, whoever writes that twice. It is `open` until it may begin.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Float,
    Index,
    Integer,
    String,
    Table,
    and_,
    case,
    exists,
    or_,
    select,
    update,
)

from orchestrator.ledger.schema import LEDGER, conversations
from orchestrator.ledger.upsert import leave
from workflows.messages import RunState

OPEN: Final = "open"
MET: Final = "met"
GOES_ON: Final = "this goes on by itself"
"""Stands in the reason of a run that parked for a pause."""

table = Table(
    "standstills",
    LEDGER,
    Column("run_id", String, primary_key=True),
    Column("act", String, primary_key=True),
    Column("state", String, nullable=False),
    Column("number", Integer, nullable=False),
    Column("since", Float, nullable=False),
    Column("released", Integer, nullable=False),
    Column("released_at", Float),
    Index("standstills_by_state", "state", "since"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standstill:
    """An act that is held up `since` then; `parked` is whether its run stands still by now."""

    run_id: str
    act: str
    number: int
    since: float
    released: int
    released_at: float | None
    parked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """An open conversation, as far as it matters to a pause."""

    run_id: str
    rule: str
    source: str
    state: RunState
    held: bool


def hold(connection: Connection, run_id: str, act: str, at: float) -> None:
    """It may not begin; held again before it began, it keeps its place in the order."""
    if leave(connection, table, run_id=run_id, act=act, state=OPEN, number=1, since=at, released=0):
        return
    connection.execute(
        update(table)
        .where(table.c.run_id == run_id, table.c.act == act)
        .values(
            number=table.c.number + 1,
            since=case((table.c.state == OPEN, table.c.since), else_=at),
            state=OPEN,
        )
    )


def holds(connection: Connection, run_id: str, act: str | None = None) -> bool:
    """Whether a pause held that act up, or any of the run's, and it has not begun since."""
    mine = [table.c.run_id == run_id, table.c.state == OPEN]
    mine += [] if act is None else [table.c.act == act]
    return connection.execute(select(table.c.run_id).where(*mine).limit(1)).first() is not None


def begin(connection: Connection, run_id: str, act: str) -> None:
    """It begins now."""
    mine = (table.c.run_id == run_id, table.c.act == act, table.c.state == OPEN)
    connection.execute(update(table).where(*mine).values(state=MET))


def standing(
    connection: Connection,
    rules: Collection[str],
    sources: Collection[str],
    since: float,
    limit: int,
) -> list[Standstill]:
    """What is held up though neither its rule nor its source is one of these, or was let go on since then, in order."""
    parked = conversations.c.state == RunState.PARKED
    rows = connection.execute(
        select(table, parked.label("parked"))
        .join(conversations, conversations.c.run_id == table.c.run_id)
        .where(
            table.c.state == OPEN,
            conversations.c.state != RunState.ENDED,
            conversations.c.rule.not_in(rules),
            conversations.c.source.not_in(sources),
            or_(
                and_(table.c.released < table.c.number, parked),
                table.c.released_at > since,
            ),
        )
        .order_by(table.c.since, table.c.run_id, table.c.act)
        .limit(limit)
    )
    return [
        Standstill(
            run_id=row.run_id,
            act=row.act,
            number=row.number,
            since=row.since,
            released=row.released,
            released_at=row.released_at,
            parked=bool(row.parked),
        )
        for row in rows
    ]


def release(connection: Connection, found: Sequence[Standstill], at: float) -> None:
    """The Resume row for these standstills of a run is written."""
    for one in found:
        connection.execute(
            update(table)
            .where(table.c.run_id == one.run_id, table.c.act == one.act)
            .where(table.c.released < one.number)
            .values(released=one.number, released_at=at)
        )


def opened_by(connection: Connection, rule: str | None, source: str | None) -> list[Open]:
    """The open conversations of a rule, or of events of a source."""
    whose = conversations.c.source == source if rule is None else conversations.c.rule == rule
    rows = connection.execute(
        select(
            conversations.c.run_id,
            conversations.c.rule,
            conversations.c.source,
            conversations.c.state,
            _held().label("held"),
        ).where(whose, conversations.c.state != RunState.ENDED)
    )
    return [
        Open(
            run_id=row.run_id,
            rule=row.rule,
            source=row.source,
            state=RunState(row.state),
            held=bool(row.held),
        )
        for row in rows
    ]


def rules_at_work(connection: Connection) -> list[str]:
    """The rules that have an open conversation."""
    wanted = select(conversations.c.rule).where(conversations.c.state != RunState.ENDED)
    return list(connection.scalars(wanted.group_by(conversations.c.rule)))


def is_meant() -> ColumnElement[bool]:
    """Whether a conversation stands still because a person wanted that: nobody has to be told."""
    return and_(_held(), conversations.c.reason.contains(GOES_ON))


def _held() -> ColumnElement[bool]:
    return exists().where(table.c.run_id == conversations.c.run_id, table.c.state == OPEN)
