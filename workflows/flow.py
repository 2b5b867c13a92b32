"""How events of one key meet a run that is already there, as values; it knows no mailbox and no run."""

from dataclasses import dataclass
from enum import StrEnum


class Mode(StrEnum):
    """How events of one key meet a run that is already there."""

    SIGNAL = "signal"
    QUEUE = "queue"
    SUPERSEDE = "supersede"
    SINGLE = "single"
    PARALLEL = "parallel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Coalesce:
    """Wait until no further event came for `quiet` seconds, at most `within` seconds from the first."""

    quiet: float
    within: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What a rule says of it; a decision keeps the words it was made with."""

    mode: Mode = Mode.SIGNAL
    coalesce: Coalesce | None = None
