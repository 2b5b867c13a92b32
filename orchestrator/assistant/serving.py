"""The MCP server on stdio, for one client, or over HTTP, for whoever shows a token; it knows no tool."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from mcp.server import MCPServer
from mcp.server.lowlevel import NotificationOptions
from mcp.server.stdio import stdio_server

from orchestrator.assistant.pushing import CHANNEL
from orchestrator.console.problems import CONTENT_TYPE, PROBLEMS, problem
from orchestrator.console.proving import WHAT_TO_DO
from orchestrator.errors import AskerError, Fault, OperatorError

KNOWN_FOR: Final = 30.0
"""Seconds for which a token that was proved isn't asked about again."""

MOST_KNOWN: Final = 1_000

Asgi = Callable[[Any, Any, Any], Awaitable[None]]
Prove = Callable[[str], Awaitable[Any]]
"""Asks the installation whether it knows a token. Raises AskerError, or OperatorError."""


async def serve_stdio(server: MCPServer[Any], *, channel: bool) -> None:
    """Serve the client at the other end of stdin and stdout until it leaves."""
    # MCPServer's own run has no word for experimental capabilities.
    lowlevel = server._lowlevel_server  # noqa: SLF001
    options = lowlevel.create_initialization_options(
        NotificationOptions(resources_changed=True), {CHANNEL: {}} if channel else None
    )
    async with stdio_server() as (reads, writes):
        await lowlevel.run(reads, writes, options)


@asynccontextmanager
async def beside(work: Awaitable[None] | None) -> AsyncIterator[None]:
    """Have this work done meanwhile."""
    task = None if work is None else asyncio.ensure_future(work)
    try:
        yield
    finally:
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def behind_tokens(app: Asgi, prove: Prove, clock: Callable[[], float] = time.monotonic) -> Asgi:
    """The application, for requests that show a token the installation knows."""
    known: dict[str, float] = {}

    async def asked(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        token = bearer_of({name.decode(): one.decode("latin-1") for name, one in scope["headers"]})
        fault = await _fault(token, known, prove, clock())
        if fault is None:
            await app(scope, receive, send)
        else:
            await _told(send, fault)

    return asked


def bearer_of(headers: Mapping[str, str]) -> str:
    """The token in the headers; empty where there is none."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


async def _fault(token: str, known: dict[str, float], prove: Prove, now: float) -> Fault | None:
    if not token:
        return Fault.UNPROVED
    # A digest, so that no token stays in memory.
    digest = hashlib.sha256(token.encode("latin-1", "replace")).hexdigest()
    if known.get(digest, -KNOWN_FOR) + KNOWN_FOR > now:
        return None
    try:
        await prove(token)
    except AskerError as error:
        return error.fault
    except OperatorError:
        return Fault.BUSY
    if len(known) >= MOST_KNOWN:
        known.clear()
    known[digest] = now
    return None


async def _told(send: Any, fault: Fault) -> None:
    body = problem(fault, WHAT_TO_DO)
    headers = [(b"content-type", CONTENT_TYPE.encode()), (b"www-authenticate", b"Bearer")]
    status = int(PROBLEMS[fault].status)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
