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
    ColumnElement,
    Connection,
    Float,
    Index,
    Row,
    String,
    Table,
    Text,
    and_,
    case,
    exists,
    literal,
    or_,
    select,
    update,
)

from orchestrator.ledger.approvals import Approval, Said, one
from orchestrator.ledger.calls import APPLIED
from orchestrator.ledger.conversations import Conversation, find
from orchestrator.ledger.schema import LEDGER, approval_words, approvals, calls, conversations
from orchestrator.ledger.standstills import is_meant
from orchestrator.ledger.upsert import leave
from workflows.approvals import Standing
from workflows.messages import CallState, RunState

ASKED: Final = "asked-"
"""How the identity of a notice about a request begins; then comes the id of the request."""

ANSWERED: Final = "answered-"
EXECUTED: Final = "executed-"
NOTHING: Final = "-nothing"
"""How the identity ends of the notice that a word changed nothing: it may come after the one that it was recorded."""

UNTAKEN: Final = 10.0
"""Seconds for which a word may be on its way to its run before people are told that it was recorded, and no more."""

COUNTED: Final = (Standing.APPROVED, Standing.DENIED, Standing.ANSWERED)
"""What a word came to that counted; any other one changed nothing."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A word that people are to be told of; `became` is None where its run has not taken it for long."""

    identity: str
    said: Said
    approval: Approval
    became: str | None

    @property
    def counts(self) -> bool:
        """Whether it changed something, or still may."""
        return self.became is None or self.became in COUNTED


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
    """Parked runs of whose reason nobody was told, with what that notice is about; but for those of `source`.

    What stands still because somebody paused it is no news.
    """
    rows = connection.execute(
        select(conversations.c.run_id, conversations.c.reason).where(
            conversations.c.state == RunState.PARKED, conversations.c.source != source, ~is_meant()
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


def answered(
    connection: Connection, source: str, since: float, now: float, limit: int
) -> list[Heard]:
    """Words since then that people were not told of, the oldest first; not those to runs of `source`.

    One that its run hasn't taken yet may still do so for a while, as long as its request is open.
    """
    words, closed = approval_words.c, approvals.c.standing != Standing.OPEN
    nothing = or_(words.became.not_in(COUNTED), and_(words.became.is_(None), closed))
    ending = case((nothing, NOTHING), else_="")
    identity = literal(ANSWERED) + words.approval_id + "-" + words.event_id + ending
    rows = connection.execute(
        select(approval_words, identity.label("identity"), approvals.c.standing)
        .join(approvals, approvals.c.approval_id == words.approval_id)
        .join(conversations, conversations.c.run_id == approvals.c.run_id)
        .where(
            words.at > since,
            or_(words.became.is_not(None), closed, words.at < now - UNTAKEN),
            _theirs(source),
            ~exists().where(table.c.identity == identity),
        )
        .order_by(words.at, words.decision_id)
        .limit(limit)
    )
    return [_heard(connection, row) for row in rows.all()]


def executed(connection: Connection, source: str, since: float, limit: int) -> list[Approval]:
    """Requests whose call was consented to and came to its end since then, untold; but for those of `source`."""
    told = exists().where(table.c.identity == literal(EXECUTED) + approvals.c.approval_id)
    # Nobody's run waits for a call that somebody applied: that its run has ended says nothing about it.
    called_off = and_(
        calls.c.state == CallState.INTENDED,
        calls.c.call_id.not_like(f"%{APPLIED}"),
        conversations.c.ended_at > since,
    )
    about = (calls.c.run_id == approvals.c.run_id) & (calls.c.call_id == approvals.c.call_id)
    rows = connection.execute(
        select(approvals.c.approval_id)
        .join(calls, about)
        .join(conversations, conversations.c.run_id == approvals.c.run_id)
        .where(
            approvals.c.standing == Standing.APPROVED,
            approvals.c.tool != "",
            or_(calls.c.done_at > since, called_off),
            _theirs(source),
            ~told,
        )
        .order_by(approvals.c.settled_at, approvals.c.approval_id)
        .limit(limit)
    )
    return [one(connection, approval_id) for approval_id in rows.scalars().all()]


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


def _theirs(source: str) -> ColumnElement[bool]:
    """Whether a run is no run of `source`, and what people were told of it isn't forgotten."""
    return and_(conversations.c.source != source, conversations.c.pruned_at.is_(None))


def _heard(connection: Connection, row: Row[Any]) -> Heard:
    values = dict(row._mapping)  # noqa: SLF001 - the documented way to a row's names
    identity, standing = values.pop("identity"), Standing(values.pop("standing"))
    said = Said(**values)
    late = None if standing is Standing.OPEN else f"too late: it is {standing}"
    approval = one(connection, said.approval_id)
    return Heard(identity=identity, said=said, approval=approval, became=said.became or late)


def _why(reason: str) -> str:
    """A reason is told once, however often a run is let go on and parks for it again."""
    return hashlib.sha256(reason.encode()).hexdigest()[:SHORT]


def _found(rows: Sequence[Row[Any]]) -> list[Notice]:
    return [Notice(**row._mapping) for row in rows]  # noqa: SLF001 - the documented way to a row's names
