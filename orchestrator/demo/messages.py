"""The scripted Messages server: Anthropic's wire format as an ASGI app; it knows HTTP and no story.

    app = messages_app(TriageScript(), now=lambda: datetime.now(UTC))

The real `anthropic` SDK talks to it over real HTTP and can't tell: JSON and streamed replies, token counts, errors
and cache figures have the API's shape. What the model says comes from the `Script`.
"""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from orchestrator.demo.checks import MODEL, counting_problem, problem
from orchestrator.demo.prefixes import Cache, prefixes, tokens
from orchestrator.demo.wire import (
    STATUS,
    Cut,
    Fault,
    Reply,
    Script,
    Text,
    dumps,
    error,
    error_frame,
    frames,
    message,
)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

WINDOW = 1_000_000
"""Tokens of the longest conversation, as the models of 2026 take it."""

MAX_BODY = 32 * 1024 * 1024
"""Bytes of one request, as the API limits them."""

BEGUN = Reply(
    blocks=(Text("Let me have a look at this, one thing after the other."),), stop_reason="end_turn"
)
"""What a reply that is cut had begun to say."""

FRAMES_BEFORE_CUT = 4

MODEL_PATH = "/v1/models/"


class _RefusedError(Exception):
    """A request the API answers with an error."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text


@dataclass(frozen=True, slots=True, kw_only=True)
class _Exchange:
    """One request with the means to answer it; the id is the one people quote to support."""

    id: str
    path: str
    verb: str
    headers: Mapping[str, str]
    body: bytes
    send: Send


def messages_app(
    script: Script,
    *,
    now: Callable[[], datetime],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    window: int = WINDOW,
) -> App:
    """An ASGI app that answers like the Messages API, with the script as its model; `window` is in tokens."""
    server = _Server(script=script, sleep=sleep, cache=Cache(now=now), window=window)

    # A plain function: servers take a bound method for the older, two-step ASGI.
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await server.answer(scope, receive, send)

    return app


@dataclass(frozen=True, slots=True, kw_only=True)
class _Server:
    script: Script
    sleep: Callable[[float], Awaitable[None]]
    cache: Cache
    window: int
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        exchange = await _exchange(f"req_scripted_{next(self.numbers):08d}", scope, receive, send)
        try:
            await self._route(exchange)
        except _RefusedError as refused:
            await _refuse(exchange, refused.kind, refused.text)

    async def _route(self, exchange: _Exchange) -> None:
        _admit(exchange)
        match exchange.verb, exchange.path:
            case "POST", "/v1/messages":
                request = _request(exchange, problem)
                self._measure(exchange, request)
                await self._create(exchange, request)
            case "POST", "/v1/messages/count_tokens":
                row = prefixes(_request(exchange, counting_problem))
                await _json(exchange, 200, {"input_tokens": row[-1].tokens if row else 0})
            case "GET", path if path.startswith(MODEL_PATH):
                await _json(exchange, 200, _model(path.removeprefix(MODEL_PATH)))
            case _:
                raise _RefusedError("not_found_error", "Not Found")

    def _measure(self, exchange: _Exchange, request: Mapping[str, Any]) -> None:
        # Most requests are surely shorter, and weighing takes time.
        if tokens(len(exchange.body)) > self.window:
            found = prefixes(request)[-1].tokens
            if found > self.window:
                text = f"prompt is too long: {found} tokens > {self.window} maximum"
                raise _RefusedError("invalid_request_error", text)

    async def _create(self, exchange: _Exchange, request: Mapping[str, Any]) -> None:
        match self.script.reply(request):
            case Reply() as reply if request.get("stream"):
                await self._stream(exchange, request, reply)
            case Reply() as reply:
                await self.sleep(reply.delay)
                usage = self.cache.charge(request, reply.blocks)
                await _json(exchange, 200, message(request, reply, usage))
            case Fault(cut=None) as fault:
                await self.sleep(fault.delay)
                await _fail(exchange, fault)
            case Fault() as fault:
                await self.sleep(fault.delay)
                await self._break(exchange, request, fault)

    async def _stream(self, exchange: _Exchange, request: Mapping[str, Any], reply: Reply) -> None:
        usage = self.cache.charge(request, reply.blocks)
        whole = list(frames(request, reply, usage))
        await _begin(exchange, 200, "text/event-stream; charset=utf-8")
        async for frame in self._paced(whole, reply.delay):
            await _more(exchange, frame)
        await _end(exchange)

    async def _paced(self, whole: list[bytes], delay: float) -> AsyncIterator[bytes]:
        pause = delay / max(1, len(whole) - 1)
        for n, frame in enumerate(whole):
            if n and pause:
                await self.sleep(pause)
            yield frame

    async def _break(self, exchange: _Exchange, request: Mapping[str, Any], fault: Fault) -> None:
        if fault.cut is Cut.ERROR and not request.get("stream"):
            await _fail(exchange, fault)
            return
        usage = self.cache.charge(request, BEGUN.blocks)
        if request.get("stream"):
            await _begin(exchange, 200, "text/event-stream; charset=utf-8")
            for frame in itertools.islice(frames(request, BEGUN, usage), FRAMES_BEFORE_CUT):
                await _more(exchange, frame)
        else:
            whole = dumps(message(request, BEGUN, usage)).encode()
            await _begin(exchange, 200, "application/json")
            await _more(exchange, whole[: len(whole) // 2])
        await _cut(exchange, fault)


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        asked = (await receive())["type"]
        await send({"type": f"{asked}.complete"})
        if asked == "lifespan.shutdown":
            return


async def _exchange(name: str, scope: Scope, receive: Receive, send: Send) -> _Exchange:
    headers = {
        key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]
    }
    body, more = bytearray(), True
    while more:
        event = await receive()
        # Beyond the limit the body is read to its end, but not kept.
        if len(body) <= MAX_BODY:
            body += event.get("body", b"")
        more = event.get("more_body", False)
    return _Exchange(
        id=name,
        path=scope["path"],
        verb=scope["method"],
        headers=headers,
        body=bytes(body),
        send=send,
    )


def _admit(exchange: _Exchange) -> None:
    bearer = exchange.headers.get("authorization", "").removeprefix("Bearer ").strip()
    if not (bearer or exchange.headers.get("x-api-key", "").strip()):
        raise _RefusedError("authentication_error", "x-api-key header is required")
    if "anthropic-version" not in exchange.headers:
        raise _RefusedError("invalid_request_error", "anthropic-version: header is required")
    if len(exchange.body) > MAX_BODY:
        raise _RefusedError("request_too_large", "Request exceeds the maximum size")


def _request(
    exchange: _Exchange, check: Callable[[Mapping[str, Any]], str | None]
) -> Mapping[str, Any]:
    try:
        request = json.loads(exchange.body)
    except ValueError as bad:
        raise _RefusedError(
            "invalid_request_error", f"The request body is not valid JSON: {bad}"
        ) from None
    if not isinstance(request, dict):
        raise _RefusedError("invalid_request_error", "Input should be a valid dictionary")
    refused = check(request)
    if refused is not None:
        raise _RefusedError("invalid_request_error", refused)
    _model(request["model"])
    return request


def _model(name: str) -> dict[str, Any]:
    if not MODEL.fullmatch(name):
        raise _RefusedError("not_found_error", f"model: {name}")
    return {
        "type": "model",
        "id": name,
        "display_name": f"{name} (scripted)",
        "created_at": "2026-01-01T00:00:00Z",
        "lifecycle": "active",
    }


async def _refuse(exchange: _Exchange, kind: str, text: str) -> None:
    await _json(exchange, STATUS[kind], error(kind, text, exchange.id))


async def _fail(exchange: _Exchange, fault: Fault) -> None:
    headers = {} if fault.retry_after is None else {"retry-after": f"{fault.retry_after:g}"}
    body = error(fault.type, fault.message, exchange.id)
    await _json(exchange, fault.status, body, headers)


async def _cut(exchange: _Exchange, fault: Fault) -> None:
    match fault.cut:
        case Cut.ERROR:
            await _more(exchange, error_frame(fault.type, fault.message, exchange.id))
            await _end(exchange)
        case Cut.END:
            await _end(exchange)
        case Cut.DROP | None:
            # An app that returns before its body is complete loses the connection.
            return


async def _json(
    exchange: _Exchange,
    status: int,
    body: Mapping[str, Any],
    headers: Mapping[str, str] | None = None,
) -> None:
    await _begin(exchange, status, "application/json", headers or {})
    await exchange.send(
        {"type": "http.response.body", "body": dumps(body).encode("utf-8", "surrogatepass")}
    )


async def _begin(
    exchange: _Exchange, status: int, kind: str, headers: Mapping[str, str] | None = None
) -> None:
    told = {"content-type": kind, "request-id": exchange.id, "cache-control": "no-cache"}
    pairs = [(k.encode(), v.encode()) for k, v in {**told, **(headers or {})}.items()]
    await exchange.send({"type": "http.response.start", "status": status, "headers": pairs})


async def _more(exchange: _Exchange, body: bytes) -> None:
    await exchange.send({"type": "http.response.body", "body": body, "more_body": True})


async def _end(exchange: _Exchange) -> None:
    await exchange.send({"type": "http.response.body", "body": b""})
