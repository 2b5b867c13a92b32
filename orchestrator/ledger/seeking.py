"""Conversations as people look for them, a page at a time; it knows no turn and no tool."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, Select, and_, or_, select

from orchestrator.ledger.conversations import Conversation, conversation
from orchestrator.ledger.schema import conversations
from workflows.messages import RunState


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which conversations are looked for; None asks nothing. `before` is the last one of the page before."""

    state: RunState | None = None
    rule: str | None = None
    playbook: str | None = None
    key: str | None = None
    before: Conversation | None = None


EVERY: Final = Wanted()


def page(connection: Connection, limit: int, wanted: Wanted = EVERY) -> list[Conversation]:
    """So many of them, the newest first."""
    statement = _narrowed(select(conversations), wanted)
    newest = statement.order_by(conversations.c.opened_at.desc(), conversations.c.run_id.desc())
    return [conversation(row) for row in connection.execute(newest.limit(limit))]


def _narrowed(statement: Select[tuple[object, ...]], wanted: Wanted) -> Select[tuple[object, ...]]:
    for name in ("state", "rule", "playbook", "key"):
        asked = getattr(wanted, name)
        if asked is not None:
            statement = statement.where(conversations.c[name] == asked)
    if wanted.before is None:
        return statement
    at, last = wanted.before.opened_at, wanted.before.run_id
    same = and_(conversations.c.opened_at == at, conversations.c.run_id < last)
    return statement.where(or_(conversations.c.opened_at < at, same))
