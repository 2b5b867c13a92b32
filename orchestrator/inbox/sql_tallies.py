"""The transactions that count what acts, and let go on what waited for a run to end; they know no rule and no clock.

On Postgres each bucket is locked before it is read, in one order, so that two doorbells can't both take what was
left; SQLite has one writer.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, delete, exists, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from orchestrator.inbox.inbox import Decision, DecisionState
from orchestrator.inbox.judging import counts
from orchestrator.inbox.judging import judged as one_judged
from orchestrator.inbox.schema import DECISIONS, TALLIES
from orchestrator.inbox.sought import HELD, OPEN
from orchestrator.inbox.sql_lanes import running
from orchestrator.inbox.tallies import Counted, Tally

SWEPT: Final = 64
"""Rows past their use that go for each event that is counted: more than come, so they never pile up."""

_LOCK: Final = text("SELECT pg_advisory_xact_lock(hashtextextended(:bucket, 4))")
_READY: Final = DECISIONS.c.state == DecisionState.READY


def judged(connection: Connection, decisions: Sequence[Decision], now: datetime) -> list[Decision]:
    """The decisions as they must be written; what acts under a limit is counted, and what is past its use goes."""
    if not any(counts(decision) for decision in decisions):
        return list(decisions)
    written = held_against(connection, decisions)
    _sweep(connection, now)
    return written


def held_against(connection: Connection, decisions: Sequence[Decision]) -> list[Decision]:
    """The decisions as they must be written; what acts under a limit is counted."""
    tallies = [tally for decision in decisions if counts(decision) for tally in decision.tallies]
    _lock(connection, {tally.bucket for tally in tallies})
    found = {tally.bucket: _counted(connection, tally) for tally in tallies}
    written = [one_judged(decision, found) for decision in decisions]
    for decision in filter(counts, written):
        _count(connection, decision)
    return written


def hasten(connection: Connection, cause: str, limit: int, now: datetime) -> int:
    """Make the oldest due that wait for another run of their rule to end."""
    ahead = DECISIONS.alias("ahead")
    blocked = exists().where(
        ahead.c.lane == DECISIONS.c.lane,
        ahead.c.state == DecisionState.READY,
        ahead.c.lane_number < DECISIONS.c.lane_number,
    )
    held = (
        select(DECISIONS.c.id)
        .where(_READY, DECISIONS.c.cause == cause, DECISIONS.c.leased_until.is_(None), ~blocked)
        .where(DECISIONS.c.note.startswith(HELD), DECISIONS.c.note.endswith(OPEN))
        .where(*running(connection))
        .order_by(DECISIONS.c.number)
        .limit(limit)
    )
    ids = connection.scalars(held).all()
    if not ids:
        return 0
    connection.execute(
        update(DECISIONS)
        .where(DECISIONS.c.id.in_(ids), _READY, DECISIONS.c.leased_until.is_(None))
        .values(due_at=now)
    )
    return len(ids)


def _lock(connection: Connection, buckets: Iterable[str]) -> None:
    if connection.dialect.name == "postgresql":
        for bucket in sorted(buckets):
            connection.execute(_LOCK, {"bucket": bucket})


def _counted(connection: Connection, tally: Tally) -> list[Counted]:
    near = select(TALLIES.c.at, TALLIES.c.event_id).where(
        TALLIES.c.bucket == tally.bucket,
        TALLIES.c.at > tally.at - tally.window,
        TALLIES.c.at < tally.at + tally.window,
    )
    return [Counted(at=row.at, event_id=row.event_id) for row in connection.execute(near)]


def _count(connection: Connection, decision: Decision) -> None:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    rows = [
        {"bucket": one.bucket, "at": one.at, "event_id": decision.event_id, "until": one.until}
        for one in decision.tallies
    ]
    connection.execute(dialect.insert(TALLIES).on_conflict_do_nothing(), rows)


def _sweep(connection: Connection, now: datetime) -> None:
    past = (
        select(TALLIES.c.bucket, TALLIES.c.at, TALLIES.c.event_id)
        .where(TALLIES.c.until < now)
        .order_by(TALLIES.c.until)
        .limit(SWEPT)
        .with_for_update(skip_locked=True)
    )
    for row in connection.execute(past).all():
        connection.execute(
            delete(TALLIES).where(
                TALLIES.c.bucket == row.bucket,
                TALLIES.c.at == row.at,
                TALLIES.c.event_id == row.event_id,
            )
        )
