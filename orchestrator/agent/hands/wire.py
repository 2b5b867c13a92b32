"""An HTTP client for MCP that says what became of each request; it knows no tool and no run.

The SDK folds "could not connect", "401" and "502" into one sentence, and a refused connection into the end
of every call beside it. Here each becomes a JSON-RPC error of that one request, with its fate.
"""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any
from uuid import uuid4

import httpx2
from typing_extensions import override

from orchestrator.secrets import Secret
from orchestrator.servers import HttpServer

CLIENT_ERROR, SERVER_ERROR = 400, 500
INTERNAL_ERROR = -32603
SESSION = "mcp-session-id"
MAX_WORDS = 300
LONGEST_SILENCE = 3600.0
"""Seconds between two bytes of an answer; a call's own deadline is always sooner."""
LONGEST_CONNECT = 10.0
"""Seconds for TCP and TLS: a request must not leave long after its call was given up."""


class Fate(StrEnum):
    """What is known about a request that HTTP did not answer with an MCP message."""

    NOT_SENT = "not-sent"
    REFUSED = "refused"
    LOST = "lost"


class Wire(httpx2.AsyncClient):
    """One server's client; `fate` reads what it wrote into an error, and nobody else can write there."""

    def __init__(self, server: HttpServer, connect_timeout: float) -> None:
        super().__init__(
            headers=headers(server),
            timeout=httpx2.Timeout(min(connect_timeout, LONGEST_CONNECT), read=LONGEST_SILENCE),
        )
        self.url = server.url
        self._mark = uuid4().hex

    @property
    def alive(self) -> bool:
        """Whether a request may be tried: HTTP only knows by trying."""
        return True

    @property
    def farewell(self) -> str:
        """How it ended, in words."""
        return "the connection ended"

    def fate(self, data: Any) -> Fate | None:
        """The fate behind the data of a JSON-RPC error; None where the server itself answered."""
        return Fate(data[self._mark]) if isinstance(data, Mapping) and self._mark in data else None

    @override
    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        if request.method != "POST":
            return await super().send(request, **options)
        try:
            response = await super().send(request, **options)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as broken:
            return self._told(request, Fate.NOT_SENT, f"no connection: {broken}")
        except httpx2.TransportError as broken:
            return self._told(request, Fate.LOST, f"the connection broke: {broken!r}")
        return response if response.status_code < CLIENT_ERROR else await self._refused(response)

    async def _refused(self, response: httpx2.Response) -> httpx2.Response:
        body = await response.aread()
        gone = response.status_code == httpx2.codes.NOT_FOUND or b"session" in body.lower()
        if SESSION in response.request.headers and gone:
            return self._told(response.request, Fate.NOT_SENT, "the server forgot our session")
        if _is_error(body):
            return response
        fate = Fate.REFUSED if response.status_code < SERVER_ERROR else Fate.LOST
        said = body[:MAX_WORDS].decode("utf-8", "replace").strip()
        words = f"HTTP {response.status_code} {response.reason_phrase}"
        return self._told(response.request, fate, f"{words}: {said}" if said else words)

    def _told(self, request: httpx2.Request, fate: Fate, words: str) -> httpx2.Response:
        error = {"code": INTERNAL_ERROR, "message": words, "data": {self._mark: fate}}
        return httpx2.Response(
            httpx2.codes.BAD_GATEWAY,
            json={"jsonrpc": "2.0", "id": None, "error": error},
            request=request,
        )


def headers(server: HttpServer) -> dict[str, str]:
    """What every request to this server carries, secrets revealed."""
    sent = {
        name: value.reveal() if isinstance(value, Secret) else value
        for name, value in server.headers.items()
    }
    return (
        sent
        if server.bearer is None
        else {**sent, "Authorization": f"Bearer {server.bearer.reveal()}"}
    )


def _is_error(body: bytes) -> bool:
    try:
        message = json.loads(body)
    except ValueError:
        return False
    return isinstance(message, dict) and isinstance(message.get("error"), dict)
