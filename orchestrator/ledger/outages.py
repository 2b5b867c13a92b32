"""Runs that a model's outage holds up: since when, with which credential, and whether they were let go on.

One row for each run. `number` grows with every time that it parks for it, so that each parking is ended by one Resume
row at most, whoever writes that twice. It is `open` until the run was answered.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from orchestrator.ledger.schema import conversations, outages
from orchestrator.ledger.upsert import leave
from workflows.messages import RunState


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A run that got no answer, last `at` then; `parked` is whether it has stopped trying."""

    run_id: str
    credential: str
    words: str
    number: int
    since: float
    at: float
    released: int
    released_at: float | None
    parked: bool


def record(connection: Connection, run_id: str, credential: str, words: str, at: float) -> None:
    """It got no answer once more."""
    made = {"credential": credential, "words": words, "at": at, "state": "open"}
    if leave(connection, outages, run_id=run_id, since=at, number=1, released=0, **made):
        return
    kept = connection.execute(
        select(outages).where(outages.c.run_id == run_id).with_for_update()
    ).one()
    goes_on = kept.state == "open"
    number = kept.number + (kept.released >= kept.number)
    connection.execute(
        update(outages)
        .where(outages.c.run_id == run_id)
        .values(since=kept.since if goes_on else at, number=number, **made)
    )


def met(connection: Connection, run_id: str) -> None:
    """It was answered."""
    connection.execute(
        update(outages)
        .where(outages.c.run_id == run_id, outages.c.state == "open")
        .values(state="met")
    )


def unanswered(connection: Connection, limit: int) -> list[Outage]:
    """Open conversations without an answer, those first that have been so for the longest time."""
    rows = connection.execute(
        select(outages, conversations.c.state.label("at_rest"))
        .join(conversations, conversations.c.run_id == outages.c.run_id)
        .where(outages.c.state == "open", conversations.c.state != RunState.ENDED)
        .order_by(outages.c.since, outages.c.run_id)
        .limit(limit)
    )
    return [
        Outage(
            run_id=row.run_id,
            credential=row.credential,
            words=row.words,
            number=row.number,
            since=row.since,
            at=row.at,
            released=row.released,
            released_at=row.released_at,
            parked=row.at_rest == RunState.PARKED,
        )
        for row in rows
    ]


def release(connection: Connection, run_id: str, number: int, at: float) -> None:
    """The Resume row for this parking is written."""
    connection.execute(
        update(outages)
        .where(outages.c.run_id == run_id, outages.c.released < number)
        .values(released=number, released_at=at)
    )
