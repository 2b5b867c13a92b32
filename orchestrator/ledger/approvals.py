"""Requests to people: for consent to exactly one call, or for an answer; each leaves `open` once, by compare-and-set.

A request is bound to a digest of all that would be done. The words of people stand beside it, written down before
their decisions are: what came in time and has not been taken yet keeps a request from expiring.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select, update

from orchestrator.ledger.schema import approval_words, approvals, calls, claims
from orchestrator.ledger.upsert import leave
from workflows.approvals import Standing
from workflows.messages import CallState
from workflows.playbook import OnTimeout

CODE = 10
"""Signs of a code; it is an address, not a secret: what counts is who says it."""

TURN_OFF = "Its conversation ended before anybody answered; it changed nothing."


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One request. `by` are those who may answer; without a `tool` it is a question.

    `number` counts the requests for one call; `before` are the arguments that were asked about, where somebody changed
    them. `event_id` brought the word that settled it, `person` said it, `why` are their words.
    """

    approval_id: str
    code: str
    run_id: str
    workflow_id: str
    call_id: str
    number: int
    tool: str
    digest: str
    by: tuple[str, ...]
    on_timeout: OnTimeout
    standing: Standing
    asked_at: float
    expires_at: float
    settled_at: float | None = None
    event_id: str | None = None
    person: str | None = None
    why: str | None = None
    before: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A person's word about a request, as it was written down; `became` is what came of it, once it is known."""

    decision_id: str
    approval_id: str
    event_id: str
    word: str
    person: str
    at: float
    became: str | None = None


def named(run_id: str, call_id: str, number: int, digest: str) -> tuple[str, str]:
    """The id and the code of a request; both follow from what is asked, so asking twice asks once."""
    drawn = hashlib.sha256("\x1f".join((run_id, call_id, str(number), digest)).encode()).digest()
    code = base64.b32encode(drawn[:8]).decode()[:CODE]
    return f"apr_{drawn.hex()[:16]}", code


def open_request(connection: Connection, approval: Approval) -> Approval:
    """Write a request down, or return the one that stands there; its call waits for people from here on."""
    fresh = leave(
        connection,
        approvals,
        approval_id=approval.approval_id,
        code=approval.code,
        run_id=approval.run_id,
        workflow_id=approval.workflow_id,
        call_id=approval.call_id,
        number=approval.number,
        tool=approval.tool,
        digest=approval.digest,
        by=json.dumps(approval.by),
        on_timeout=approval.on_timeout,
        standing=approval.standing,
        asked_at=approval.asked_at,
        expires_at=approval.expires_at,
    )
    if fresh:
        _move(connection, approval, CallState.INTENDED, CallState.PENDING)
    return one(connection, approval.approval_id)


def settle(
    connection: Connection,
    approval: Approval,
    standing: Standing,
    at: float,
    said: Said | None = None,
    why: str | None = None,
) -> bool:
    """End an open request; True for the first end and for every repeat of it."""
    event_id = None if said is None else said.event_id
    connection.execute(
        update(approvals)
        .where(
            approvals.c.approval_id == approval.approval_id, approvals.c.standing == Standing.OPEN
        )
        .values(
            standing=standing,
            settled_at=at,
            event_id=event_id,
            person=None if said is None else said.person,
            why=why,
        )
    )
    found = one(connection, approval.approval_id)
    return found.standing is standing and found.event_id == event_id


def release(connection: Connection, approval: Approval) -> None:
    """Its call may be made now: exactly as it stands in the ledger."""
    _move(connection, approval, CallState.PENDING, CallState.INTENDED)


def edit(
    connection: Connection, approval: Approval, arguments: Mapping[str, Any], digest: str
) -> None:
    """Put other arguments into the call, and bind the request to those; what was asked about is kept beside it."""
    mine = (calls.c.run_id == approval.run_id) & (calls.c.call_id == approval.call_id)
    before = connection.execute(select(calls.c.arguments).where(mine)).scalar_one()
    connection.execute(
        update(calls).where(mine).values(arguments=json.dumps(arguments, ensure_ascii=False))
    )
    connection.execute(
        update(approvals)
        .where(approvals.c.approval_id == approval.approval_id)
        .values(before=before, digest=digest)
    )


def heard(connection: Connection, said: Said) -> None:
    """Write a word down, before its decision is, and what it came to, where that is known already."""
    leave(
        connection,
        approval_words,
        decision_id=said.decision_id,
        approval_id=said.approval_id,
        event_id=said.event_id,
        word=said.word,
        person=said.person,
        at=said.at,
    )
    if said.became is not None:
        became(connection, said.decision_id, said.became)


