"""What a run begins with, what survives its continue-as-new, and what it answers; values only."""

from dataclasses import dataclass

from workflows.loop import State
from workflows.messages import Entry, Outcome, Title


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A mailbox between two runs: its entries, the newest place that was taken, what was folded and not yet told.

    `reserved` is the token of the event that was claimed before the conversation could take it.
    """

    mailbox: tuple[Entry, ...] = ()
    place: int = 0
    folded: tuple[str, ...] = ()
    reserved: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried(Kept):
    """All state that survives continue-as-new; `parked` is the reason of a conversation that waits for a person."""

    conversation: State | None = None
    story: tuple[str, ...] = ()
    parked: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInput:
    """What a run starts with: its title for people, and what an earlier part of it carried over."""

    title: Title
    carried: Carried | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """How many conversations this run ended since its last continue-as-new, and how the last one ended."""

    conversations: int
    outcome: Outcome | None
