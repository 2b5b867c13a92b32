"""Deadlines of many requests held by one timer; it knows tasks and moments of the loop, and no request.

`asyncio.timeout` arms and disarms a timer for every request and phase, which costs as much as verifying a
signature. One look at all of them each quarter of a second costs nothing, and a sender that is cut off a quarter of
a second late loses nothing.
"""

import asyncio
from types import TracebackType
from typing import Any, Final, Self

COARSE: Final = 0.25
"""Seconds between two looks."""

FINE: Final = 0.01


class Deadline:
    """`with deadlines.within(10) as deadline:` cancels the task that is inside when it is over.

    `at` may be moved meanwhile, in seconds of the loop's clock. Raises `TimeoutError`.
    """

    __slots__ = ("_all", "_late", "_task", "at")

    def __init__(self, everyone: "Deadlines", task: "asyncio.Task[Any]", at: float) -> None:
        self._all = everyone
        self._task = task
        self._late = False
        self.at = at

    def __enter__(self) -> Self:
        self._all.add(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._all.discard(self)
        if self._late and self._task.uncancel() <= 0 and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def end(self) -> None:
        """It is over: cancel whoever is inside, once."""
        if not self._late:
            self._late = True
            self._task.cancel()


class Deadlines:
    """All that run on one event loop."""

    def __init__(self) -> None:
        self._running: set[Deadline] = set()
        self._look_at: asyncio.TimerHandle | None = None

    def within(self, seconds: float) -> Deadline:
        """A deadline for the running task, from now on."""
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        if task is None:
            raise RuntimeError("a deadline needs a task to cancel")
        return Deadline(self, task, loop.time() + seconds)

    def add(self, deadline: Deadline) -> None:
        """Watch it."""
        self._running.add(deadline)
        if self._look_at is None:
            self._look_later(asyncio.get_running_loop())

    def discard(self, deadline: Deadline) -> None:
        """Watch it no longer."""
        self._running.discard(deadline)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._look_at = None
        now = loop.time()
        for deadline in [one for one in self._running if one.at <= now]:
            deadline.end()
        if self._running:
            self._look_later(loop)

    def _look_later(self, loop: asyncio.AbstractEventLoop) -> None:
        nearest = min(deadline.at for deadline in self._running) - loop.time()
        self._look_at = loop.call_later(min(COARSE, max(FINE, nearest)), self._look, loop)
