"""Heartbeats while something long runs, so that a dead worker is soon noticed; each carries what a server said last.

In the Temporal UI that stands under the pending activity. It knows nothing of what runs.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from temporalio import activity
from typing_extensions import override

from orchestrator.agent.hands.definitions import (
    BeforeSend,
    Discovered,
    Outcome,
    Progress,
    Responses,
)
from orchestrator.agent.means import Hands
from orchestrator.agent.text.untrusted import shown
from orchestrator.servers import Server
from workflows.playbook import TextPolicy

INTERVAL = 2.0
"""Seconds between heartbeats; a lost worker is noticed after `silence` in `workflows.calls`."""

AS_A_RULE = TextPolicy()


class _Latest:
    """What was said last, and only that: a server may say it a thousand times a second. `about` names the call."""

    def __init__(self, about: str | None) -> None:
        self.about = about
        self.words: str | None = None

    def tell(self, words: str) -> None:
        self.words = words


@asynccontextmanager
async def beating(about: str | None = None) -> AsyncIterator[Progress]:
    """Heartbeat until the block ends; yields what to tell the progress to, `about` what it is."""
    latest = _Latest(about)
    task = asyncio.create_task(_beat(latest))
    try:
        yield latest.tell
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _beat(latest: _Latest) -> None:
    while True:
        # A history is read by people, and by whoever reads the UI: what hides in a text must not reach them.
        said = () if latest.words is None else (shown(latest.words, AS_A_RULE),)
        about = () if latest.about is None or not said else (latest.about,)
        activity.heartbeat(*said, *about)
        await asyncio.sleep(INTERVAL)


class Telling(Hands):
    """Other hands, of which each call tells its progress."""

    def __init__(self, hands: Hands, tell: Progress) -> None:
        self._hands = hands
        self._tell = tell

    @override
    def learn(self, servers: Mapping[str, Server]) -> None:
        self._hands.learn(servers)

    @override
    async def discover(self, server: str) -> Discovered:
        return await self._hands.discover(server)

    @override
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
        return await self._hands.call(
            server,
            tool,
            arguments,
            deadline=deadline,
            key=key,
            before_send=before_send,
            progress=progress or self._tell,
            responses=responses,
        )

    @override
    async def close(self) -> None:
        await self._hands.close()
