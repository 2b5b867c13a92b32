"""One look at a server: what it offers, and how soon it answers; it calls no tool."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, TypeVar

from orchestrator.agent.hands.definitions import HandsUnreachable
from orchestrator.agent.hands.looking import Probed
from orchestrator.agent.hands.pool import Hands

AT_ONCE: Final = 4
"""Servers asked at a time: each may have to start, and one that starts beside twenty others is too slow."""

Told = TypeVar("Told")


async def each(names: Iterable[str], ask: Callable[[str], Awaitable[Told]]) -> list[Told]:
    """Ask every one of these servers, a few at a time; the answers in their order."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def in_turn(name: str) -> Told:
        async with turns:
            return await ask(name)

    return list(await asyncio.gather(*map(in_turn, names)))


async def probed(hands: Hands, server: str) -> Probed:
    """Ask it twice what it offers: the first time it may have to start."""
    began = time.perf_counter()
    try:
        await hands.discover(server)
        opened = time.perf_counter() - began
        began = time.perf_counter()
        found = await hands.discover(server)
    except HandsUnreachable as unreachable:
        return Probed(server=server, error=str(unreachable))
    latency = time.perf_counter() - began
    return Probed(server=server, found=found, opened=opened, latency=latency)
