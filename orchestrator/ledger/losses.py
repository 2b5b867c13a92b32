"""Conversations whose Temporal run is gone: ended in one transaction, and what may be done about each; it asks nobody.

One that has sent no write may begin again, so its loss waits until the row that says so is in the inbox: `told`. One
that has sent a write is for a person.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, and_, exists, func, select, update

from orchestrator.ledger import calls, conversations
from orchestrator.ledger.calls import Call, Result
from orchestrator.ledger.conversations import Conversation
from orchestrator.ledger.schema import conversation_events, losses
from orchestrator.ledger.schema import conversations as table
from orchestrator.ledger.upsert import leave
from workflows.messages import CallState, Outcome, RunState
from workflows.playbook import Effect

MARGIN: Final = 5.0
"""Seconds after a request's own deadline; from then on nobody will hear how it ended."""

OPEN: Final = frozenset({CallState.INTENDED, CallState.SENT, CallState.PENDING})
NAMED: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """A conversation that isn't ended; `overtaken` when its workflow has opened another one since."""

    run_id: str
    workflow_id: str
    overtaken: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A conversation that was lost, why, and whether it begins again."""

    run_id: str
    words: str
    again: bool
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """An event that a run has consumed, and its place in the inbox."""

    event_id: str
    position: int


def heard_before(connection: Connection, conversation: Conversation) -> list[Heard]:
    """What the lost run had heard beside its opening event in whose place a conversation begins, in that order."""
    lost = (
        select(table.c.run_id)
        .join(losses, losses.c.run_id == table.c.run_id)
        .where(
            table.c.workflow_id == conversation.workflow_id,
            table.c.event_id == conversation.event_id,
            table.c.number < conversation.number,
        )
        .order_by(table.c.number.desc())
        .limit(1)
    )
    heard = conversation_events
    rows = connection.execute(
        select(heard.c.event_id, heard.c.position)
        .where(heard.c.run_id == lost.scalar_subquery(), heard.c.event_id != conversation.event_id)
        .order_by(heard.c.position, heard.c.event_id)
    )
    return [Heard(event_id=row.event_id, position=row.position) for row in rows]


def open_ones(connection: Connection, before: float, after: str, limit: int) -> list[Open]:
    """Conversations opened before then that haven't ended, in the order of their ids, those after one."""
    newer = table.alias()
    overtaken = exists().where(
        and_(newer.c.workflow_id == table.c.workflow_id, newer.c.number > table.c.number)
    )
    rows = connection.execute(
        select(table.c.run_id, table.c.workflow_id, overtaken.label("overtaken"))
        .where(table.c.state != RunState.ENDED, table.c.opened_at < before, table.c.run_id > after)
        .order_by(table.c.run_id)
        .limit(limit)
    )
    return [
        Open(run_id=row.run_id, workflow_id=row.workflow_id, overtaken=bool(row.overtaken))
        for row in rows
    ]


def count_open(connection: Connection, before: float) -> int:
    """How many conversations opened before then haven't ended."""
    counted = select(func.count()).where(
        table.c.state != RunState.ENDED, table.c.opened_at < before
    )
    return connection.execute(counted).scalar_one()


def lose(connection: Connection, run_id: str, why: str, at: float) -> Loss | None:
    """End a conversation whose run is gone.

    None where it has ended by itself, or while a request of it may still be under way.
    """
    made = _lost(connection, run_id, at)
    if made is None:
        return None
    written = [call for call in made if call.effect is not Effect.READ and call.sent_at is not None]
    outcome = Outcome.NEEDS_ATTENTION if written else Outcome.FAILED
    words = f"lost: {why}; {_what_now(run_id, written)}"
    conversations.record(connection, run_id, RunState.ENDED, words, outcome, at)
    leave(connection, losses, run_id=run_id, words=words, again=not written, at=at)
    return Loss(run_id=run_id, words=words, again=not written, at=at)


def close(connection: Connection, run_id: str, why: str, outcome: Outcome, at: float) -> bool:
    """End a conversation whose run somebody ended in Temporal; False as for `lose`."""
    if _lost(connection, run_id, at) is None:
        return False
    return conversations.record(connection, run_id, RunState.ENDED, why, outcome, at)


def untold(connection: Connection, limit: int) -> list[Loss]:
    """Losses that may begin again, of which the inbox doesn't know yet, the oldest first."""
    rows = connection.execute(
        select(losses)
        .where(losses.c.again.is_(True), losses.c.told_at.is_(None))
        .order_by(losses.c.at, losses.c.run_id)
        .limit(limit)
    )
    return [_loss(row) for row in rows]


def newest(connection: Connection, limit: int) -> list[Loss]:
    """The last ones first."""
    rows = connection.execute(select(losses).order_by(losses.c.at.desc()).limit(limit))
    return [_loss(row) for row in rows]


def since(connection: Connection, at: float, limit: int) -> list[Loss]:
    """Those of that time and later, the last ones first."""
    rows = connection.execute(
        select(losses).where(losses.c.at >= at).order_by(losses.c.at.desc()).limit(limit)
    )
    return [_loss(row) for row in rows]


def told(connection: Connection, run_ids: Sequence[str], at: float) -> None:
    """The rows that let them begin again are in the inbox."""
    connection.execute(
        update(losses)
        .where(losses.c.run_id.in_(run_ids), losses.c.told_at.is_(None))
        .values(told_at=at)
    )


def _loss(row: Row[Any]) -> Loss:
    return Loss(run_id=row.run_id, words=row.words, again=row.again, at=row.at)


def _lost(connection: Connection, run_id: str, at: float) -> Sequence[Call] | None:
    """Its calls, each with an end, or to be applied once more; None if nothing is to be done, or not yet."""
    found = conversations.find(connection, run_id)
    if found is None or found.state is RunState.ENDED:
        return None
    made = calls.of_run(connection, run_id)
    if any(_under_way(call, at) for call in made):
        return None
    for call in made:
        if _is_unsent_proposal(call):
            # A worker that is still at it can't send it any more, and whoever applies it again counts on from here.
            calls.take(connection, run_id, call.call_id, call.attempt + 1, again=False)
        elif call.state in OPEN:
            # By compare-and-set, with the same end.
            calls.finish(connection, run_id, call.call_id, _ended(call), at)
    return calls.of_run(connection, run_id)


def _under_way(call: Call, at: float) -> bool:
    until = call.deadline_at
    return call.state in OPEN and until is not None and at <= until + MARGIN


def _is_unsent_proposal(call: Call) -> bool:
    """Whether a person wanted it, no turn waits for it, and nothing of it has left: it can be applied again."""
    applied = call.call_id.endswith(calls.APPLIED)
    return applied and call.state is CallState.INTENDED and call.sent_at is None


def _ended(call: Call) -> Result:
    if call.sent_at is not None:
        text = "The outcome of this call is unknown: it was sent, and its run was lost before an answer was recorded."
        return _said(CallState.UNKNOWN, text)
    return _said(CallState.REFUSED, "This call was never sent: its run was lost before.")


def _said(state: CallState, text: str) -> Result:
    return Result(state=state, content=[{"type": "text", "text": text}], is_error=True)


def _what_now(run_id: str, written: Sequence[Call]) -> str:
    if not written:
        return "it had sent no write, so it begins again"
    named = ", ".join(f"{call.server}.{call.tool} ({call.state})" for call in written[:NAMED])
    more = f" and {len(written) - NAMED} more" if len(written) > NAMED else ""
    return f"it had sent {named}{more}: look what became of it; `doorbell runs retry {run_id} --again` begins anew"
