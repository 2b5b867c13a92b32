"""Which events the ledger still has a use for; it knows conversations and waits, and prunes nothing."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, select, union

from orchestrator.ledger import waits
from orchestrator.ledger.schema import conversation_events, conversations
from orchestrator.ledger.schema import waits as waits_table
from workflows.messages import RunState


def referred(
    connection: Connection, events: Mapping[str, tuple[int, Sequence[str]]]
) -> frozenset[str]:
    """Those of the events (id -> position and keys) that an open conversation or wait refers to."""
    return frozenset(_named(connection, list(events)) | _wanted(connection, events))


def _named(connection: Connection, event_ids: Sequence[str]) -> set[str]:
    is_open = conversations.c.state != RunState.ENDED
    opened = select(conversations.c.event_id).where(
        conversations.c.event_id.in_(event_ids), is_open
    )
    heard = (
        select(conversation_events.c.event_id)
        .join(conversations, conversations.c.run_id == conversation_events.c.run_id)
        .where(conversation_events.c.event_id.in_(event_ids), is_open)
    )
    woken = (
        select(waits_table.c.event_id)
        .join(conversations, conversations.c.run_id == waits_table.c.run_id)
        .where(waits_table.c.event_id.in_(event_ids), is_open)
    )
    return set(connection.scalars(union(opened, heard, woken)))


def _wanted(connection: Connection, events: Mapping[str, tuple[int, Sequence[str]]]) -> set[str]:
    # An open wait may still look back at what came before it: until it has ended, its event must be there.
    keys = sorted({key for _, carried in events.values() for key in carried})
    since: dict[str, int] = {}
    for wait in waits.wanting(connection, keys):
        since[wait.key] = min(wait.since, since.get(wait.key, wait.since))
    return {
        event_id
        for event_id, (position, carried) in events.items()
        if any(position > since[key] for key in carried if key in since)
    }
