"""What a person may order of the inbox itself, and what is paused by such an order; values only.

They are carried out in the transaction that marks the person's own entry decided: once, or not at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Pausable(StrEnum):
    """What a person may pause: what a rule decided, or what a source rang."""

    RULE = "rule"
    SOURCE = "source"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Since `at`, nothing of this rule or source is claimed; it is kept, and keeps its place."""

    what: Pausable
    name: str
    by: str
    at: datetime

    def holds(self, *, rule: str, source: str) -> bool:
        """Whether it holds a run that this rule opened for an event of this source."""
        return self.name == (rule if self.what is Pausable.RULE else source)

    @property
    def ends_with(self) -> str:
        """The command that ends it."""
        prefix = "source:" if self.what is Pausable.SOURCE else ""
        return f"doorbell rules unpause {prefix}{self.name}"


def holding(pauses: Sequence[Pause], *, rule: str, source: str) -> Pause | None:
    """The pause that holds such a run, if one does; a rule's before a source's."""
    return next((one for one in pauses if one.holds(rule=rule, source=source)), None)


@dataclass(frozen=True, slots=True)
class Retry:
    """Deliver a dead decision after all, at the end of its lane, as if it had never been tried."""

    decision_id: str


@dataclass(frozen=True, slots=True)
class Discard:
    """Leave a dead decision undelivered for good; `note` says who wanted that, and why it was dead."""

    decision_id: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Pause this."""

    what: Pausable
    name: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain:
    """Go on with this."""

    what: Pausable
    name: str


Order = Retry | Discard | Hold | Drain
"""What a person's word asks of the inbox itself."""
