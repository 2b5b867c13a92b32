"""The model and the hands of a worker that has just started; it asks no model and reaches no server itself.

What the vendors need takes seconds to import, and a run that wakes needs its ledger first. So a worker polls at
once, and these arrive beside it: in one thread, one after the other, because two threads that import the same
packages can see half of them.
"""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from importlib import import_module
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from orchestrator.agent.hands.definitions import (
    BeforeSend,
    Discovered,
    Outcome,
    Progress,
    Responses,
)
from orchestrator.agent.hands.sights import Sight
from orchestrator.agent.means import Hands, Model, Tasks
from orchestrator.agent.reply import Request, Said
from orchestrator.agent.text.redacting import Redact, nothing
from orchestrator.servers import Server

T = TypeVar("T")

MODEL = "orchestrator.agent.model:Claude"
HANDS = "orchestrator.agent.hands.pool:Hands"


class Late(Generic[T]):
    """Something made from a class that is imported when it is first asked for; made once, whoever asks."""

    def __init__(self, place: str, make: Callable[[Any], T], thread: Executor) -> None:
        self._place = place
        self._make = make
        self._thread = thread
        self._coming: asyncio.Task[T] | None = None

    @property
    def here(self) -> T | None:
        """It, if it has arrived."""
        coming = self._coming
        arrived = coming is not None and coming.done() and coming.exception() is None
        return coming.result() if coming is not None and arrived else None

    async def arrived(self) -> T:
        """It, as soon as it is there. Raises ImportError."""
        if self._coming is None:
            self._coming = asyncio.create_task(self._arrive())
        # One who waits and is cancelled must not take it from the others.
        return await asyncio.shield(self._coming)

    async def _arrive(self) -> T:
        loop = asyncio.get_running_loop()
        return self._make(await loop.run_in_executor(self._thread, _imported, self._place))


class LateModel:
    """A `Model` whose vendor is imported late."""

    def __init__(self, api_key: str | None, base_url: str | None, thread: Executor) -> None:
        self._late: Late[Model] = Late(MODEL, lambda kind: kind(api_key, base_url), thread)

    async def ready(self) -> None:
        """Wait until nothing has to be waited for any more."""
        await self._late.arrived()

    async def say(self, request: Request) -> Said:
        """One turn. Raises Unavailable or Rejected."""
        return await (await self._late.arrived()).say(request)

    async def close(self) -> None:
        """Close the connections, if there are any."""
        if (model := self._late.here) is not None:
            await model.close()


class Reaching(Hands, Tasks, Protocol):
    """Whoever reaches servers, and the tasks that calls became there."""


class LateHands:
    """`Hands` whose protocol is imported late; `heard` is who hears of servers, as the hands name them."""

    def __init__(
        self,
        servers: Mapping[str, Server],
        *,
        environment: Mapping[str, str],
        stderr: Path,
        thread: Executor,
        redact: Redact = nothing,
        **heard: Callable[[Any], None],
    ) -> None:
        self._servers = servers
        self._late: Late[Reaching] = Late(
            HANDS,
            lambda kind: kind(
                self._servers, environment=environment, stderr=stderr, redact=redact, **heard
            ),
            thread,
        )

    async def ready(self) -> None:
        """Wait until nothing has to be waited for any more."""
        await self._late.arrived()

    def learn(self, servers: Mapping[str, Server]) -> None:
        """Reach servers as they are configured now."""
        self._servers = servers
        if (hands := self._late.here) is not None:
            hands.learn(servers)

    async def discover(self, server: str) -> Discovered:
        """What a server offers now. Raises HandsUnreachable."""
        return await (await self._late.arrived()).discover(server)

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
        """Call a tool at most once; `deadline` is in seconds, from when the hands are there."""
        hands = await self._late.arrived()
        return await hands.call(
            server,
            tool,
            arguments,
            deadline=deadline,
            key=key,
            before_send=before_send,
            progress=progress,
            responses=responses,
        )

    async def look(self, server: str, tool: str, task_id: str, *, deadline: float) -> Sight:
        """How a task stands; `deadline` is in seconds, from when the hands are there."""
        hands = await self._late.arrived()
        return await hands.look(server, tool, task_id, deadline=deadline)

    async def respond(
        self, server: str, tool: str, task_id: str, given: Mapping[str, Any], *, deadline: float
    ) -> Sight:
        """Give a task the responses that it wants, by their keys; how it stands then."""
        hands = await self._late.arrived()
        return await hands.respond(server, tool, task_id, given, deadline=deadline)

    async def call_off(self, server: str, tool: str, task_id: str, *, deadline: float) -> Sight:
        """Ask a server to stop a task, which it may heed or not; how it stands then."""
        hands = await self._late.arrived()
        return await hands.call_off(server, tool, task_id, deadline=deadline)

    async def close(self) -> None:
        """End every connection, if there is any."""
        if (hands := self._late.here) is not None:
            await hands.close()


def _imported(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
