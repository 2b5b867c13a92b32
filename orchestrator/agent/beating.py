"""Heartbeats while something long runs, so that a dead worker is soon noticed; it knows nothing of what runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from temporalio import activity

INTERVAL = 2.0
"""Seconds between heartbeats; a lost worker is noticed after `silence` in `workflows.calls`."""


@asynccontextmanager
async def beating() -> AsyncIterator[None]:
    """Heartbeat until the block ends."""
    task = asyncio.create_task(_beat())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _beat() -> None:
    while True:
        activity.heartbeat()
        await asyncio.sleep(INTERVAL)
