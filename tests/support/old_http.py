"""A Streamable HTTP server of 2025 by hand: sessions, answers as streams, and a stream for what it says unasked."""

import asyncio
import json
from typing import Any

TOOLS = [
    {"name": "look", "description": "Look.", "inputSchema": {"type": "object", "properties": {}}},
    {"name": "slow", "inputSchema": {"type": "object", "properties": {}}},
]


class OldHttp:
    """`sessions` are those it remembers; `calls` and `cancelled` are what reached it."""

    def __init__(self, version: str = "2025-03-26") -> None:
        self.version = version
        self.sessions: set[str] = set()
        self.begun = 0
        self.calls: list[str] = []
        self.cancelled: list[Any] = []
        self.streams: list[asyncio.Queue[dict[str, Any]]] = []

    def say(self, method: str) -> None:
        """Say something that nobody asked for."""
        for stream in self.streams:
            stream.put_nowait({"jsonrpc": "2.0", "method": method})

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        session = dict(scope["headers"]).get(b"mcp-session-id", b"").decode()
        if scope["method"] == "GET":
            await self._stream(receive, send)
        elif scope["method"] == "DELETE":
            self.sessions.discard(session)
            await _answer(send, 200)
        else:
            await self._post(await _body(receive), session, send)

    async def _post(self, request: Any, session: str, send: Any) -> None:
        if request["method"] == "initialize":
            self.begun += 1
            session = f"session-{self.begun}"
            self.sessions.add(session)
        elif request["method"] == "server/discover":
            await _answer(send, 400, b'{"error": "Bad Request: no session"}')
            return
        elif session not in self.sessions:
            await _answer(send, 404, b"Session not found")
            return
        if "id" not in request:
            if request["method"] == "notifications/cancelled":
                self.cancelled.append(request["params"]["requestId"])
            await _answer(send, 202)
            return
        await self._result(request, session, send)

    async def _result(self, request: Any, session: str, send: Any) -> None:
        await _begin(send, 200, b"text/event-stream", session)
        if request["method"] == "tools/call":
            self.calls.append(request["params"]["name"])
            token = (request["params"].get("_meta") or {}).get("progressToken")
            if token is not None:
                said = {"progressToken": token, "progress": 1, "message": "looking"}
                await _event(send, {"method": "notifications/progress", "params": said})
            if request["params"]["name"] == "slow":
                await asyncio.sleep(600)
        await _event(send, {"id": request["id"], "result": self._of(request["method"])})
        await send({"type": "http.response.body", "body": b""})

    def _of(self, method: str) -> dict[str, Any]:
        match method:
            case "initialize":
                return {
                    "protocolVersion": self.version,
                    "capabilities": {"tools": {"listChanged": True}},
                    "serverInfo": {"name": "old http", "version": "1"},
                }
            case "tools/list":
                return {"tools": TOOLS}
            case _:
                return {"content": [{"type": "text", "text": "seen"}]}

    async def _stream(self, receive: Any, send: Any) -> None:
        said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.streams.append(said)
        await _begin(send, 200, b"text/event-stream")
        gone = asyncio.create_task(_gone(receive))
        while not gone.done():
            saying = asyncio.create_task(said.get())
            await asyncio.wait({saying, gone}, return_when=asyncio.FIRST_COMPLETED)
            if saying.done():
                await _event(send, saying.result())
            else:
                saying.cancel()


async def _gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _body(receive: Any) -> Any:
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return json.loads(body)


async def _begin(send: Any, status: int, media_type: bytes, session: str = "") -> None:
    headers = [(b"content-type", media_type)]
    if session:
        headers.append((b"mcp-session-id", session.encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def _event(send: Any, message: dict[str, Any]) -> None:
    said = json.dumps({"jsonrpc": "2.0", **message})
    event = f"event: message\ndata: {said}\n\n".encode()
    await send({"type": "http.response.body", "body": event, "more_body": True})


async def _answer(send: Any, status: int, body: bytes = b"") -> None:
    await _begin(send, status, b"application/json")
    await send({"type": "http.response.body", "body": body})
