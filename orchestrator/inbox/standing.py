"""How much stands in the inbox, counted when somebody scrapes; it changes nothing and knows no delivery.

It reads partial indexes of what is still to be worked off, so it costs as much as there is to do, however much is kept.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select

from orchestrator.database import Database
from orchestrator.inbox.inbox import DecisionState, EntryState
from orchestrator.inbox.schema import DECISIONS, ENTRIES
from orchestrator.inbox.sought import HELD
from orchestrator.telemetry import catalogue
from orchestrator.telemetry.registry import Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is still to be worked off. `oldest` is when the oldest of it was received."""

    waiting: int
    backlog: dict[str, int]
    oldest: datetime | None
    dead: int
    leases: int


def standing(connection: Connection, now: datetime) -> Standing:
    """Count."""
    ready = DECISIONS.c.state == DecisionState.READY
    received = select(ENTRIES.c.source, func.count(), func.count(), func.min(ENTRIES.c.received_at))
    received = received.where(ENTRIES.c.state == EntryState.RECEIVED).group_by(ENTRIES.c.source)
    decided = (
        select(
            ENTRIES.c.source,
            func.count(),
            func.count(DECISIONS.c.event_id.distinct()),
            func.min(ENTRIES.c.received_at),
        )
        .join(ENTRIES, ENTRIES.c.id == DECISIONS.c.event_id)
        .where(ready)
        .group_by(ENTRIES.c.source)
    )
    dead = select(func.count()).where(DECISIONS.c.state == DecisionState.DEAD)
    leases = select(func.count()).where(ready, DECISIONS.c.leased_until > now)
    rows = [*connection.execute(received), *connection.execute(decided)]
    return Standing(
        waiting=sum(row[1] for row in rows),
        backlog=_by_source(rows),
        oldest=min((row[3] for row in rows), default=None),
        dead=connection.scalars(dead).one(),
        leases=connection.scalars(leases).one(),
    )


def held_back(connection: Connection) -> dict[str, int]:
    """How many decisions of each rule, by its name, wait for another run of it to end or for room in a mailbox."""
    found = connection.execute(
        select(DECISIONS.c.rule, func.count())
        .where(DECISIONS.c.state == DecisionState.READY, DECISIONS.c.note.startswith(HELD))
        .group_by(DECISIONS.c.rule)
    )
    return {row[0]: row[1] for row in found}


def standing_of(
    database: Database, sources: Callable[[], list[str]], now: Callable[[], datetime]
) -> Callable[[], Awaitable[Figures]]:
    """Reads the gauges of the inbox; a configured source with nothing to do is 0."""

    async def read() -> Figures:
        at = now()
        found = await database.read(standing, at)
        known = sources()
        backlog = {**dict.fromkeys(known, 0), **found.backlog}
        age = 0.0 if found.oldest is None else max((at - found.oldest).total_seconds(), 0.0)
        return {
            catalogue.WAITING: {(): found.waiting},
            catalogue.BACKLOG: {(source,): count for source, count in backlog.items()},
            catalogue.OLDEST: {(): age},
            catalogue.DEAD: {(): found.dead},
            catalogue.LEASES: {(): found.leases},
        }

    return read


def _by_source(rows: Sequence[Row[*tuple[Any, ...]]]) -> dict[str, int]:
    backlog: Counter[str] = Counter()
    for row in rows:
        backlog[row[0]] += row[2]
    return dict(backlog)
