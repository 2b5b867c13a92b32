"""What is forgotten of conversations that ended long ago: what was said in them.

That they were, how they ended and what they cost stays. Nothing goes of an open conversation, nor of one that still
listens for an event, nor of one with a call that somebody applied and that isn't done yet, or was done lately.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Select, and_, delete, exists, or_, select, update

from orchestrator.ledger.handles import table as handles
from orchestrator.ledger.inputs import inputs, rounds
from orchestrator.ledger.notices import table as notices
from orchestrator.ledger.schema import (
    approvals,
    calls,
    causes,
    claims,
    clearings,
    conversations,
    notes,
    turns,
    waits,
)
from orchestrator.ledger.standstills import table as standstills
from orchestrator.ledger.waits import LISTENING
from workflows.messages import CallState, RunState

LAPSED: Final = '[{"type": "text", "text": "This proposal lapsed: nobody applied it in time."}]'
"""What a proposal says that can't be applied any more, because its arguments are gone."""


def sources(connection: Connection) -> list[str]:
    """Whose conversations there are that could be pruned."""
    wanted = select(conversations.c.source).where(_ended()).distinct()
    return sorted(connection.scalars(wanted))


def prunable(connection: Connection, source: str, before: float, limit: int) -> list[str]:
    """Conversations of a source that ended before then, the oldest first."""
    wanted = _prunable(select(conversations.c.run_id), before).where(
        conversations.c.source == source, conversations.c.ended_at < before
    )
    return list(connection.scalars(wanted.order_by(conversations.c.ended_at).limit(limit)))


def prune(connection: Connection, run_ids: Sequence[str], before: float, at: float) -> int:
    """Forget what was said in these, unless somebody applied a call since then; returns in how many."""
    wanted = _prunable(select(conversations.c.run_id), before).where(
        conversations.c.run_id.in_(run_ids)
    )
    free = list(connection.scalars(wanted))
    _said(connection, free)
    _called(connection, free)
    for table in (clearings, handles, inputs, rounds, notices, standstills, waits):
        connection.execute(delete(table).where(table.c.run_id.in_(free)))
    connection.execute(
        update(conversations)
        .where(conversations.c.run_id.in_(free))
        .values(pruned_at=at, frozen=None)
    )
    return len(free)


def forget(connection: Connection, before: float, limit: int) -> int:
    """Forget who took decisions so long ago, and what led to what; returns how much that was."""
    # A conversation may be open for longer, and its decision must not be taken twice.
    is_open = exists().where(
        and_(
            conversations.c.decision_id == claims.c.decision_id,
            conversations.c.state != RunState.ENDED,
        )
    )
    old = select(claims.c.decision_id).where(claims.c.at < before, ~is_open).limit(limit)
    ids = list(connection.scalars(old))
    connection.execute(delete(claims).where(claims.c.decision_id.in_(ids)))
    led = list(
        connection.scalars(select(causes.c.event_id).where(causes.c.at < before).limit(limit))
    )
    connection.execute(delete(causes).where(causes.c.event_id.in_(led)))
    return max(len(ids), len(led))


def _said(connection: Connection, run_ids: Sequence[str]) -> None:
    connection.execute(
        update(turns).where(turns.c.run_id.in_(run_ids)).values(content="[]", details=None)
    )
    connection.execute(update(notes).where(notes.c.run_id.in_(run_ids)).values(text=""))
    connection.execute(
        update(approvals).where(approvals.c.run_id.in_(run_ids)).values(why=None, before=None)
    )


def _called(connection: Connection, run_ids: Sequence[str]) -> None:
    of_them = calls.c.run_id.in_(run_ids)
    connection.execute(
        update(calls).where(of_them).values(arguments="{}", content=None, artifact=None)
    )
    connection.execute(
        update(calls).where(of_them, calls.c.state == CallState.PROPOSED).values(content=LAPSED)
    )


def _ended() -> Any:
    return and_(conversations.c.state == RunState.ENDED, conversations.c.pruned_at.is_(None))


def _prunable(statement: Select[Any], before: float) -> Select[Any]:
    applied = exists().where(
        and_(
            calls.c.run_id == conversations.c.run_id,
            calls.c.turn == 0,
            or_(calls.c.done_at.is_(None), calls.c.done_at >= before),
        )
    )
    listens = exists().where(
        and_(waits.c.run_id == conversations.c.run_id, waits.c.state.in_(LISTENING))
    )
    return statement.where(_ended(), ~applied, ~listens)
