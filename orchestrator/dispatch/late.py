"""The age limit of catching up: an event that comes very late is kept and wakes who waits for it, but starts nothing.

A week of missed deliveries must not be a week of bills. Only what recovery brought in says when it was first sent;
that is proved by the API that listed it. What a sender tells of its own age isn't asked: where it is signed, the
scheme's tolerance has refused all but minutes, and where it isn't, anybody may have written it.
"""

from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from orchestrator.events import Event
from orchestrator.inbox.inbox import Action, Decision, DecisionState

DELIVERED_AT: Final = "doorbell-delivered-at"
"""Beside a recovered delivery: when it was first sent. From outside no header of this name is let in."""


def too_late(event: Event, catch_up: timedelta | None) -> str | None:
    """Why rules must not act on it, in words; None where it came in time or its age isn't known."""
    sent_at = _moment(event.headers.get(DELIVERED_AT))
    if sent_at is None or catch_up is None:
        return None
    late = event.received_at - sent_at
    if late <= catch_up:
        return None
    return (
        f"came {_words(late)} late: older than catch_up {_words(catch_up)}; "
        f"`doorbell events redeliver {event.id}` acts on it deliberately"
    )


def left_alone(decision: Decision, reason: str) -> Decision:
    """The decision of a rule that would have acted; one that ignores the event keeps its own reason."""
    if decision.action is Action.IGNORE:
        return decision
    return replace(
        decision,
        action=Action.IGNORE,
        reason=reason,
        state=DecisionState.SETTLED,
        workflow_id=None,
        lane=None,
    )


def _moment(text: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def _words(length: timedelta) -> str:
    """Whole hours, or minutes under an hour; rounded up, so that a limit is never said to hold what it doesn't."""
    minutes = -(-length // timedelta(minutes=1))
    count, unit = (minutes, "minute") if minutes < 60 else (-(-minutes // 60), "hour")  # noqa: PLR2004
    return f"{count} {unit}{'' if count == 1 else 's'}"
