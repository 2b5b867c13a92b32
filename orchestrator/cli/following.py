"""Tell events as they come, each once, when it has been decided about; it prints nothing itself."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Never

from orchestrator.console.questions import Console, Events, Shown
from orchestrator.inbox.inbox import EntryState

LOOK = 0.5
PATIENCE = 4
"""Looks after which an event is told that nobody has decided about."""

OVERLAP = 256
"""Events that are looked at again: of two deliveries kept at once the later one may be seen first."""

MOST = 10_000
BEFORE: Final = Events(limit=1)

Tell = Callable[[Sequence[Shown]], Awaitable[None]]


@dataclass(kw_only=True, slots=True)
class Following:
    """What is kept after the event `begin`: `told` already, or looked at so many times without being decided."""

    asked: Console
    sought: Events
    begin: str | None
    told: set[str] = field(default_factory=set)
    undecided: dict[str, int] = field(default_factory=dict)

    async def look(self) -> list[Shown]:
        """What is to be told now, oldest first."""
        found = await self.asked.ask(replace(self.sought, after=self.begin, limit=MOST))
        page: list[Shown] = found["events"][::-1]
        fresh = [one for one in page if one["id"] not in self.told]
        looks = {one["id"]: self.undecided.get(one["id"], 0) + 1 for one in fresh}
        ripe = [one for one in fresh if self._ripe(one, looks[one["id"]])]
        self.told |= {one["id"] for one in ripe}
        self.undecided = {name: count for name, count in looks.items() if name not in self.told}
        self._go_on([one["id"] for one in page])
        return ripe

    def _go_on(self, page: Sequence[str]) -> None:
        """Begin after the last event behind which nothing is to be told, and look at some of them once more."""
        open_at = next((at for at, name in enumerate(page) if name not in self.told), len(page))
        done = page[: max(0, min(open_at, len(page) - OVERLAP))]
        if done:
            self.begin = done[-1]
            self.told -= set(done)

    def _ripe(self, one: Shown, looks: int) -> bool:
        undecided = one["state"] == EntryState.RECEIVED and self.sought.stand is None
        return not undecided or looks >= PATIENCE


async def newest(asked: Console) -> str | None:
    """The event that was kept last; None where there is none."""
    found = (await asked.ask(BEFORE))["events"]
    return found[0]["id"] if found else None


async def follow(
    asked: Console,
    sought: Events,
    tell: Tell,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Never:
    """Tell what is kept from now on, until cancelled. Raises AskerError, or OperatorError."""
    following = Following(asked=asked, sought=sought, begin=await newest(asked))
    while True:
        if found := await following.look():
            await tell(found)
        await sleep(LOOK)
