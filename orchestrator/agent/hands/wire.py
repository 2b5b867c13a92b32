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
from mcp.client.auth import OAuthFlowError
from typing_extensions import override

from orchestrator.agent.hands.credentials import Credentials
from orchestrator.secrets import Secret
from orchestrator.servers import HttpServer

CLIENT_ERROR, SERVER_ERROR = 400, 500
INTERNAL_ERROR = -32603
SESSION = "mcp-session-id"
STREAM = "text/event-stream"
MAX_WORDS = 300
MAX_PARTS = 50_000
"""Objects in such an answer: to read more of them would keep the event loop for seconds."""
MAX_BODY = 16 * 1024 * 1024
"""Bytes of an answer that isn't a stream; of a stream, it is each event that is limited."""
LONGEST_SILENCE = 3600.0
"""Seconds between two bytes of an answer; a call's own deadline is always sooner."""
LONGEST_CONNECT = 10.0
"""Seconds for TCP and TLS: a request must not leave long after its call was given up."""

_OF_THE_BODY = frozenset({"content-encoding", "content-length", "transfer-encoding"})


class Fate(StrEnum):
    """What is known about a request that HTTP did not answer with an MCP message."""

    NOT_SENT = "not-sent"
    REFUSED = "refused"
    LOST = "lost"


class Wire(httpx2.AsyncClient):
    """One server's client; `fate` reads what it wrote into an error, and nobody else can write there."""

    def __init__(
        self, server: HttpServer, connect_timeout: float, credentials: Credentials | None = None
    ) -> None:
        super().__init__(
            headers=headers(server),
            auth=credentials,
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
            return await self._answer(await super().send(request, **options))
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as broken:
            return self._told(request, Fate.NOT_SENT, f"no connection: {broken}")
        except httpx2.TransportError as broken:
            return self._told(request, Fate.LOST, f"the connection broke: {broken!r}")
        except OAuthFlowError as refused:
            # A token is only fetched for what was refused for want of one.
            said = str(refused)[:MAX_WORDS]
            return self._told(request, Fate.REFUSED, f"no token could be fetched: {said}")

    async def _answer(self, response: httpx2.Response) -> httpx2.Response:
        refused = response.status_code >= CLIENT_ERROR
        if not refused and response.headers.get("content-type", "").startswith(STREAM):
            return response
        try:
            body = await _read(response)
        finally:
            await response.aclose()
        if body is None:
            words = f"its answer is larger than {MAX_BODY // 1024**2} MiB, or of more than {MAX_PARTS} parts"
            return self._told(response.request, Fate.LOST, words)
        if refused:
            return self._refused(response, body)
        return _whole(response, body)

    def _refused(self, response: httpx2.Response, body: bytes) -> httpx2.Response:
        gone = response.status_code == httpx2.codes.NOT_FOUND or b"session" in body.lower()
        if SESSION in response.request.headers and gone:
            return self._told(response.request, Fate.NOT_SENT, "the server forgot our session")
        if _is_error(body):
            return _whole(response, body)
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


async def _read(response: httpx2.Response) -> bytes | None:
    """The whole body; None where it is too large to be read."""
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > MAX_BODY:
            return None
    return None if body.count(b"{") > MAX_PARTS else bytes(body)


def _whole(response: httpx2.Response, body: bytes) -> httpx2.Response:
    told = httpx2.Headers(
        [pair for pair in response.headers.multi_items() if pair[0].lower() not in _OF_THE_BODY]
    )
    return httpx2.Response(
        response.status_code, headers=told, content=body, request=response.request
    )


def _is_error(body: bytes) -> bool:
    try:
        message = json.loads(body)
    except ValueError:
        return False
    return isinstance(message, dict) and isinstance(message.get("error"), dict)
