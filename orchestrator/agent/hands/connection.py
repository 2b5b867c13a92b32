"""One live MCP session: entered and left by one task, used by many; it knows no pool, no run and no ledger.

Every way a call can end comes back as a value. The only exception that passes through is the caller's own
cancellation, and the server hears of that too.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp_types import (
    CONNECTION_CLOSED,
    REQUEST_TIMEOUT,
    CallToolResult,
    GetPromptResult,
    InputRequiredResult,
    ReadResourceResult,
    ToolListChangedNotification,
)
from pydantic import ValidationError

from orchestrator.agent.hands.child import Child
from orchestrator.agent.hands.convert import LIMIT, answered, failed
from orchestrator.agent.hands.credentials import Credentials
from orchestrator.agent.hands.definitions import (
    Answered,
    Asks,
    Begun,
    Discovered,
    HandsUnreachable,
    Lost,
    NotSent,
    Outcome,
    Responses,
)
from orchestrator.agent.hands.heard import heard, is_end, unreadable, words
from orchestrator.agent.hands.insisting import Said, insisted
from orchestrator.agent.hands.listed import Endless, definition, listed
from orchestrator.agent.hands.listening import listen
from orchestrator.agent.hands.reach import address, reach
from orchestrator.agent.hands.resources import Request, as_a_result, asked_for
from orchestrator.agent.hands.sights import Sight, Unseen
from orchestrator.agent.hands.tasks import Asking, Created, TakesTasks, begun, unseen
from orchestrator.agent.hands.wanting import Middle, wanted
from orchestrator.agent.hands.wire import Fate, Wire
from orchestrator.agent.text.redacting import Redact, Redaction, nothing, secrets_in
from orchestrator.servers import Server, StdioServer, bounds_of

MAX_SSE_EVENT = 8 * 1024 * 1024
PROBE = 5.0
"""Seconds a server that let a deadline pass has, to show that it still answers."""
SLACK = 1.0
"""Seconds after a call's deadline for the SDK's own timeout to act first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Seconds to connect, seconds of rest before a connection is closed, characters of one result."""

    connect: float = 20.0
    idle: float = 600.0
    result: int = LIMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What a connection tells: its server answered; it failed, and why; it may offer something else than before."""

    worked: Callable[[], None]
    failed: Callable[[str], None]
    changed: Callable[[], None]


