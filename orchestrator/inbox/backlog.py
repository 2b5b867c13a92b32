"""How much of one source may wait to be worked off; it knows counts and a clock, and no delivery.

Counting costs a query, so it is done only when the estimate says that the limit is reached: the estimate grows with
every delivery let in and never falls by itself, so it is never too low for one process. Of several doorbells on one
database each counts for itself; together they may exceed the limit by what they let in since their last count.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from orchestrator.inbox.batches import Overloaded

RECOUNT: Final = 0.25
"""Seconds between two counts of a source that is full."""


@dataclass(slots=True)
class Place:
    """What is known of one source's backlog, held while one of its deliveries is kept."""

    waiting: int = 0
    inside: int = 0
    counted_at: float | None = None
    counting: asyncio.Lock = field(default_factory=asyncio.Lock)


class Backlog:
    """`place = await backlog.enter(source)` raises `Overloaded` where the limit is reached; `leave` follows."""

    def __init__(
        self,
        count: Callable[[str], Awaitable[int]],
        limit: Callable[[str], int | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._count = count
        self._limit = limit
        self._clock = clock
        self._sources: dict[str, Place] = {}

    async def enter(self, name: str) -> Place | None:
        """Take a place in the source's backlog; None where it has no limit. Raises `Overloaded`, `DatabaseError`."""
        limit = self._limit(name)
        if limit is None:
            return None
        source = self._sources.setdefault(name, Place())
        if source.counted_at is None or source.waiting >= limit:
            await self._make_sure(name, source, limit)
        source.waiting += 1
        source.inside += 1
        return source

    def leave(self, place: Place | None) -> None:
        """The delivery is on disk, or never will be."""
        if place is not None:
            place.inside -= 1

    async def _make_sure(self, name: str, source: Place, limit: int) -> None:
        async with source.counting:
            if source.waiting >= limit or source.counted_at is None:
                await self._recount(name, source)
            if source.waiting >= limit:
                raise Overloaded(f"{limit} deliveries of this source wait to be worked off already")

    async def _recount(self, name: str, source: Place) -> None:
        now = self._clock()
        if source.counted_at is None or now - source.counted_at >= RECOUNT:
            # What is on its way to the disk may be counted twice, never not at all.
            on_their_way = source.inside
            source.waiting = on_their_way + await self._count(name)
            source.counted_at = now
