"""The hands: a pool of MCP connections by server name; it knows no run, no ledger and no model.

A call ends as `Answered`, `NotSent` or `Lost`. A dead server is connected again once before anything is sent,
never after.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from orchestrator.agent.hands.connection import Connection, Limits
from orchestrator.agent.hands.definitions import (
    Answered,
    BeforeSend,
    Discovered,
    HandsUnreachable,
    Lost,
    NotSent,
    Outcome,
    Progress,
)
from orchestrator.agent.text.redacting import Redact, nothing
from orchestrator.servers import Server

ATTEMPTS = 2
FAREWELL = 10.0
"""Seconds all connections together have to end in good order."""
WITHDRAWN = "withdrawn before it was sent"


class Permission:
    """Asked for once, good for as long as the deadline that was promised with it."""

    def __init__(self, ask: BeforeSend | None, deadline: float) -> None:
        self._ask = ask
        self._deadline = deadline
        self._until: float | None = None

    @property
    def given(self) -> bool:
        """Whether sending was allowed."""
        return self._until is not None

    async def left(self) -> float:
        """Seconds left to send and be answered; nothing where sending isn't allowed."""
        now = asyncio.get_running_loop().time()
        if self._until is None:
            if self._ask is not None and not await self._ask():
                return 0.0
            # From before the asking: whoever wrote the deadline down did so after that.
            self._until = now + self._deadline
        return self._until - asyncio.get_running_loop().time()


class Hands:
    """Reach any configured server; one connection each, opened when it's first needed.

    `environment` is where a child's PATH and HOME come from; `stderr` is a directory for what children say there.
    `redact` tells the secrets that nobody may read in an answer.
    """

    def __init__(
        self,
        servers: Mapping[str, Server],
        *,
        environment: Mapping[str, str],
        connect_timeout: float = 20.0,
        idle_timeout: float = 600.0,
        result_limit: int = Limits().result,
        stderr: Path | None = None,
        redact: Redact = nothing,
    ) -> None:
        self._servers = servers
        self._environment = environment
        self._limits = Limits(connect=connect_timeout, idle=idle_timeout, result=result_limit)
        self._stderr = stderr
        self._redact = redact
        self._pool: dict[str, Connection] = {}
        self._open: set[Connection] = set()
        self._closed = False

    def learn(self, servers: Mapping[str, Server]) -> None:
        """Reach servers as they are configured now; a connection to one that changed is given up."""
        for name, connection in list(self._pool.items()):
            if servers.get(name) != self._servers.get(name):
                connection.retire()
                del self._pool[name]
        self._servers = servers

    async def discover(self, server: str) -> Discovered:
        """What a server offers now.

        Raises:
            HandsUnreachable: in words, with what was tried.
        """
        async with self._connected(server) as connection:
            return await connection.discover()

    async def call(
        self,
        server: str,
        tool: str,
        arguments: Mapping[str, Any],
        *,
        deadline: float,
        key: str,
        before_send: BeforeSend | None = None,
        progress: Progress | None = None,
    ) -> Outcome:
        """Call a tool at most once; `deadline` is in seconds.

        `before_send` is awaited once, when the connection is up and nothing has been sent; its False is `NotSent`.
        `key` reaches the server as `_meta["doorbell/idempotency-key"]`.
        """
        allowed = Permission(before_send, deadline)
        outcome: Outcome = NotSent(
            reason=f"the {deadline:g} s for the call were over before anything was sent to {server!r}"
        )
        for _ in range(ATTEMPTS):
            try:
                async with self._connected(server) as connection:
                    left = await allowed.left()
                    if left <= 0:
                        return outcome if allowed.given else NotSent(reason=WITHDRAWN)
                    outcome = await connection.call(
                        tool, arguments, deadline=left, key=key, progress=progress
                    )
            except HandsUnreachable as unreachable:
                return NotSent(reason=str(unreachable))
            if isinstance(outcome, Answered | Lost):
                return outcome
        return outcome

    async def close(self) -> None:
        """End every connection, within seconds; what is in flight is lost."""
        self._closed = True
        owners = [connection.owner for connection in self._open]
        for connection in self._open:
            connection.leave()
        if owners:
            _, late = await asyncio.wait(owners, timeout=FAREWELL)
            for owner in late:
                owner.cancel()
            if late:
                await asyncio.wait(late, timeout=FAREWELL)

    @asynccontextmanager
    async def _connected(self, name: str) -> AsyncIterator[Connection]:
        # Held from the moment it's taken from the pool, or it could be closed for being idle meanwhile.
        connection = self._pooled(name)
        with connection.held():
            await connection.ready()
            if not connection.suspect or await connection.answers():
                yield connection
                return
            connection.retire()
        connection = self._pooled(name)
        with connection.held():
            await connection.ready()
            yield connection

    def _pooled(self, name: str) -> Connection:
        # No await between the look and the entry: two callers never open the same server twice.
        found = self._pool.get(name)
        if found is not None and found.usable:
            return found
        if found is not None:
            found.retire()
        opened = Connection(
            self._server(name),
            environment=self._environment,
            limits=self._limits,
            stderr=None if self._stderr is None else self._stderr / f"{name}.log",
            redact=self._redact,
        )
        self._pool[name] = opened
        self._open.add(opened)
        opened.owner.add_done_callback(lambda _: self._open.discard(opened))
        return opened

    def _server(self, name: str) -> Server:
        if self._closed:
            raise HandsUnreachable(f"server {name!r} can't be reached: this process is stopping")
        if name not in self._servers:
            close = get_close_matches(name, self._servers, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise HandsUnreachable(f"no server is named {name!r} in the configuration{hint}")
        return self._servers[name]
