"""One live MCP session: entered and left by one task, used by many; it knows no pool, no run and no ledger.

Every way a call can end comes back as a value. The only exception that passes through is the caller's own
cancellation, and the server hears of that too.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.dispatcher import ProgressFnT
from mcp_types import (
    CONNECTION_CLOSED,
    HEADER_MISMATCH,
    REQUEST_TIMEOUT,
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    InputRequiredResult,
    Tool,
)
from pydantic import TypeAdapter, ValidationError

from orchestrator.agent.hands.child import Child
from orchestrator.agent.hands.convert import LIMIT, answered, failed
from orchestrator.agent.hands.definitions import (
    Answered,
    Discovered,
    HandsUnreachable,
    Lost,
    NotSent,
    Outcome,
    ToolDefinition,
)
from orchestrator.agent.hands.reach import address, reach
from orchestrator.agent.hands.wire import Fate, Wire
from orchestrator.agent.text.redacting import Redact, Redaction, nothing, secrets_in
from orchestrator.servers import Server, StdioServer

KEY = "doorbell/idempotency-key"
"""Where in `_meta` a server finds the key that is the same for every attempt of one call."""

MAX_SSE_EVENT = 8 * 1024 * 1024
MAX_LISTED = 2_000
PROBE = 5.0
"""Seconds a server that let a deadline pass has, to show that it still answers."""
SLACK = 1.0
"""Seconds after a call's deadline for the SDK's own timeout to act first."""

_RESULT: TypeAdapter[CallToolResult | InputRequiredResult] = TypeAdapter(
    CallToolResult | InputRequiredResult
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Seconds to connect, seconds of rest before a connection is closed, characters of one result."""

    connect: float = 20.0
    idle: float = 600.0
    result: int = LIMIT


