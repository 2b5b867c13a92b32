"""What people were told of runs that ask or stand still, and what became of telling them; it tells nobody.

A notice is written down after its row is in the inbox: a crash between the two brings the same row again, which is a
duplicate there. What stands no more is not told.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Float,
    Index,
    Row,
    String,
    Table,
    Text,
    exists,
    literal,
    select,
    update,
)

from orchestrator.ledger.approvals import Approval, one
from orchestrator.ledger.conversations import Conversation, find
from orchestrator.ledger.schema import LEDGER, approvals, conversations
from orchestrator.ledger.upsert import leave
from workflows.approvals import Standing
from workflows.messages import RunState

ASKED: Final = "asked-"
"""How the identity of a notice about a request begins; then comes the id of the request."""

SHORT: Final = 12

table = Table(
    "notices",
    LEDGER,
    Column("identity", String, primary_key=True),
    Column("run_id", String, nullable=False),
    Column("about", String, nullable=False),
    Column("type", String, nullable=False),
    Column("event_id", String, nullable=False),
    Column("at", Float, nullable=False),
    Column("became", Text),
    Column("failed", Boolean),
    Column("settled_at", Float),
    Index("notices_by_run", "run_id", "at"),
    Index("notices_by_settling", "settled_at", "at"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing that people are told. `about` is the request, or the reason of a parking.

    `became` says what came of it, once it is known, and `failed` whether somebody who should have heard did not.
    """

    identity: str
    run_id: str
    about: str
    type: str
    event_id: str
    at: float
    became: str | None = None
    failed: bool | None = None
    settled_at: float | None = None


def asking(connection: Connection, source: str, now: float, limit: int) -> list[Approval]:
    """Open requests that nobody was told of, the oldest first; not those of runs that events of `source` opened."""
    told = exists().where(table.c.identity == literal(ASKED) + approvals.c.approval_id)
    own = exists().where(
        conversations.c.run_id == approvals.c.run_id, conversations.c.source == source
    )
    rows = connection.execute(
        select(approvals.c.approval_id)
        .where(approvals.c.standing == Standing.OPEN, approvals.c.expires_at > now, ~told, ~own)
        .order_by(approvals.c.asked_at)
        .limit(limit)
    )
    return [one(connection, approval_id) for approval_id in rows.scalars()]


def parked(connection: Connection, source: str, limit: int) -> list[tuple[Conversation, str]]:
    """Parked runs of whose reason nobody was told, with what that notice is about; but for those of `source`."""
    rows = connection.execute(
        select(conversations.c.run_id, conversations.c.reason).where(
            conversations.c.state == RunState.PARKED, conversations.c.source != source
        )
    )
    wanted = {(row.run_id, _why(row.reason)) for row in rows}
    known = connection.execute(
        select(table.c.run_id, table.c.about).where(
            table.c.run_id.in_(
                select(conversations.c.run_id).where(conversations.c.state == RunState.PARKED)
            )
        )
    )
    untold = sorted(wanted - {(row.run_id, row.about) for row in known})[:limit]
    found = [(find(connection, run_id), about) for run_id, about in untold]
    return [(conversation, about) for conversation, about in found if conversation is not None]


def told(connection: Connection, notice: Notice) -> None:
    """Its row is in the inbox."""
    leave(
        connection,
        table,
        identity=notice.identity,
        run_id=notice.run_id,
        about=notice.about,
        type=notice.type,
        event_id=notice.event_id,
        at=notice.at,
    )


def unsettled(connection: Connection, limit: int) -> list[Notice]:
    """Those of which nobody knows yet what became of them, the newest first: old ones may wait for long."""
    waiting = select(table).where(table.c.settled_at.is_(None))
    return _found(connection.execute(waiting.order_by(table.c.at.desc()).limit(limit)).all())


def settle(
    connection: Connection,
    identity: str,
    became: str,
    at: float,
    failed: bool,  # noqa: FBT001 - Database.write takes no keywords
) -> bool:
    """Say what became of one; True for whoever says it first."""
    settled = connection.execute(
        update(table)
        .where(table.c.identity == identity, table.c.settled_at.is_(None))
        .values(became=became, failed=failed, settled_at=at)
    )
    return settled.rowcount == 1


def of_run(connection: Connection, run_id: str) -> list[Notice]:
    """What people were told of a run, in that order."""
    found = select(table).where(table.c.run_id == run_id)
    return _found(connection.execute(found.order_by(table.c.at, table.c.identity)).all())


def failures(connection: Connection, since: float, limit: int) -> list[Notice]:
    """Those since then that failed, the newest first."""
    failed = select(table).where(table.c.failed.is_(True), table.c.settled_at >= since)
    return _found(connection.execute(failed.order_by(table.c.at.desc()).limit(limit)).all())


def _why(reason: str) -> str:
    """A reason is told once, however often a run is let go on and parks for it again."""
    return hashlib.sha256(reason.encode()).hexdigest()[:SHORT]


def _found(rows: Sequence[Row[Any]]) -> list[Notice]:
    return [Notice(**row._mapping) for row in rows]  # noqa: SLF001 - the documented way to a row's names
