"""The open waits of one turn: which of them an entry ends, and when the time of the next is up; it knows no clock.

A turn may leave several calls open at once: callbacks of tools, and a wait of the model's own. Times are seconds
since 1970.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from workflows.messages import Waiting

FIRST_GRACE = 5.0
LONGEST_GRACE = 300.0
TIME_UP = "the time of this conversation is up"


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


@dataclass(slots=True, kw_only=True)
class Task:
    """One call that its server answers later; `hint` is the event that said it may be worth asking."""

    waiting: Waiting
    look_at: float
    hint: str | None = None


class Tasks:
    """Calls of one turn that their servers answer later, and when each is asked after again.

    After `left` seconds, where they are limited, each is asked once more and then no longer waited for.
    """

    def __init__(self, opened: Iterable[Waiting], now: float, left: float | None) -> None:
        self._until = math.inf if left is None else now + left
        self._over = False
        self._tasks = {
            one.call_id: Task(waiting=one, look_at=min(now + one.seconds, self._until))
            for one in opened
            if one.ended is None
        }

    def __bool__(self) -> bool:
        return bool(self._tasks)

    @property
    def wants(self) -> str:
        """What is waited for, in words."""
        return "; ".join(dict.fromkeys(one.waiting.wants for one in self._tasks.values()))

    @property
    def look_at(self) -> float:
        """When the next is asked after."""
        return min(one.look_at for one in self._tasks.values())

    def has(self, wait_id: str | None) -> bool:
        """Whether an event for this wait hints at one of them."""
        return any(one.waiting.wait_id == wait_id for one in self._tasks.values())

    def hint(self, wait_id: str, event_id: str) -> None:
        """An event came for this wait: whose it is, is asked after at once."""
        for one in self._tasks.values():
            if one.waiting.wait_id == wait_id:
                one.look_at, one.hint = -math.inf, event_id

    def due(self, now: float) -> list[tuple[str, str | None, str]]:
        """Which calls are to be asked after, by what hint, and why for the last time; empty where it isn't."""
        self._over = now >= self._until
        last = TIME_UP if self._over else ""
        return [
            (call_id, one.hint, last) for call_id, one in self._tasks.items() if one.look_at <= now
        ]

    def again(self, call_id: str, at: float) -> None:
        """It is under way yet: ask again then."""
        one = self._tasks[call_id]
        one.hint, one.look_at = None, at if self._over else min(at, self._until)

    def end(self, call_id: str) -> None:
        """This one has ended."""
        del self._tasks[call_id]