class Connection:
    """A session with one server. `usable` is true until it's known to be dead, mute, retired or left."""

    def __init__(
        self,
        server: Server,
        *,
        environment: Mapping[str, str],
        limits: Limits,
        stderr: Path | None = None,
        redact: Redact = nothing,
    ) -> None:
        self._server = server
        self._limits = limits
        self._stderr = stderr if isinstance(server, StdioServer) else None
        self._own_secrets, self._redact = Redaction.of(secrets_in(server)), redact
        self._reach = reach(server, environment, limits.connect, stderr, self._redacted)
        self._client: Client | None = None
        self._settled, self._wake = asyncio.Event(), asyncio.Event()
        self._failure: str | None = None
        self._leaving = self._retired = self._spoiled = False
        self._holders = 0
        self._used = self._now()
        self._due = self._used + limits.connect
        self.suspect = False
        self.owner = asyncio.create_task(self._own(), name=f"hands {server.name}")
        self.owner.add_done_callback(self._note_end)

    @property
    def usable(self) -> bool:
        """Whether a request may be given to it now; while it's still connecting, it may."""
        gone = self._leaving or self._retired or self._spoiled or self.owner.done()
        return not gone and (self._client is None or self._reach.alive)

    async def ready(self) -> None:
        """Return once connected.

        Raises:
            HandsUnreachable: in words, with what was tried.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._due):
                await self._settled.wait()
        # Burying a mute child takes seconds more; nobody waits for that.
        if not self._settled.is_set():
            self._fail(f"no answer within {self._limits.connect:g} s")
        if self._failure is not None:
            raise HandsUnreachable(self._failure)

    @contextmanager
    def held(self) -> Iterator[None]:
        """As long as somebody holds it, it isn't closed for being idle or retired."""
        self._holders += 1
        try:
            yield
        finally:
            self._holders -= 1
            self._used = self._now()
            self._wake.set()

    def retire(self) -> None:
        """Take no more requests, and leave once the ones in flight are over."""
        self._retired = True
        self._wake.set()

    def leave(self) -> None:
        """Leave now; what is in flight is lost."""
        self._leaving = True
        self._wake.set()
        if not self._settled.is_set():
            self.owner.cancel()

    async def answers(self) -> bool:
        """Whether it still answers something small, asked after a deadline passed in silence."""
        try:
            async with asyncio.timeout(PROBE):
                await self._session().list_tools(cache_mode="bypass")
        except (TimeoutError, MCPError, ValidationError):
            return False
        self.suspect = False
        return True

    async def discover(self) -> Discovered:
        """Everything the server offers, asked afresh.

        Raises:
            HandsUnreachable: where it can't or won't say.
        """
        try:
            async with asyncio.timeout(self._limits.connect):
                client = self._session()
                tools = [tool async for tool in _listed(client)]
        except (TimeoutError, MCPError, ValidationError) as error:
            self._spoiled = True
            raise HandsUnreachable(
                self._told(f"could not list its tools: {_words(error)}")
            ) from error
        info = client.server_info
        return Discovered(
            server=self._server.name,
            protocol=client.protocol_version,
            identity="unnamed" if info is None else f"{info.name} {info.version}",
            tools=tuple(_definition(self._server.name, tool) for tool in tools),
        )

    async def call(
        self,
        tool: str,
        arguments: Mapping[str, Any],
        *,
        deadline: float,
        key: str,
        progress: Callable[[str], None] | None = None,
    ) -> Outcome:
        """Call a tool once; `deadline` is in seconds, and passing it tells the server to stop."""
        if self._client is None or not self.usable:
            return NotSent(reason=self._told(self._reach.farewell))
        # Validated, not constructed: the type of `_meta` admits other keys only by a PEP mypy has no word for.
        params = {"name": tool, "arguments": dict(arguments), "_meta": {KEY: key}}
        request = CallToolRequest(params=CallToolRequestParams.model_validate(params))
        started = self._now()
        try:
            async with asyncio.timeout(deadline + SLACK):
                result = await self._asked(request, deadline, progress)
        except TimeoutError:
            return self._silent(deadline)
        except MCPError as error:
            return self._unanswered(error, deadline, self._now() - started)
        except ValidationError as error:
            return failed(_unreadable(error))
        return self._answer(result)

    async def _asked(
        self, request: CallToolRequest, deadline: float, progress: Callable[[str], None] | None
    ) -> CallToolResult | InputRequiredResult:
        # Not Client.call_tool: it checks the output schema after the tool has acted, and raises.
        client = self._session()
        heard = None if progress is None else _heard(progress, self._redacted)
        try:
            return await client.session.send_request(request, _RESULT, deadline, None, heard)
        except MCPError as error:
            if error.code != HEADER_MISMATCH:
                raise
            # Refused before it was looked at: the server wants arguments mirrored into headers, which the
            # SDK does for the tools it has seen listed.
            _ = [tool async for tool in _listed(client)]
            return await client.session.send_request(request, _RESULT, deadline, None, heard)

    def _answer(self, result: CallToolResult | InputRequiredResult) -> Answered:
        match result:
            case CallToolResult():
                said = result.model_dump(mode="json", by_alias=True, exclude_none=True)
                return answered(self._redacted(said), limit=self._limits.result)
            case InputRequiredResult():
                return failed(
                    "The server asked for input in the middle of the call; nobody can be asked here."
                    " The call did not finish. Try without what needs input, or another tool."
                )

    def _unanswered(self, error: MCPError, deadline: float, elapsed: float) -> Outcome:
        said = self._redacted(error.message)
        match self._reach.fate(error.data):
            case Fate.NOT_SENT:
                self._spoiled = True
                return NotSent(reason=self._told(said))
            case Fate.LOST:
                return Lost(reason=self._told(said))
            case Fate.REFUSED:
                return failed(self._told(said))
            case None:
                pass
        if error.code == REQUEST_TIMEOUT and elapsed >= deadline:
            return self._silent(deadline)
        if error.code == CONNECTION_CLOSED and _is_end(error.message):
            self._spoiled = True
            return Lost(reason=self._told(self._end(said)))
        return failed(f"{self._server.name} refused the call: {said} (MCP error {error.code})")

    def _end(self, said: str) -> str:
        return said if self._reach.alive else f"{said}: {self._reach.farewell}"

    def _silent(self, deadline: float) -> Lost:
        self.suspect = True
        return Lost(
            reason=self._told(
                f"no answer within {deadline:.3g} s; it was told to stop, but may have acted"
            )
        )

    def _session(self) -> Client:
        if self._client is None or not self.usable:
            raise MCPError(CONNECTION_CLOSED, "Connection closed")
        return self._client

    async def _own(self) -> None:
        async with AsyncExitStack() as stack:
            async with asyncio.timeout(self._limits.connect):
                self._client = await stack.enter_async_context(await self._opened(stack))
            self._settled.set()
            while not self._over():
                self._wake.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._limits.idle):
                        await self._wake.wait()
            self._leaving = True

    async def _opened(self, stack: AsyncExitStack) -> Client:
        transport: Child | AbstractAsyncContextManager[Any]
        match self._reach:
            case Child() as transport:
                pass
            case Wire() as wire:
                http = await stack.enter_async_context(wire)
                transport = streamable_http_client(
                    wire.url, http_client=http, max_sse_event_size=MAX_SSE_EVENT
                )
        return Client(transport, read_timeout_seconds=self._limits.connect)

    def _over(self) -> bool:
        resting = self._holders == 0
        idle = resting and self._now() - self._used >= self._limits.idle
        return self._leaving or idle or (resting and (self._retired or self._spoiled))

    def _note_end(self, owner: asyncio.Task[None]) -> None:
        error = None if owner.cancelled() else owner.exception()
        if not self._settled.is_set():
            tried = "given up" if error is None else self._redacted(_words(error))
            self._fail(self._end(tried))

    def _fail(self, why: str) -> None:
        said = "" if self._stderr is None else f"; what it said on stderr is in {self._stderr}"
        self._failure = self._told(f"could not connect to {address(self._server)}: {why}{said}")
        self._spoiled = True
        self._settled.set()

    def _redacted(self, value: Any) -> Any:
        # Whoever reads one server's answers may hold another's secret: all of them are looked for.
        return self._own_secrets.tree(self._redact().tree(value))

    def _told(self, what: str) -> str:
        return f"server {self._server.name!r}: {what}"

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


