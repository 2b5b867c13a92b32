"""Where a subscription goes on, and what it may have missed: read from the inbox, told through our own door.

The cursor of the newest event that was kept is where a server has to begin again; nothing is written for it while
events come. What may be missing is an event like any other, so that rules can act on it.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final, Protocol

from orchestrator.agent.hands.subscriptions import Granted
from orchestrator.inbox.inbox import Entry
from orchestrator.inbox.sought import Sought
from orchestrator.inbox.subscriptions import Subscription
from orchestrator.recovery.indoors import Late, Ring
from orchestrator.signatures.standard_webhooks import sign
from orchestrator.signatures.subscribed import SUBSCRIPTION
from orchestrator.subscribing.wants import Wish, digest

LOOKED_AT: Final = 20
"""Events of the type, the newest first, among which the subscription's own is looked for."""


class Kept(Protocol):
    """What is asked of the inbox."""

    async def entries(self, limit: int, sought: Sought) -> list[Entry]:
        """The newest entries first, bodies left out."""

    async def entry(self, event_id: str) -> Entry | None:
        """The entry with exactly this id."""


async def cursor_of(inbox: Kept, row: Subscription) -> str | None:
    """Where its server has to go on: what the newest event said, or the server since."""
    told = [at for at in (row.refreshed_at, row.gap_at) if at is not None]
    since = max(told, default=None)
    sought = Sought(source=row.source, type=row.event, since=since)
    for entry in await inbox.entries(LOOKED_AT, sought):
        if row.id is None or entry.headers.get(SUBSCRIPTION) in {row.id, None}:
            whole = await inbox.entry(entry.id)
            return (None if whole is None else _cursor(whole.body)) or row.cursor
    return row.cursor


def gap_in(row: Subscription, granted: Granted, cursor: str | None, now: datetime) -> str | None:
    """Why events may be missing after this grant; None where they aren't."""
    if granted.truncated:
        return "truncated"
    lapsed = row.refreshed_at is not None and not row.active(now)
    return "lapsed" if lapsed and cursor is None else None


async def ring_gap(
    ring: Ring, wish: Wish, row: Subscription, granted: Granted, why: str, now: datetime
) -> bool:
    """Ring our own door with a gap, as its server would; whether that is kept."""
    since = row.active_until or row.refreshed_at or now
    body = _encoded(
        {
            "type": "gap",
            "cursor": granted.cursor,
            "reason": why,
            "since": since.isoformat(),
            "until": now.isoformat(),
        }
    )
    # The same gap, told again after a crash, is the same message.
    message = f"gap_{row.mark}_{digest(f'{why} {since.isoformat()} {granted.cursor}')}"
    headers = {
        **sign(wish.secret, message, body, now),
        "content-type": "application/json",
        SUBSCRIPTION: granted.id,
    }
    rung = await ring(Late(source=row.source, headers=headers, body=body, sent_at=now))
    return rung.status < HTTPStatus.MULTIPLE_CHOICES


def _encoded(said: Mapping[str, Any]) -> bytes:
    return json.dumps(said).encode()


def _cursor(body: bytes) -> str | None:
    try:
        said = json.loads(body)
    except ValueError:
        return None
    cursor = said.get("cursor") if isinstance(said, dict) else None
    return cursor if isinstance(cursor, str) else None


def ids_by_source(rows: Sequence[Subscription]) -> dict[str, list[str]]:
    """The ids that servers gave to our subscriptions, by source."""
    found: dict[str, list[str]] = {}
    for row in rows:
        if row.id is not None:
            found.setdefault(row.source, []).append(row.id)
    return found
