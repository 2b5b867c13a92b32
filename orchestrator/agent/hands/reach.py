"""How a configured server is reached: its transport, its address in words; it opens nothing."""

from collections.abc import Callable, Mapping
from pathlib import Path

from httpx2 import URL

from orchestrator.agent.hands.child import Child
from orchestrator.agent.hands.credentials import Credentials
from orchestrator.agent.hands.wire import Wire
from orchestrator.servers import HttpServer, Server, StdioServer


def reach(
    server: Server,
    environment: Mapping[str, str],
    connect_timeout: float,
    stderr: Path | None,
    redacted: Callable[[str], str],
    credentials: Credentials | None,
    ended: Callable[[], None],
) -> Child | Wire:
    """The transport to a server, not yet opened; `redacted` is how its stderr may be kept.

    `ended` is told when a child is gone, whoever ended it.
    """
    match server:
        case StdioServer():
            return Child(server, environment, stderr, redacted, ended)
        case HttpServer():
            return Wire(server, connect_timeout, credentials)


def address(server: Server) -> str:
    """Where a server is, for people: no credentials that may stand in a URL."""
    match server:
        case StdioServer():
            return " ".join(server.command)
        case HttpServer():
            return str(URL(server.url).copy_with(userinfo=b"", query=None, fragment=None))
