"""When a credential may be used again that its provider has slowed down; it asks no provider.

One row for each credential, by its digest. `until` is only ever raised, and falls with an answer; once it has passed,
one run tries first, and the others follow when it was answered.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from orchestrator.ledger.schema import model_pauses
from orchestrator.ledger.upsert import leave


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """How a credential fares: not to be used `until` then (0: at once), last answered at that time (0: never)."""

    until: float
    answered_at: float


def slow(connection: Connection, credential: str, until: float) -> None:
    """Its provider wants no request before then."""
    if leave(
        connection, model_pauses, credential=credential, until=until, probing_until=0, answered_at=0
    ):
        return
    connection.execute(
        update(model_pauses)
        .where(model_pauses.c.credential == credential, model_pauses.c.until < until)
        .values(until=until, probing_until=0)
    )


def probe(connection: Connection, credential: str, at: float, lease: float) -> bool:
    """Take it on oneself to try first, for so many seconds; False when somebody else does."""
    taken = connection.execute(
        update(model_pauses)
        .where(model_pauses.c.credential == credential)
        .where(model_pauses.c.until <= at, model_pauses.c.probing_until <= at)
        .values(probing_until=at + lease)
    )
    return taken.rowcount == 1


def answered(connection: Connection, credential: str, at: float, coarse: float) -> None:
    """It was answered: everybody may go on. Within `coarse` seconds of another answer nothing is written."""
    if leave(
        connection, model_pauses, credential=credential, until=0, probing_until=0, answered_at=at
    ):
        return
    ours = model_pauses.c.credential == credential
    old = (model_pauses.c.until > 0) | (model_pauses.c.answered_at < at - coarse)
    connection.execute(
        update(model_pauses)
        # A pause that was asked for after this answer had begun stays.
        .where(ours, old, model_pauses.c.until <= at)
        .values(until=0, probing_until=0, answered_at=at)
    )


def of(connection: Connection, credential: str) -> Pause | None:
    """How it fares, if anything is known of it."""
    row = connection.execute(
        select(model_pauses).where(model_pauses.c.credential == credential)
    ).one_or_none()
    return None if row is None else Pause(until=row.until, answered_at=row.answered_at)


def every(connection: Connection) -> dict[str, Pause]:
    """How each credential fares."""
    rows = connection.execute(select(model_pauses))
    return {row.credential: Pause(until=row.until, answered_at=row.answered_at) for row in rows}
