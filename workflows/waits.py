"""The open waits of one turn: which of them an entry ends, and when the time of the next is up; it knows no clock.

A turn may leave several calls open at once: callbacks of tools, and a wait of the model's own. Times are seconds
since 1970.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from workflows.messages import Waiting

FIRST_GRACE = 5.0
LONGEST_GRACE = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One open wait; `grace` is how long it stays open yet when its time is up and its event is on its way."""

    waiting: Waiting
    deadline: float
    grace: float = FIRST_GRACE


class Waits:
    """Those that are open, in the order of their calls."""

    def __init__(self, opened: Iterable[Waiting], now: float) -> None:
        self._open = {
            one.wait_id: Standing(waiting=one, deadline=now + one.seconds)
            for one in opened
            if one.ended is None
        }

    def __bool__(self) -> bool:
        return bool(self._open)

    @property
    def ids(self) -> tuple[str, ...]:
        """Their ids."""
        return tuple(self._open)

    @property
    def wants(self) -> str:
        """What they wait for, in words."""
        return "; ".join(one.waiting.wants for one in self._open.values())

    @property
    def deadline(self) -> float:
        """When the first of them is up."""
        return min(one.deadline for one in self._open.values())

    def due(self, now: float) -> str | None:
        """The one whose time is up, the longest ago first; None where there is none."""
        first = min(self._open.values(), key=lambda one: one.deadline, default=None)
        return None if first is None or now < first.deadline else first.waiting.wait_id

    def has(self, wait_id: str | None) -> bool:
        """Whether this one is open."""
        return wait_id in self._open

    def linger(self, wait_id: str, now: float) -> None:
        """Its time is up, but an event that came in time is on its way from the inbox: look again later."""
        one = self._open[wait_id]
        longer = min(one.grace * 2, LONGEST_GRACE)
        self._open[wait_id] = replace(one, deadline=now + one.grace, grace=longer)

    def end(self, wait_id: str) -> None:
        """This one has ended."""
        del self._open[wait_id]
