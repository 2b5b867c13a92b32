"""Serve an ASGI application on granian inside this event loop; it knows nothing of the application."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from granian.constants import Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

HEADER_TIMEOUT_MS = 10_000
BACKLOG = 1024


@asynccontextmanager
async def listening(application: Any, host: str, port: int) -> AsyncIterator[None]:
    """Serve until the block ends."""
    server = Server(
        application,
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        backlog=BACKLOG,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_TIMEOUT_MS),
        websockets=False,
        log_enabled=False,
    )
    serving = asyncio.create_task(server.serve())
    try:
        yield
    finally:
        server.stop()  # type: ignore[no-untyped-call]  # granian has no annotation there
        with suppress(asyncio.CancelledError):
            await serving
