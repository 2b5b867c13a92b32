"""Which entries somebody looks for, in the words that people ask with; values only, it finds nothing itself."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final


class Stand(StrEnum):
    """How an event stands, as people ask for it: the state of the entry, or of what was decided about it."""

    RECEIVED = "received"
    DECIDED = "decided"
    QUARANTINED = "quarantined"
    PRUNED = "pruned"
    WAITING = "waiting"
    HELD = "held"
    DEAD = "dead"


HELD: Final = "held: "
"""How a note begins that says why a decision must wait, where nothing failed."""


OPEN: Final = " open"
"""How such a note ends where it is other runs of the rule that must end or pause first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """Which entries are looked for; None asks nothing.

    `type` is a glob, `after` and `before` are positions, `since` inclusive, `until` exclusive. `waiting`: something
    decided isn't delivered; `held` is what of that waits because somebody paused it, or for a run with a full mailbox,
    or to end.
    """

    source: str | None = None
    type: str | None = None
    state: Stand | None = None
    since: datetime | None = None
    until: datetime | None = None
    after: int = 0
    before: int | None = None


EVERYTHING: Final = Sought()