def became(connection: Connection, decision_id: str, what: str) -> None:
    """Say what came of a word; the first says it."""
    connection.execute(
        update(approval_words)
        .where(approval_words.c.decision_id == decision_id, approval_words.c.became.is_(None))
        .values(became=what)
    )


def said(connection: Connection, decision_id: str) -> Said | None:
    """The word of that decision."""
    row = connection.execute(
        select(approval_words).where(approval_words.c.decision_id == decision_id)
    ).one_or_none()
    return None if row is None else Said(**row._mapping)  # noqa: SLF001 - the documented way to a row's names


def words_of(connection: Connection, approval_id: str) -> list[Said]:
    """Everything people said about a request, in the order in which it came."""
    rows = connection.execute(
        select(approval_words)
        .where(approval_words.c.approval_id == approval_id)
        .order_by(approval_words.c.at, approval_words.c.decision_id)
    )
    return [Said(**row._mapping) for row in rows]  # noqa: SLF001 - the documented way to a row's names


def untaken(connection: Connection, approval: Approval) -> list[str]:
    """The decisions whose words came in time, are written down, and were not taken by their run yet."""
    waiting = (
        select(approval_words.c.decision_id)
        .outerjoin(claims, claims.c.decision_id == approval_words.c.decision_id)
        .where(
            approval_words.c.approval_id == approval.approval_id,
            approval_words.c.at <= approval.expires_at,
            approval_words.c.became.is_(None),
            claims.c.decision_id.is_(None),
        )
    )
    return list(connection.execute(waiting).scalars())


def close_run(connection: Connection, run_id: str, at: float) -> None:
    """Close what a conversation still asks people when it ends, and answer the calls that wait for it."""
    connection.execute(
        update(approvals)
        .where(approvals.c.run_id == run_id, approvals.c.standing == Standing.OPEN)
        .values(standing=Standing.CLOSED, settled_at=at)
    )
    content = json.dumps([{"type": "text", "text": TURN_OFF}])
    connection.execute(
        update(calls)
        .where(calls.c.run_id == run_id, calls.c.state == CallState.PENDING)
        .values(state=CallState.REFUSED, content=content, is_error=True, done_at=at)
    )


def one(connection: Connection, approval_id: str) -> Approval:
    """The request of that id. Raises sqlalchemy's NoResultFound."""
    found = select(approvals).where(approvals.c.approval_id == approval_id)
    return _approval(connection.execute(found).one())


def by_code(connection: Connection, code: str) -> Approval | None:
    """The request that a person means by a code."""
    found = select(approvals).where(approvals.c.code == code.upper())
    row = connection.execute(found).one_or_none()
    return None if row is None else _approval(row)


def of_call(connection: Connection, run_id: str, call_id: str) -> Approval | None:
    """The newest request about a call."""
    found = select(approvals).where(approvals.c.run_id == run_id, approvals.c.call_id == call_id)
    newest = found.order_by(approvals.c.number.desc()).limit(1)
    row = connection.execute(newest).one_or_none()
    return None if row is None else _approval(row)


def of_run(connection: Connection, run_id: str) -> list[Approval]:
    """What a conversation asked people, oldest first."""
    found = select(approvals).where(approvals.c.run_id == run_id)
    rows = connection.execute(found.order_by(approvals.c.asked_at, approvals.c.approval_id))
    return [_approval(row) for row in rows]


def newest(
    connection: Connection, limit: int, standings: Sequence[Standing] = tuple(Standing)
) -> list[Approval]:
    """The newest requests that stand so, first."""
    found = select(approvals).where(approvals.c.standing.in_(list(standings)))
    rows = connection.execute(found.order_by(approvals.c.asked_at.desc()).limit(limit))
    return [_approval(row) for row in rows]


def _move(connection: Connection, approval: Approval, before: CallState, after: CallState) -> None:
    connection.execute(
        update(calls)
        .where(
            calls.c.run_id == approval.run_id,
            calls.c.call_id == approval.call_id,
            calls.c.state == before,
        )
        .values(state=after)
    )


def _approval(row: Row[Any]) -> Approval:
    values = dict(row._mapping)  # noqa: SLF001 - the documented way to a row's names
    values["by"] = tuple(json.loads(values["by"]))
    values["before"] = None if values["before"] is None else json.loads(values["before"])
    values["standing"] = Standing(values["standing"])
    values["on_timeout"] = OnTimeout(values["on_timeout"])
    return Approval(**values)
