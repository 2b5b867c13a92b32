"""Tell events as they come, each once, when it has been decided about; it prints nothing itself."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Never

from orchestrator.inbox.inbox import Entry, EntryState, Inbox
from orchestrator.inbox.sought import Sought

LOOK = 0.5
PATIENCE = 4
"""Looks after which an event is told that nobody has decided about."""

OVERLAP = 256
"""Positions that are looked at again: of two deliveries kept at once the later one may be seen first."""

MOST = 10_000

Tell = Callable[[Sequence[Entry]], Awaitable[None]]


@dataclass(kw_only=True, slots=True)
class Following:
    """What is kept after position `begin`: `told` already, or looked at so many times without being decided."""

    inbox: Inbox
    sought: Sought
    begin: int
    newest: int = 0
    told: set[int] = field(default_factory=set)
    undecided: dict[int, int] = field(default_factory=dict)

    async def look(self) -> list[Entry]:
        """What is to be told now, oldest first."""
        after = max(self.begin, min([self.newest, *self.undecided]) - OVERLAP)
        page = await self.inbox.entries(MOST, replace(self.sought, after=after))
        fresh = [entry for entry in reversed(page) if entry.position not in self.told]
        looked = {entry.position: self.undecided.get(entry.position, 0) + 1 for entry in fresh}
        ripe = [entry for entry in fresh if self._ripe(entry, looked[entry.position])]
        self.told |= {entry.position for entry in ripe}
        self.undecided = {place: looks for place, looks in looked.items() if place not in self.told}
        self.newest = max([self.newest, *looked])
        self.told = {place for place in self.told if place > after - OVERLAP}
        return ripe

    def _ripe(self, entry: Entry, looks: int) -> bool:
        undecided = entry.state is EntryState.RECEIVED and self.sought.state is None
        return not undecided or looks >= PATIENCE


async def follow(
    inbox: Inbox,
    sought: Sought,
    tell: Tell,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Never:
    """Tell what is kept from now on, until cancelled."""
    following = Following(inbox=inbox, sought=sought, begin=await inbox.head())
    while True:
        if found := await following.look():
            await tell(found)
        await sleep(LOOK)
