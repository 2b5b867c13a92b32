"""The statements that say what a source was heard of: which deliveries, and when; every one uses an index."""

from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Final

from sqlalchemy import Connection, Select, func, select, text

from orchestrator.inbox import rows
from orchestrator.inbox.schema import ENTRIES, PRUNABLE

RECEIVED: Final = text("state = 'received'")
"""In words, because SQLite uses a partial index only where it sees its condition."""

AT_ONCE: Final = 500
"""Ids in one statement; databases limit how many values one may carry."""


def seen(connection: Connection, source: str, delivery_ids: Sequence[str]) -> set[str]:
    """Those of the ids under which a delivery of the source is known."""
    names, found = iter(delivery_ids), set[str]()
    while some := {rows.clean(name): name for name in islice(names, AT_ONCE)}:
        known = select(ENTRIES.c.seen_id).where(
            ENTRIES.c.seen_id.in_(list(some)), ENTRIES.c.source == rows.clean(source)
        )
        found |= {some[name] for name in connection.scalars(known)}
    return found


def newest(connection: Connection, source: str) -> datetime | None:
    """When the newest delivery came that is not pruned."""
    return max(_ends(connection, select(func.max(ENTRIES.c.received_at)), source), default=None)


def oldest(connection: Connection, source: str) -> datetime | None:
    """When the oldest delivery came that is not pruned."""
    return min(_ends(connection, select(func.min(ENTRIES.c.received_at)), source), default=None)


def _ends(connection: Connection, end: Select[Any], source: str) -> list[datetime]:
    # As two questions, each is answered by the first row of an index; as one, by all rows of the source.
    asked = end.where(ENTRIES.c.source == rows.clean(source))
    found = (connection.scalar(asked.where(state)) for state in (PRUNABLE, RECEIVED))
    return [moment for moment in found if moment is not None]
