"""A circuit breaker for one server, as a value: whether to connect, how long to rest before; pure, it reaches nobody.

    closed --5 failures in a row--> open --its delay is over--> one trial --it answers--> closed
                                      ^------------it fails, and the delay doubles--|

A failure is a server that can't be reached or a connection that died. What a tool says, however bad, is none.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

FAILURES: Final = 5
FIRST_REST: Final = 0.5
"""Seconds between the second failure in a row and the next start; the first restart is at once."""

FIRST_DELAY: Final = 5.0
LONGEST_DELAY: Final = 60.0
TRIAL: Final = 30.0
"""Seconds that a trial may take; after that another one goes."""


class State(StrEnum):
    """What a breaker is to those who look at it."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """`failures` in a row; `trips` times opened since it last worked; `until` nobody is let through but one trial.

    Times are seconds of any clock that only goes forward.
    """

    failures: int = 0
    trips: int = 0
    until: float | None = None
    trying: bool = False
    error: str | None = None
    failed_at: float = 0.0

    @property
    def state(self) -> State:
        """Closed, open, or half open while a trial is under way."""
        if self.until is None:
            return State.CLOSED
        return State.HALF_OPEN if self.trying else State.OPEN

    def closed_for(self, now: float) -> float:
        """Seconds for which nobody is let through; 0 where somebody is."""
        return 0.0 if self.until is None else max(self.until - now, 0.0)

    def rest(self, now: float) -> float:
        """Seconds to wait before it is started again, so that what dies at once isn't started in a loop."""
        if self.failures < 2:  # noqa: PLR2004 - the first restart is at once
            return 0.0
        pause = FIRST_REST * (1 << min(self.failures - 2, 4))
        return max(self.failed_at + pause - now, 0.0)

    def tried(self, now: float) -> "Breaker":
        """Somebody was let through: where it is open that is the trial, and no other goes meanwhile."""
        if self.until is None:
            return self
        return replace(self, until=now + TRIAL, trying=True)

    def worked(self) -> "Breaker":
        """The server answered."""
        return Breaker()

    def failed(self, now: float, error: str) -> "Breaker":
        """The server could not be reached, or its connection died."""
        failures = self.failures + 1
        if self.until is None and failures < FAILURES:
            return replace(self, failures=failures, error=error, failed_at=now)
        if self.state is State.OPEN:
            # News of what began before it opened: it is known already.
            return replace(self, error=error)
        return Breaker(
            failures=failures,
            trips=self.trips + 1,
            until=now + delay(self.trips),
            error=error,
            failed_at=now,
        )


def delay(trips: int) -> float:
    """Seconds that it stays open when it had opened so many times before without an answer in between."""
    return min(FIRST_DELAY * (1 << min(trips, 10)), LONGEST_DELAY)
