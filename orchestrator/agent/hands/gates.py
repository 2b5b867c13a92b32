"""How many calls go to a server at once and how often: those beyond that wait in order, for a bounded time.

It knows no server and no tool, and counts for its own process only.
"""

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from orchestrator.errors import DoorbellError
from orchestrator.servers import CallLimits, Server


class Crowded(DoorbellError):
    """A call waited for its turn as long as it may; nothing was sent. The text says which limit it was."""


class Gate:
    """One limit: entered by each call, in the order in which they came."""

    def __init__(self, what: str, limits: CallLimits) -> None:
        self.limits = limits
        self._what = what
        self._turn = asyncio.Lock()
        self._free = None if limits.concurrent is None else asyncio.Semaphore(limits.concurrent)
        self._went: deque[float] = deque()

    @asynccontextmanager
    async def entered(self) -> AsyncIterator[None]:
        """Wait for a place, and hold it until the block ends. Raises Crowded."""
        try:
            async with asyncio.timeout(self.limits.wait):
                await self._enter()
        except TimeoutError:
            raise Crowded(self._words()) from None
        try:
            yield
        finally:
            if self._free is not None:
                self._free.release()

    async def _enter(self) -> None:
        async with self._turn:
            if self._free is not None:
                await self._free.acquire()
            try:
                await self._paced()
            except BaseException:
                if self._free is not None:
                    self._free.release()
                raise

    async def _paced(self) -> None:
        pace = self.limits.pace
        if pace is None:
            return
        loop = asyncio.get_running_loop()
        while self._went and self._went[0] <= loop.time() - pace.window:
            self._went.popleft()
        if len(self._went) >= pace.most:
            # Still counted while it waits: who is cancelled here must not leave a place too many.
            await asyncio.sleep(self._went[0] + pace.window - loop.time())
            self._went.popleft()
        self._went.append(loop.time())

    def _words(self) -> str:
        said = []
        if self.limits.concurrent is not None:
            said.append(f"{self.limits.concurrent} calls at once")
        if self.limits.pace is not None:
            said.append(self.limits.pace.said)
        allowed = " and ".join(said)
        return (
            f"{self._what} may get {allowed} (`limits:` in servers.yaml), and this call waited {self.limits.wait:g} s"
            f" for its turn; {self._again()}, or do with fewer calls"
        )

    def _again(self) -> str:
        """Which of the limits it is that holds, and when a call may go."""
        pace, now = self.limits.pace, asyncio.get_running_loop().time()
        if pace is not None:
            lately = [at for at in self._went if at > now - pace.window]
            if len(lately) >= pace.most:
                left = math.ceil(lately[0] + pace.window - now)
                return f"{pace.said} are used up: try again in {left} s at the earliest"
        if self._free is None:
            return "try again now"
        return f"{self.limits.concurrent} are under way: try again when one of them has ended"


class Gates:
    """The limits of one server and of its tools."""

    def __init__(self, server: Server) -> None:
        name = server.name
        self._server = None if server.limits is None else Gate(f"server {name!r}", server.limits)
        self._tools: Mapping[str, Gate] = {
            tool: Gate(f"{name}.{tool}", limits) for tool, limits in server.tool_limits.items()
        }

    @asynccontextmanager
    async def entered(self, tool: str) -> AsyncIterator[None]:
        """Wait for a place for a call of this tool, and hold it until the block ends. Raises Crowded."""
        async with AsyncExitStack() as places:
            # The narrower gate first: who waits there must not keep a place of the server's.
            for gate in (self._tools.get(tool), self._server):
                if gate is not None:
                    await places.enter_async_context(gate.entered())
            yield
