"""A circuit breaker for one destination, as a value: what it admits, and what an answer makes of it; pure.

    closed --5 failures in a row--> open --its delay is over--> half open: one probe --it works--> closed
                                      ^------------it fails, and the delay doubles--|

News of what was sent before it opened changes nothing: every sending carries the round it belongs to.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

FAILURES: Final = 5
FIRST_DELAY: Final = timedelta(seconds=10)
LONGEST_DELAY: Final = timedelta(minutes=10)
LOOK_AGAIN: Final = timedelta(seconds=1)
"""How soon to ask again while a probe is under way."""


class State(StrEnum):
    """What a breaker is to those who look at it."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """`failures` in a row; `trips` times opened since it last worked; `until` is when the next probe may go."""

    failures: int = 0
    trips: int = 0
    round: int = 0
    until: datetime | None = None
    probing: bool = False
    error: str | None = None

    @property
    def state(self) -> State:
        """Closed, open, or half open while a probe is under way."""
        if self.until is None:
            return State.CLOSED
        return State.HALF_OPEN if self.probing else State.OPEN

    def wait(self, now: datetime) -> datetime | None:
        """Until when nothing may be sent; None where something may be sent now."""
        # A clock that was set back must not keep it open for a day.
        if self.until is None or not now < self.until <= now + LONGEST_DELAY:
            return None
        # A probe is answered sooner than it is given up.
        return min(self.until, now + LOOK_AGAIN) if self.probing else self.until

    def sent(self, now: datetime, patience: timedelta) -> "Breaker":
        """Something admitted is on its way: where it is the probe, no other goes for as long as it may take."""
        if self.until is None:
            return self
        # Whoever was cancelled brings no news: then the next probe goes when this one's patience is over.
        return replace(self, until=now + patience, probing=True, round=self.round + 1)

    def worked(self, round_: int) -> "Breaker":
        """The destination answered what was sent in this round."""
        return self if self._stale(round_) else Breaker(round=self.round)

    def failed(self, round_: int, now: datetime, error: str) -> "Breaker":
        """The destination failed what was sent in this round."""
        if self._stale(round_):
            return self
        failures = self.failures + 1
        if self.until is None and failures < FAILURES:
            return replace(self, failures=failures, error=error)
        return Breaker(
            failures=failures,
            trips=self.trips + 1,
            round=self.round + 1,
            until=now + delay(self.trips),
            error=error,
        )

    def _stale(self, round_: int) -> bool:
        return round_ != self.round


def delay(trips: int) -> timedelta:
    """How long it stays open when it had opened so many times before without working in between."""
    return min(FIRST_DELAY * (1 << min(trips, 10)), LONGEST_DELAY)
