"""What a run asks about calls that their servers answer later, and is told; values only."""

from dataclasses import dataclass

from workflows.asks import Question
from workflows.messages import CallOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Ask after a call that its server answers later; `event_id` is the event that hinted at it.

    `last` says why it isn't asked after again.
    """

    run_id: str
    call_id: str
    event_id: str | None = None
    last: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """How the call ended; as long as it has not, in how many seconds it is asked after again, and what was `said`.

    `asks` are the questions that its server asks people and nobody has answered yet.
    """

    outcome: CallOutcome | None = None
    seconds: float = 0.0
    said: str = ""
    asks: tuple[Question, ...] = ()
