"""An MCP server whose tools may answer later: the extension, its subscriptions and its mailroom on one desk."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from mcp.server import MCPServer
from mcp.server.subscriptions import InMemorySubscriptionBus

from mcp_servers.tasks.desk import KEEP, Desk
from mcp_servers.tasks.extension import CallOff, Look, TasksExtension
from mcp_servers.tasks.listening import Listening
from mcp_servers.tasks.store import StoreUnavailable

SWEEP: float = 3600.0
"""Seconds between two looks for what is long over."""

A = TypeVar("A")


@dataclass(frozen=True, slots=True, kw_only=True)
class Later(Generic[A]):
    """What the tools of such a server find in their context: the vendor's API, and the desk."""

    api: A
    desk: Desk


Connect = Callable[[], AbstractAsyncContextManager[A]]
"""Opens the vendor's API."""


def server_of(
    name: str,
    *,
    version: str,
    instructions: str,
    desk: Desk,
    connect: Connect[A],
    required: Collection[str] = (),
    call_off: CallOff | None = None,
    look: Look | None = None,
) -> MCPServer[Later[A]]:
    """A server without tools yet; nothing is connected before it runs."""

    @asynccontextmanager
    async def lifespan(_: MCPServer[Later[A]]) -> AsyncIterator[Later[A]]:
        async with connect() as api, swept(desk):
            yield Later(api=api, desk=desk)

    bus = InMemorySubscriptionBus()
    return MCPServer(
        name,
        version=version,
        instructions=instructions,
        lifespan=lifespan,
        log_level="WARNING",
        extensions=[TasksExtension(desk, required=required, call_off=call_off, look=look)],
        middleware=[Listening(desk=desk, bus=bus)],
        subscriptions=bus,
    )


@asynccontextmanager
async def swept(desk: Desk) -> AsyncIterator[None]:
    """Delete what is long over, now and every hour, until the block ends."""
    sweeping = asyncio.create_task(_sweep(desk))
    try:
        yield
    finally:
        sweeping.cancel()
        await asyncio.gather(sweeping, return_exceptions=True)


async def _sweep(desk: Desk) -> None:
    while True:
        # The next tool call says to somebody that the store is away; here nobody listens.
        with suppress(StoreUnavailable):
            await desk.store.prune(desk.clock(), KEEP)
        await asyncio.sleep(SWEEP)