class Connection:
    """A session with one server. `usable` is true until it's known to be dead, mute, retired or left."""

    def __init__(
        self,
        server: Server,
        *,
        environment: Mapping[str, str],
        limits: Limits,
        news: News,
        stderr: Path | None = None,
        redact: Redact = nothing,
        credentials: Credentials | None = None,
    ) -> None:
        self._server = server
        self._limits = limits
        self._stderr = stderr if isinstance(server, StdioServer) else None
        self._own_secrets, self._redact = Redaction.of(secrets_in(server)), redact
        self._credentials = credentials
        self._reach = reach(
            server, environment, limits.connect, stderr, self._redacted, credentials, self._gone
        )
        self._news, self.middle = news, Middle(self._redacted)
        self._client: Client | None = None
        self._settled, self._wake = asyncio.Event(), asyncio.Event()
        self._failure: str | None = None
        self._leaving = self._retired = self._spoiled = self._told_of_failure = False
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
        except (TimeoutError, MCPError, ValidationError) as error:
            self._failed(words(error))
            return False
        self.suspect = False
        self._news.worked()
        return True

    async def discover(self) -> Discovered:
        """Everything the server offers, asked afresh.

        Raises:
            HandsUnreachable: where it can't or won't say.
        """
        try:
            async with asyncio.timeout(self._limits.connect):
                client = self._session()
                tools = await listed(client)
        except (TimeoutError, MCPError, ValidationError, Endless) as error:
            self._spoiled = True
            why = self._told(f"could not list its tools: {self._redacted(words(error))}")
            self._failed(why)
            raise HandsUnreachable(why) from error
        self._news.worked()
        info = client.server_info
        return Discovered(
            server=self._server.name,
            protocol=client.protocol_version,
            identity="unnamed" if info is None else f"{info.name} {info.version}",
            tools=tuple(definition(self._server.name, tool) for tool in tools),
        )

    async def call(
        self,
        tool: str,
        arguments: Mapping[str, Any],
        *,
        deadline: float,
        key: str,
        told: Callable[[str], None] | None = None,
        responses: Responses | None = None,
    ) -> Outcome:
        """Call a tool, or read, once; `deadline` is in seconds, and passing it tells the server to stop."""
        if self._client is None or not self.usable:
            self._failed(self._reach.farewell)
            return NotSent(reason=self._told(self._reach.farewell))
        request = asked_for(tool, arguments, key, responses)
        started = self._now()
        try:
            async with asyncio.timeout(deadline + SLACK):
                result = await self._asked(request, deadline, told)
        except TimeoutError:
            return self._silent(deadline)
        except MCPError as error:
            return self._unanswered(error, deadline, self._now() - started)
        except ValidationError as error:
            self._news.worked()
            return failed(unreadable(error))
        self._news.worked()
        return self._answer(result, bounds_of(self._server, tool).result or self._limits.result)

    async def _asked(
        self, request: Request, deadline: float, told: Callable[[str], None] | None
    ) -> Said:
        hear = None if told is None else heard(told, self._redacted)
        return await insisted(self._session(), request, deadline, hear)

    async def follow(self, asking: Asking, *, deadline: float) -> Sight:
        """Ask about a task; where nothing comes of it, why nobody knows."""
        started = self._now()
        try:
            async with asyncio.timeout(deadline + SLACK):
                sight = await asking(self._session(), deadline, self._redacted)
        except TimeoutError:
            return unseen(self._silent(deadline))
        except MCPError as error:
            failure = self._unanswered(error, deadline, self._now() - started)
            return unseen(failure, error.code)
        except ValidationError as error:
            self._news.worked()
            return Unseen(reason=unreadable(error))
        self._news.worked()
        return sight

    def _answer(self, result: Said, limit: int) -> Answered | Asks | Begun:
        match result:
            case Created():
                return begun(result, self._redacted)
            case CallToolResult():
                said = result.model_dump(mode="json", by_alias=True, exclude_none=True)
                return answered(self._redacted(said), limit=limit)
            case ReadResourceResult() | GetPromptResult():
                said = as_a_result(result)
                return answered(self._redacted(said), limit=limit)
            case InputRequiredResult():
                return wanted(result, self._redacted)

    def _unanswered(self, error: MCPError, deadline: float, elapsed: float) -> Outcome:
        said = self._redacted(error.message)
        match self._reach.fate(error.data):
            case Fate.NOT_SENT:
                self._spoiled = True
                self._failed(said)
                return NotSent(reason=self._told(said))
            case Fate.LOST:
                self._news.failed(said)
                return Lost(reason=self._told(said))
            case Fate.REFUSED:
                return failed(self._told(said))
            case None:
                pass
        if error.code == REQUEST_TIMEOUT and elapsed >= deadline:
            return self._silent(deadline)
        if error.code == CONNECTION_CLOSED and is_end(error.message):
            self._spoiled = True
            self._failed(self._end(said))
            return Lost(reason=self._told(self._end(said)))
        self._news.worked()
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
            listening = asyncio.create_task(listen(self._client, self._news.changed))
            try:
                await self._until_over()
            finally:
                self._leaving = True
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)

    async def _until_over(self) -> None:
        while not self._over():
            self._wake.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._limits.idle):
                    await self._wake.wait()

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
        return Client(
            transport,
            read_timeout_seconds=self._limits.connect,
            message_handler=self._hear,
            extensions=[TakesTasks()],
            elicitation_callback=self.middle.hear,
        )

    async def _hear(self, message: object) -> None:
        # How servers of the handshake era say it; newer ones are listened to.
        if isinstance(message, ToolListChangedNotification):
            self._news.changed()

    def _gone(self) -> None:
        # Whoever is started in its place may offer something else.
        self._spoiled = True
        self._wake.set()
        self._news.changed()

    def _over(self) -> bool:
        resting = self._holders == 0
        idle = resting and self._now() - self._used >= self._limits.idle
        return self._leaving or idle or (resting and (self._retired or self._spoiled))

    def _note_end(self, owner: asyncio.Task[None]) -> None:
        error = None if owner.cancelled() else owner.exception()
        if not self._settled.is_set():
            tried = "given up" if error is None else self._redacted(words(error))
            self._fail(self._end(tried))
        self._news.changed()

    def _fail(self, why: str) -> None:
        said = "" if self._stderr is None else f"; what it said on stderr is in {self._stderr}"
        self._failure = self._told(f"could not connect to {address(self._server)}: {why}{said}")
        self._spoiled = True
        self._settled.set()
        if not self._leaving:
            self._failed(self._failure)

    def _failed(self, why: str) -> None:
        # Once, however many calls were in flight on it.
        if not self._told_of_failure:
            self._told_of_failure = True
            self._news.failed(self._redacted(why))

    def _redacted(self, value: Any) -> Any:
        # Whoever reads one server's answers may hold another's secret: all of them are looked for.
        if self._credentials is not None:
            value = Redaction.of(self._credentials.secrets).tree(value)
        return self._own_secrets.tree(self._redact().tree(value))

    def _told(self, what: str) -> str:
        return f"server {self._server.name!r}: {what}"

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
