"""The hands: a line to each server by its name; it knows no run, no ledger and no model.

A call ends as `Answered`, `Begun`, `Asks`, `NotSent` or `Lost`. A dead server is connected again once before anything
is sent, never after.
"""

import asyncio
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from orchestrator.agent.hands.connection import Connection, Limits
from orchestrator.agent.hands.definitions import (
    BeforeSend,
    Discovered,
    HandsUnreachable,
    NotSent,
    Outcome,
    Progress,
    Responses,
    Standing,
)
from orchestrator.agent.hands.gates import Crowded
from orchestrator.agent.hands.line import House, Line
from orchestrator.agent.hands.sights import Sight, Unseen
from orchestrator.agent.hands.tasks import Asking, calling_off, looking, responding
from orchestrator.agent.hands.wanting import beside
from orchestrator.agent.text.redacting import Redact, nothing
from orchestrator.servers import Server, bounds_of

ATTEMPTS = 2
FAREWELL = 10.0
"""Seconds all connections together have to end in good order."""
Stood = Callable[[Standing], None]
Changed = Callable[[str], None]
WITHDRAWN = "withdrawn before it was sent"


def unheard(_news: object) -> None:
    """Nobody listens."""


class Permission:
    """Asked for once, good for as long as the deadline that was promised with it."""

    def __init__(self, ask: BeforeSend | None, deadline: float) -> None:
        self._ask = ask
        self.deadline = deadline
        self._until: float | None = None

    refused = False
    """Whether it was asked for, and withheld."""

    async def left(self) -> float:
        """Seconds left to send and be answered; nothing where sending isn't allowed."""
        now = asyncio.get_running_loop().time()
        if self._until is None:
            self.refused = self._ask is not None and not await self._ask()
            if self.refused:
                return 0.0
            # From before the asking: whoever wrote the deadline down did so after that.
            self._until = now + self.deadline
        return self._until - asyncio.get_running_loop().time()


class Hands:
    """Reach any configured server; one connection each, opened when it's first needed.

    `environment` is where a child's PATH and HOME come from; `stderr` is a directory for what children say there.
    `redact` tells the secrets that nobody may read in an answer. `stood` hears how servers fare, `changed` which
    of them may offer something else than before.
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
        stood: Stood = unheard,
        changed: Changed = unheard,
    ) -> None:
        self._servers = servers
        self._house = House(
            environment=environment,
            limits=Limits(connect=connect_timeout, idle=idle_timeout, result=result_limit),
            stderr=stderr,
            redact=redact,
            stood=stood,
            changed=changed,
        )
        self._lines: dict[str, Line] = {}
        self._connections: set[Connection] = set()
        self._closed = False

    def learn(self, servers: Mapping[str, Server]) -> None:
        """Reach servers as they are configured now; a connection to one that changed is given up."""
        for name, line in list(self._lines.items()):
            if servers.get(name) != self._servers.get(name):
                line.retire()
                del self._lines[name]
                self._house.changed(name)
        self._servers = servers

    def standing(self, server: str) -> Standing:
        """How a server fares, as far as it was tried. Raises HandsUnreachable: nobody knows it."""
        return self._line(server).standing

    async def discover(self, server: str) -> Discovered:
        """What a server offers now.

        Raises:
            HandsUnreachable: in words, with what was tried.
        """
        async with self._line(server).connected() as connection:
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
        responses: Responses | None = None,
    ) -> Outcome:
        """Call a tool at most once; `deadline` is in seconds, from when it has its place and a connection.

        `before_send` is awaited once, when the connection is up and nothing has been sent; its False is `NotSent`.
        `key` reaches the server as `_meta["doorbell/idempotency-key"]`; `responses` are what it wanted first.
        """
        allowed = Permission(before_send, deadline)
        outcome: Outcome = NotSent(reason=f"nothing was sent to {server!r}")
        try:
            line = self._line(server)
            async with line.gates.entered(tool):
                for _ in range(ATTEMPTS):
                    outcome = await self._attempt(
                        line, allowed, tool, arguments, key, progress, responses
                    )
                    if not isinstance(outcome, NotSent) or allowed.refused:
                        break
        except HandsUnreachable as unreachable:
            return NotSent(reason=str(unreachable))
        except Crowded as crowded:
            return NotSent(reason=str(crowded), held=True)
        return outcome

    async def look(self, server: str, tool: str, task_id: str, *, deadline: float) -> Sight:
        """How a task stands that a call of `tool` became; `deadline` is in seconds."""
        return await self._follow(server, looking(task_id, self._shown(server, tool)), deadline)

    async def respond(
        self, server: str, tool: str, task_id: str, given: Mapping[str, Any], *, deadline: float
    ) -> Sight:
        """Give a task the responses that it wants, by their keys; how it stands then."""
        asking = responding(task_id, given, self._shown(server, tool))
        return await self._follow(server, asking, deadline)

    async def call_off(self, server: str, tool: str, task_id: str, *, deadline: float) -> Sight:
        """Ask a server to stop a task, which it may heed or not; how it stands then."""
        asking = calling_off(task_id, self._shown(server, tool))
        return await self._follow(server, asking, deadline)

    async def _follow(self, server: str, asking: Asking, deadline: float) -> Sight:
        # No gate: what is limited is how often tools are called.
        try:
            async with self._line(server).connected() as connection:
                return await connection.follow(asking, deadline=deadline)
        except HandsUnreachable as unreachable:
            return Unseen(reason=str(unreachable))

    def _shown(self, server: str, tool: str) -> int:
        return bounds_of(self._servers.get(server), tool).result or self._house.limits.result

    async def _attempt(
        self,
        line: Line,
        allowed: Permission,
        tool: str,
        arguments: Mapping[str, Any],
        key: str,
        progress: Progress | None,
        responses: Responses | None,
    ) -> Outcome:
        async with line.connected() as connection:
            left = await allowed.left()
            if left <= 0:
                over = f"the {allowed.deadline:g} s for the call were over before anything was sent"
                return NotSent(reason=WITHDRAWN if allowed.refused else over)
            with connection.middle.held(responses) as held:
                outcome = await connection.call(
                    tool,
                    arguments,
                    deadline=left,
                    key=key,
                    told=progress,
                    responses=beside(responses),
                )
            return held.outcome(outcome)

    async def close(self) -> None:
        """End every connection, within seconds; what is in flight is lost."""
        self._closed = True
        owners = [connection.owner for connection in self._connections]
        for connection in self._connections:
            connection.leave()
        if owners:
            _, late = await asyncio.wait(owners, timeout=FAREWELL)
            for owner in late:
                owner.cancel()
            if late:
                await asyncio.wait(late, timeout=FAREWELL)

    def _line(self, name: str) -> Line:
        if self._closed:
            raise HandsUnreachable(f"server {name!r} can't be reached: this process is stopping")
        if name not in self._servers:
            close = get_close_matches(name, self._servers, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise HandsUnreachable(f"no server is named {name!r} in the configuration{hint}")
        if name not in self._lines:
            self._lines[name] = Line(self._servers[name], self._house, self._connections)
        return self._lines[name]
