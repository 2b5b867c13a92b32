"""How a configured server is reached: its transport, its address in words, its secrets; it opens nothing."""

from collections.abc import Mapping
from pathlib import Path

from httpx2 import URL

from orchestrator.agent.child import Child
from orchestrator.agent.wire import Wire
from orchestrator.secrets import Secret
from orchestrator.servers import HttpServer, Server, StdioServer

SHORTEST_SECRET = 6
"""Characters: a shorter one would be found in ordinary words."""


def reach(
    server: Server, environment: Mapping[str, str], connect_timeout: float, stderr: Path | None
) -> Child | Wire:
    """The transport to a server, not yet opened."""
    match server:
        case StdioServer():
            return Child(server, environment, stderr)
        case HttpServer():
            return Wire(server, connect_timeout)


def address(server: Server) -> str:
    """Where a server is, for people: no credentials that may stand in a URL."""
    match server:
        case StdioServer():
            return " ".join(server.command)
        case HttpServer():
            return str(URL(server.url).copy_with(userinfo=b"", query=None, fragment=None))


def secrets_of(server: Server) -> dict[str, str]:
    """The server's secrets, value to reference: what comes back from it must not carry them to the model."""
    held: list[str | Secret | None]
    match server:
        case StdioServer():
            held = [*server.env.values()]
        case HttpServer():
            held = [*server.headers.values(), server.bearer]
    found = {value.reveal(): value.reference for value in held if isinstance(value, Secret)}
    return {value: reference for value, reference in found.items() if len(value) >= SHORTEST_SECRET}
