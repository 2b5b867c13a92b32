"""Where a decision is on its way: what holds it, and behind whom of its lane it stands. It moves nothing."""

from collections.abc import Sequence
from typing import Any

from orchestrator.inbox.inbox import Ahead, Decision, DecisionState
from orchestrator.inbox.orders import Pausable, Pause
from orchestrator.inbox.sought import HELD


def standing(
    decision: Decision, source: str, pauses: Sequence[Pause], ahead: Ahead | None
) -> dict[str, Any]:
    """What is said about one whose event rang from this source; only what is ready is held, or behind another."""
    ready = decision.state is DecisionState.READY
    return {
        "attempts": decision.attempts,
        "note": decision.note,
        "held": (paused(decision, source, pauses) or None) if ready else None,
        "behind": _behind(ahead, pauses) if ready and ahead else None,
        "redelivery": decision.again,
    }


def paused(decision: Decision, source: str, pauses: Sequence[Pause]) -> str:
    """Which pauses hold it, and who said so; empty when none does."""
    names = {(Pausable.RULE, decision.rule), (Pausable.SOURCE, source)}
    return ", ".join(
        f"{one.what} paused by {one.by}" for one in pauses if (one.what, one.name) in names
    )


def _behind(ahead: Ahead, pauses: Sequence[Pause]) -> str:
    first, why = ahead.decision, paused(ahead.decision, ahead.source, pauses)
    note = first.note or ""
    if why or note.startswith(HELD):
        return f"{first.event_id} of its key, which is held: {why or note.removeprefix(HELD)}"
    return f"{first.event_id} of its key" + (f", which waits: {note}" if note else "")
