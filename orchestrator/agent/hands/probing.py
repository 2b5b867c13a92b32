"""One look at a server: what it offers, and how soon it answers; it calls no tool."""

import time

from orchestrator.agent.hands.definitions import HandsUnreachable
from orchestrator.agent.hands.looking import Probed
from orchestrator.agent.hands.pool import Hands


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
