"""What led to what: how many of our runs stand behind an event, and who wrote how often on one subject.

Rows are keyed by the event, or by the call, so whatever is done again finds what was done before.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, func, select, text

from orchestrator.ledger.schema import causes, conversation_events, subject_writes
from orchestrator.ledger.upsert import leave

LONGEST = 2_000
"""Characters of a chain; of a longer one the newest are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """How many runs of ours stand behind an event, and the chain in words; both are nothing for most events."""

    hops: int = 0
    chain: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """A write that is about to be made: by which call, on what."""

    run_id: str
    call_id: str
    subject: str


def subject_of(source: str, subject: str) -> str:
    """What a write is counted on: the same words of two senders are two subjects."""
    return f"{source}:{subject}"


def of_event(connection: Connection, event_id: str) -> Cause | None:
    """What was found out about an event when it was first decided about."""
    row = connection.execute(
        select(causes.c.hops, causes.c.chain).where(causes.c.event_id == event_id)
    ).one_or_none()
    return None if row is None else Cause(hops=row.hops, chain=row.chain)


def of_run(connection: Connection, run_id: str) -> Cause:
    """The longest chain that leads to a run, over all events that reached it."""
    row = connection.execute(
        select(causes.c.hops, causes.c.chain)
        .join(conversation_events, conversation_events.c.event_id == causes.c.event_id)
        .where(conversation_events.c.run_id == run_id)
        .order_by(causes.c.hops.desc(), causes.c.event_id)
        .limit(1)
    ).one_or_none()
    return Cause() if row is None else Cause(hops=row.hops, chain=row.chain)


def found(connection: Connection, event_id: str, cause: Cause, at: float) -> Cause:
    """Write down what stands behind an event; what was found first stays, and is returned."""
    chain = cause.chain[-LONGEST:]
    leave(connection, causes, event_id=event_id, hops=cause.hops, chain=chain, at=at)
    return of_event(connection, event_id) or cause


def last_writer(connection: Connection, subject: str, since: float, until: float) -> str | None:
    """The run that wrote last on a subject between these times."""
    return connection.execute(
        select(subject_writes.c.run_id)
        .where(subject_writes.c.subject == subject)
        .where(subject_writes.c.at >= since, subject_writes.c.at <= until)
        .order_by(subject_writes.c.at.desc(), subject_writes.c.run_id)
        .limit(1)
    ).scalar_one_or_none()


def writers(connection: Connection, subject: str, since: float, most: int) -> list[str]:
    """The runs that wrote on a subject since then, so many of them, the newest first."""
    found = (
        select(subject_writes.c.run_id)
        .where(subject_writes.c.subject == subject, subject_writes.c.at > since)
        .group_by(subject_writes.c.run_id)
        .order_by(func.max(subject_writes.c.at).desc(), subject_writes.c.run_id)
        .limit(most)
    )
    return list(connection.scalars(found))


def may_write(
    connection: Connection, writing: Writing, most: int, since: float, at: float
) -> int | None:
    """Count a write on its subject; the number of those since then where there is no room for it, else None.

    One that was counted before has its room.
    """
    _alone(connection, writing.subject)
    mine = (subject_writes.c.run_id == writing.run_id) & (
        subject_writes.c.call_id == writing.call_id
    )
    if connection.execute(select(subject_writes.c.at).where(mine)).one_or_none() is not None:
        return None
    counted = connection.execute(
        select(func.count())
        .select_from(subject_writes)
        .where(subject_writes.c.subject == writing.subject, subject_writes.c.at > since)
    ).scalar_one()
    if counted >= most:
        return int(counted)
    leave(
        connection,
        subject_writes,
        run_id=writing.run_id,
        call_id=writing.call_id,
        subject=writing.subject,
        at=at,
    )
    return None


def _alone(connection: Connection, subject: str) -> None:
    # SQLite has one writer; on Postgres two runs could each count the other out.
    if connection.dialect.name == "postgresql":
        lock = text("SELECT pg_advisory_xact_lock(hashtextextended(:subject, 0))")
        connection.execute(lock, {"subject": f"doorbell.writes:{subject}"})
