"""The server: lists the operations as tools and makes their calls, one request each; it reads no environment.

No redirect is followed, so that a credential goes where the operator said and a write happens once.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

import httpx2
from jsonschema import Draft202012Validator
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    Tool,
    ToolAnnotations,
)

from mcp_servers.openapi.answers import answer, failed, unanswered
from mcp_servers.openapi.operations import READS, REPEATABLE, Operation
from mcp_servers.openapi.requests import Request, Unsendable, request

VERSION: Final = "0.1.0"
TIMEOUT: Final = 30.0
"""Seconds for one call, connecting included."""
MAX_ANSWER: Final = 8 * 1024 * 1024
"""Bytes of an answer; a larger one is not read."""
_NOT_SENT: Final = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.UnsupportedProtocol,
    httpx2.LocalProtocolError,
)

Ask = ServerRequestContext[httpx2.AsyncClient]


def build(
    title: str, operations: Mapping[str, Operation], base_url: str, headers: Mapping[str, str]
) -> Server[httpx2.AsyncClient]:
    """The server for an API's address and headers; nothing is connected before it runs."""

    @asynccontextmanager
    async def lifespan(_: Server[httpx2.AsyncClient]) -> AsyncIterator[httpx2.AsyncClient]:
        async with httpx2.AsyncClient(
            base_url=base_url, headers=dict(headers), timeout=TIMEOUT, trust_env=False
        ) as client:
            yield client

    async def listed(_: Ask, __: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=[tool(one) for one in operations.values()])

    async def called(ctx: Ask, params: CallToolRequestParams) -> CallToolResult:
        operation = operations.get(params.name)
        if operation is None:
            return failed(f"expected one of {', '.join(operations)}, got {params.name!r}")
        return await call(ctx.lifespan_context, operation, params.arguments or {})

    return Server(
        title, version=VERSION, lifespan=lifespan, on_list_tools=listed, on_call_tool=called
    )


def tool(operation: Operation) -> Tool:
    """An operation as a client sees it."""
    reads = operation.method in READS
    return Tool(
        name=operation.tool,
        title=operation.title,
        description=operation.about,
        input_schema=operation.schema,
        annotations=ToolAnnotations(
            read_only_hint=reads,
            destructive_hint=not reads,
            idempotent_hint=operation.method in REPEATABLE,
            open_world_hint=True,
        ),
    )


async def call(
    client: httpx2.AsyncClient, operation: Operation, given: Mapping[str, Any]
) -> CallToolResult:
    """One call and its answer, or its failure in words."""
    wrong = next(iter(Draft202012Validator(operation.schema).iter_errors(given)), None)
    if wrong is not None:
        return failed(f"nothing was sent; {wrong.json_path}: {wrong.message[:300]}")
    try:
        made = request(operation, given)
    except Unsendable as error:
        return failed(f"nothing was sent; {error}")
    try:
        async with _sent(client, made) as response:
            body = await _read(response)
    except httpx2.HTTPError as error:
        return unanswered(type(error).__name__, made.method, sent=not isinstance(error, _NOT_SENT))
    if body is None:
        return unanswered(f"more than {MAX_ANSWER} bytes", made.method, sent=True)
    return answer(response.status_code, response.headers, body, made.method)


def _sent(
    client: httpx2.AsyncClient, made: Request
) -> AbstractAsyncContextManager[httpx2.Response]:
    base = client.base_url
    path = base.raw_path.partition(b"?")[0].rstrip(b"/") + made.path.encode()
    url = base.copy_with(raw_path=path + (b"?" + made.query.encode() if made.query else b""))
    return client.stream(made.method, url, headers=dict(made.headers), content=made.content)


async def _read(response: httpx2.Response) -> bytes | None:
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > MAX_ANSWER:
            return None
    return bytes(body)
