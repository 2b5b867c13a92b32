"""`GET /metrics` of a process that serves nothing else: a few lines of HTTP, so that the worker loads no server.

One request per connection, 8 KB of headers, 5 s: nothing more is needed to be scraped.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Final

from orchestrator.errors import OperatorError
from orchestrator.telemetry.exposition import PROMETHEUS, Text
from orchestrator.telemetry.registry import Registry
from orchestrator.telemetry.scrape import Permission, Scraped, scraped

DEADLINE: Final = 5.0
LONGEST: Final = 8_192
PORTS: Final = 65_535
LINE: Final = "GET /metrics HTTP/1.1"

Answer = Callable[[Mapping[str, str]], Awaitable[Scraped]]


@asynccontextmanager
async def metrics_port(address: str, registry: Registry, token: str | None) -> AsyncIterator[int]:
    """Serve until the block ends; yields the port, which port 0 leaves to the system.

    Raises:
        OperatorError: The address is none, or is taken.
    """
    host, port = _parsed(address)
    permission = Permission(host=host, token=token)

    async def answer(headers: Mapping[str, str]) -> Scraped:
        return await scraped(
            registry, permission, headers.get("accept", ""), headers.get("authorization", "")
        )

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _connected(answer, reader, writer)

    try:
        server = await asyncio.start_server(connected, host, port, limit=LONGEST)
    except OSError as error:
        raise OperatorError(
            f"DOORBELL_WORKER_METRICS: {address!r} cannot be had ({error}); choose another, or unset it"
        ) from error
    async with server:
        yield server.sockets[0].getsockname()[1]


def _parsed(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not (host and port.isdecimal() and int(port) <= PORTS):
        raise OperatorError(
            f"DOORBELL_WORKER_METRICS: expected HOST:PORT, such as 127.0.0.1:9464, got {address!r}"
        )
    return host.strip("[]"), int(port)


async def _connected(
    answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    try:
        async with asyncio.timeout(DEADLINE):
            found = await _answered(answer, await reader.readuntil(b"\r\n\r\n"))
            writer.write(_response(found))
            await writer.drain()
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        # Whoever it was speaks no HTTP, or left.
        pass
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _answered(answer: Answer, head: bytes) -> Scraped:
    first, *rest = head.decode("latin-1").split("\r\n")
    method, _, target = first.partition(" ")
    if target.partition(" ")[0].partition("?")[0] != "/metrics":
        return _said(HTTPStatus.NOT_FOUND)
    if method != "GET":
        return _said(HTTPStatus.METHOD_NOT_ALLOWED)
    pairs = (line.partition(":") for line in rest)
    return await answer({name.strip().lower(): value.strip() for name, _, value in pairs})


def _said(status: HTTPStatus) -> Scraped:
    return Scraped(status, Text(PROMETHEUS, f"{status.phrase}; here is only {LINE}\n".encode()))


def _response(found: Scraped) -> bytes:
    head = (
        f"HTTP/1.1 {found.status} {found.status.phrase}\r\n"
        f"content-type: {found.text.content_type}\r\n"
        f"content-length: {len(found.text.body)}\r\n"
        "connection: close\r\n\r\n"
    )
    return head.encode() + found.text.body
