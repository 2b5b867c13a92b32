"""What servers offer, as last heard, so that a call isn't preceded by a question each time; it judges nothing."""

import asyncio
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Final, Protocol

from orchestrator.agent.hands.definitions import Discovered, HandsUnreachable, ToolDefinition

GOOD_FOR: Final = 300.0
"""Seconds after which a server is asked again before one of its tools is called."""

PATIENCE: Final = 30.0
"""Seconds that a call waits for the list; then it isn't made."""


class Asked(Protocol):
    """Whoever can ask a server."""

    async def discover(self, server: str) -> Discovered:
        """What a server offers now. Raises HandsUnreachable."""


@dataclass(kw_only=True, slots=True)
class Listings:
    """One for each process."""

    good_for: float = GOOD_FOR
    _heard: dict[str, tuple[Discovered, float]] = field(default_factory=dict)
    _changes: Counter[str] = field(default_factory=Counter)
    _asking: dict[str, asyncio.Lock] = field(default_factory=dict)

    def forget(self, server: str) -> None:
        """A server may offer something else than it said: it is asked before its next call."""
        self._changes[server] += 1
        if server in self._heard:
            self._heard[server] = (self._heard[server][0], -math.inf)

    def hear(self, found: Discovered, now: float) -> None:
        """Remember what a server said."""
        self._heard[found.server] = (found, now)

    def last(self, server: str, name: str) -> ToolDefinition | None:
        """A tool as its server last offered it, however long ago."""
        found, _ = self._heard.get(server, (None, 0.0))
        tools = () if found is None else found.tools
        return next((one for one in tools if one.name == name), None)

    async def tool(
        self, hands: Asked, server: str, name: str, now: float
    ) -> tuple[Discovered, ToolDefinition]:
        """A tool as its server offers it. Raises HandsUnreachable where it doesn't, or doesn't say."""
        async with self._asking.setdefault(server, asyncio.Lock()):
            found = await self._found(hands, server, now)
        for one in found.tools:
            if one.name == name:
                return found, one
        raise HandsUnreachable(f"{server} offers no tool {name} any more")

    async def _found(self, hands: Asked, server: str, now: float) -> Discovered:
        found, at = self._heard.get(server, (None, 0.0))
        if found is not None and now - at < self.good_for:
            return found
        changes = self._changes[server]
        try:
            async with asyncio.timeout(PATIENCE):
                found = await hands.discover(server)
        except TimeoutError:
            words = f"{server} gave no list of its tools within {PATIENCE:.0f} seconds"
            raise HandsUnreachable(words) from None
        # What changed while it was asked may not be in its answer.
        self.hear(found, now if self._changes[server] == changes else -math.inf)
        return found
