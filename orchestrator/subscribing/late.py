"""The client of MCP Events, imported when the first subscription is asked for; it asks nobody itself.

The SDK takes a second and forty megabytes, which a service without such a source doesn't spend.
"""

import asyncio
from collections.abc import Callable
from importlib import import_module
from typing import Final

from typing_extensions import override

from orchestrator.agent.hands.subscriptions import Asked, AsksForEvents, Denied, Granted
from orchestrator.agent.text.redacting import Redact
from orchestrator.servers import HttpServer

PLACE: Final = "orchestrator.agent.hands.events"


def events_of(redact: Redact) -> Callable[[], AsksForEvents]:
    """How to make the client; it imports what that needs."""

    def make() -> AsksForEvents:
        made: AsksForEvents = import_module(PLACE).Events(redact)
        return made

    return make


class LateEvents(AsksForEvents):
    """Asks through what `make` gives, made once, in a thread."""

    def __init__(self, make: Callable[[], AsksForEvents]) -> None:
        self._make = make
        self._made: AsksForEvents | None = None
        self._one = asyncio.Lock()

    @override
    async def subscribe(self, server: HttpServer, asked: Asked, *, look: bool) -> Granted | Denied:
        return await (await self._here()).subscribe(server, asked, look=look)

    @override
    async def unsubscribe(self, server: HttpServer, asked: Asked) -> Denied | None:
        return await (await self._here()).unsubscribe(server, asked)

    async def _here(self) -> AsksForEvents:
        async with self._one:
            if self._made is None:
                self._made = await asyncio.to_thread(self._make)
        return self._made
