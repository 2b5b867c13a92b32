"""Any ASGI app over real HTTP on a free loopback port; it knows no app and is ready at once."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from uvicorn import Config, Server


@asynccontextmanager
async def serving(app: Any, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve the app until the block ends; yields its base URL, without a trailing slash."""
    listener = socket.create_server((host, port))
    server = Server(_config(app))
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup(sockets=[listener])
    try:
        yield f"http://{host}:{listener.getsockname()[1]}"
    finally:
        await server.shutdown(sockets=[listener])


def _config(app: Any) -> Config:
    # No websockets: their import warns, and here a warning is an error.
    return Config(app, ws="none", log_config=None, access_log=False, timeout_graceful_shutdown=2)
