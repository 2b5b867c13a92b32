"""Serve an ASGI application on granian inside this event loop; it knows nothing of the application.

It serves a socket it is given, and leaves that as it was: another process may go on where this one stops.
"""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from granian import net
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server
from typing_extensions import override

from orchestrator.doorbell.listener import BACKLOG, bound, host_of, port_of

HEADER_TIMEOUT_MS: Final = 10_000
CONNECTIONS: Final = 1024
"""Open at once; more wait in the backlog."""
LINGER: Final = 0.25
"""Seconds in which a connection that is open already may still say something, after we began to leave."""
DRAIN: Final = 5.0
"""Seconds for what is under way then: long for an honest delivery, short for those who wait in the backlog."""


@asynccontextmanager
async def listening(application: Any, host: str, port: int) -> AsyncIterator[None]:
    """Serve there until the block ends. Raises `OperatorError` when the port can't be had."""
    async with serving(application, bound(host, port)):
        yield


@asynccontextmanager
async def serving(
    application: Any, listener: socket.socket, *, drain: float = DRAIN
) -> AsyncIterator[None]:
    """Serve what connects to the socket until the block ends, and close our end of it.

    Then it accepts nothing more, answers what is under way or still comes on an open connection with
    `Connection: close`, and cuts off only what takes longer than `drain` seconds.
    """
    leaving = asyncio.Event()
    with listener:
        server = _Server(_parting(application, leaving), listener)
        running = asyncio.create_task(server.serve())
        try:
            yield
        finally:
            leaving.set()
            if not running.done():
                server.accept_no_more()
                await asyncio.sleep(LINGER)
            server.stop()  # type: ignore[no-untyped-call]  # granian has no annotation there
            with suppress(asyncio.CancelledError, TimeoutError):
                await asyncio.wait_for(running, drain)


class _Server(Server):
    """Granian's embedded server, on a socket that somebody else may hold too."""

    def __init__(self, application: Any, listener: socket.socket) -> None:
        super().__init__(
            application,
            address=host_of(listener),
            port=port_of(listener),
            interface=Interfaces.ASGI,
            # Not "auto": telling HTTP/2 apart waits for the first bytes without a deadline.
            http=HTTPModes.http1,
            backlog=BACKLOG,
            backpressure=CONNECTIONS,
            http1_settings=HTTP1Settings(header_read_timeout=HEADER_TIMEOUT_MS),
            websockets=False,
            log_enabled=False,
        )
        self._listener = listener
        self._descriptor = -1

    @override
    def _init_shared_socket(self) -> None:
        # Granian would bind a socket of its own, with SO_REUSEPORT: what waits in its backlog dies with it.
        self._ssp = None
        self._descriptor = os.dup(self._listener.fileno())
        over_unix_socket, holder = False, vars(net)["SocketHolder"]
        backlog = () if sys.platform == "darwin" else (BACKLOG,)
        self._shd = holder(self._descriptor, over_unix_socket, *backlog)

    def accept_no_more(self) -> None:
        """Leave who connects from now on to whoever holds the socket next; what is open stays open.

        Granian has no word for that: its stop closes what it accepted an instant ago. So its descriptor is made
        to mean a socket nobody connects to.
        """
        with socket.create_server(("127.0.0.1", 0), backlog=0) as nobody:
            nobody.settimeout(0)
            os.dup2(nobody.fileno(), self._descriptor, inheritable=False)


def _parting(application: Any, leaving: asyncio.Event) -> Any:
    async def served(scope: Any, receive: Any, send: Any) -> None:
        await application(scope, receive, _closing(send) if leaving.is_set() else send)

    return served


def _closing(send: Any) -> Any:
    def told(message: Any) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            headers = (*message.get("headers", ()), (b"connection", b"close"))
            message = {**message, "headers": headers}
        sent: Awaitable[None] = send(message)
        return sent

    return told
