"""How our subscriptions stand, for `/status`; it changes nothing."""

from datetime import datetime
from typing import Any

from orchestrator.inbox.subscriptions import Subscription


def told(row: Subscription, now: datetime) -> dict[str, Any]:
    """One of them, to look at."""
    return {
        "source": row.source,
        "server": row.server,
        "event": row.event,
        "arguments": row.arguments,
        "mark": row.mark,
        "id": row.id,
        "state": _state(row, now),
        "active_until": _iso(row.active_until),
        "refreshed_at": _iso(row.refreshed_at),
        "due_at": _iso(row.due_at),
        "reason": row.reason,
        "error": row.error,
        "gaps": row.gaps,
        "gap_at": _iso(row.gap_at),
    }


def _state(row: Subscription, now: datetime) -> str:
    if not row.wanted:
        return "leaving"
    if row.active(now):
        return "active"
    return "failing" if row.troubles else "asking"


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")