async def _listed(client: Client) -> AsyncIterator[Tool]:
    cursor: str | None = None
    seen: set[str | None] = set()
    count = 0
    # A server may hand out the same cursor for ever.
    while cursor not in seen and count < MAX_LISTED:
        seen.add(cursor)
        page = await client.list_tools(cursor=cursor, cache_mode="refresh")
        for tool in page.tools:
            yield tool
        count += len(page.tools)
        cursor = page.next_cursor
        if cursor is None:
            return


def _definition(server: str, tool: Tool) -> ToolDefinition:
    hints = tool.annotations
    return ToolDefinition(
        server=server,
        name=tool.name,
        title=tool.title or (hints.title if hints else None),
        description=tool.description,
        input_schema=tool.input_schema,
        read_only=hints.read_only_hint if hints else None,
        destructive=hints.destructive_hint if hints else None,
        idempotent=hints.idempotent_hint if hints else None,
        output_schema=tool.output_schema,
        annotations=hints.model_dump(mode="json", by_alias=True, exclude_none=True)
        if hints
        else None,
    )


def _heard(tell: Callable[[str], None], redacted: Callable[[str], str]) -> ProgressFnT:
    async def hear(progress: float, total: float | None, message: str | None) -> None:
        count = f"{progress:g}" if total is None else f"{progress:g}/{total:g}"
        tell(redacted(f"{message} ({count})") if message else count)

    return hear


def _is_end(message: str) -> bool:
    # The SDK's own words for a connection that ended; servers use its code for errors of their own.
    return message == "Connection closed" or message.startswith("SSE stream")


def _unreadable(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(step) for step in first["loc"])
    return (
        f"The server answered with something that is not a tool result ({where}: {first['msg']})."
        " It may have acted: look before you try again."
    )


def _words(error: BaseException) -> str:
    """An exception as a person reads it; of a group, its members."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(dict.fromkeys(_words(member) for member in error.exceptions))
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return str(error) or type(error).__name__
