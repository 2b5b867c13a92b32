"""The door's way into the inbox: many deliveries, one fsync; it answers a delivery only after its commit."""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

from orchestrator.database import DatabaseError
from orchestrator.inbox.backlog import Backlog
from orchestrator.inbox.batches import Batches
from orchestrator.inbox.inbox import Arrival, Inbox, Receipt, Refusal

HEAVIEST: Final = 128 * 1024 * 1024
"""Bytes of bodies that may queue for the disk."""


class RemembersRefusals(Protocol):
    """Where refusals go, several at a time."""

    async def refuse_all(self, refusals: Sequence[Refusal]) -> None:
        """Remember them in one transaction."""


class CountsCommits(Protocol):
    """Where commits are counted."""

    def commit(self, rows: int, seconds: float) -> None:
        """One that is on disk."""

    def commit_failed(self) -> None:
        """One that is not."""


class GroupCommit(Batches[Arrival, Receipt]):
    """`async with GroupCommit(inbox) as commit: receipt = await commit.keep(arrival)`.

    `limit` says how many deliveries of a source may wait to be worked off; None means as many as there are.
    """

    def __init__(
        self,
        inbox: Inbox,
        limit: Callable[[str], int | None] = lambda _source: None,
        counts: CountsCommits | None = None,
    ) -> None:
        keep = inbox.keep if counts is None else _counted(inbox, counts)
        super().__init__(keep, weigh=lambda arrival: len(arrival.body), heaviest=HEAVIEST)
        self._backlog = Backlog(inbox.backlog, limit)

    async def keep(self, arrival: Arrival) -> Receipt:
        """Keep it; when this returns it is on disk. Raises `Overloaded` or `DatabaseError`."""
        place = await self._backlog.enter(arrival.source)
        try:
            return await self.put(arrival)
        finally:
            self._backlog.leave(place)


def _counted(
    inbox: Inbox, counts: CountsCommits
) -> Callable[[Sequence[Arrival]], Awaitable[Sequence[Receipt]]]:
    async def keep(arrivals: Sequence[Arrival]) -> Sequence[Receipt]:
        began = time.perf_counter()
        try:
            receipts = await inbox.keep(arrivals)
        except DatabaseError:
            counts.commit_failed()
            raise
        counts.commit(len(arrivals), time.perf_counter() - began)
        return receipts

    return keep


class RefusalLog(Batches[Refusal, None]):
    """The bounded log of refusals, written in batches so that refusing stays cheaper than knocking."""

    def __init__(self, inbox: RemembersRefusals) -> None:
        async def commit(refusals: Sequence[Refusal]) -> Sequence[None]:
            await inbox.refuse_all(refusals)
            return [None] * len(refusals)

        super().__init__(commit)

    async def refuse(self, refusal: Refusal) -> None:
        """Remember it. Raises `Overloaded` or `DatabaseError`; then it is only in the process's log."""
        await self.put(refusal)
