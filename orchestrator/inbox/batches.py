"""One writer for many askers: whatever queued while the last commit ran is the next batch; it knows no inbox.

An item that breaks its batch fails alone, because the batch is then tried item by item. When there is no room
the asker is told at once; nothing that queues is ever thrown out.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Generic, Self, TypeVar

from orchestrator.database import DatabaseUnavailable
from orchestrator.errors import Reason, SenderError

Item = TypeVar("Item")
Answer = TypeVar("Answer")
MOST: Final = 256
"""Items of one commit."""

ROOM: Final = 2_048
"""Items that may queue."""


class Overloaded(SenderError):
    """There is no room to keep it now; the sender rings again later."""

    def __init__(self, why: str = "there is no room in the queue before the disk") -> None:
        super().__init__(Reason.OVERLOADED, f"{why}; ring again later")


@dataclass(frozen=True, slots=True)
class _Asked(Generic[Item, Answer]):
    item: Item
    weight: int
    answer: "asyncio.Future[Answer]"


class Batches(Generic[Item, Answer]):
    """`async with Batches(commit) as batches: answer = await batches.put(item)`.

    `heaviest` bounds the sum of `weigh(item)` over what queues. Leaving the block commits what is queued.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[Item]], Awaitable[Sequence[Answer]]],
        *,
        weigh: Callable[[Item], int] = lambda _item: 0,
        heaviest: int = 0,
        room: int = ROOM,
    ) -> None:
        self._commit = commit
        self._weigh = weigh
        self._heaviest = heaviest
        self._room = room
        self._weight = 0
        self._queue: deque[_Asked[Item, Answer]] = deque()
        self._wake = asyncio.Event()
        self._open = False
        self._drain: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._open = True
        self._drain = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open = False
        self._wake.set()
        if self._drain is not None:
            await self._drain

    async def put(self, item: Item) -> Answer:
        """Queue the item and wait for its commit. Raises `Overloaded`, or what the commit raised."""
        weight = self._weigh(item)
        # One item is always let in, however heavy: else nothing could ever carry it.
        full = self._weight and self._weight + weight > self._heaviest > 0
        if not self._open or full or len(self._queue) >= self._room:
            raise Overloaded
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._queue.append(_Asked(item, weight, answer))
        self._weight += weight
        self._wake.set()
        return await answer

    async def _run(self) -> None:
        while self._open or self._queue:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                taken = [self._queue.popleft() for _ in range(min(MOST, len(self._queue)))]
                # Who has gone away got no answer and will ring again.
                await self._settle([asked for asked in taken if not asked.answer.done()])
                self._weight -= sum(asked.weight for asked in taken)

    async def _settle(self, batch: Sequence[_Asked[Item, Answer]]) -> None:
        if not batch:
            return
        commit = asyncio.ensure_future(self._commit([asked.item for asked in batch]))
        await asyncio.wait([commit])
        error = commit.exception()
        if error is None:
            for asked, answer in zip(batch, commit.result(), strict=True):
                if not asked.answer.done():
                    asked.answer.set_result(answer)
        elif len(batch) == 1 or isinstance(error, DatabaseUnavailable):
            _fail(batch, error)
        else:
            for asked in batch:
                await self._settle([asked])


def _fail(batch: Sequence[_Asked[Item, Answer]], error: BaseException) -> None:
    for asked in batch:
        if not asked.answer.done():
            asked.answer.set_exception(error)
