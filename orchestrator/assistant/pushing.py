"""Tells attached assistants about new events: by subscriptions, and by Claude Code's channel; it answers nothing.

https://code.claude.com/docs/en/channels-reference: the capability `experimental.claude/channel`, the notification
`notifications/claude/channel` with a text and attributes.
"""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.session import ServerSession
from mcp.server.subscriptions import ResourcesListChanged, ResourceUpdated, SubscriptionBus
from mcp.types import Notification
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from structlog.typing import FilteringBoundLogger

from orchestrator.assistant.server import EVENTS
from orchestrator.assistant.watching import Watching, meta, told, wants
from orchestrator.errors import AskerError, OperatorError

LOOK: Final = 2.0
"""Seconds between two looks."""

CHANNEL: Final = "claude/channel"
BEFORE: Final = frozenset({"initialize", "server/discover", "notifications/initialized"})
"""After these nobody waits for anything yet."""


class ChannelMessage(Notification[dict[str, Any], Literal["notifications/claude/channel"]]):
    """One message of Claude Code's channel: `content`, and `meta` with its attributes."""

    method: Literal["notifications/claude/channel"] = "notifications/claude/channel"


class Heard:
    """Remembers the session of the one client of a stdio server, once it has begun to ask."""

    def __init__(self) -> None:
        self.session: ServerSession | None = None

    async def __call__(
        self, ctx: ServerRequestContext[Any, Any], call_next: CallNext
    ) -> HandlerResult:
        """See `ServerMiddleware`."""
        result = await call_next(ctx)
        if ctx.method not in BEFORE:
            self.session = ctx.session
        return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushing:
    """What is watched, and who is told; `channel` are the globs of events for the channel, `heard` who attached."""

    watching: Watching
    bus: SubscriptionBus
    log: FilteringBoundLogger
    heard: Heard | None = None
    channel: Collection[str] = ()
    look: float = LOOK

    async def work(self) -> None:
        """Look and tell, until cancelled."""
        silent = False
        while True:
            try:
                for event in await self.watching.look():
                    await self.tell(event)
                silent = False
            except (AskerError, OperatorError) as error:
                if not silent:
                    self.log.warning("assistant.deaf", error=str(error))
                silent = True
            await asyncio.sleep(self.look)

    async def tell(self, event: Mapping[str, Any]) -> None:
        """Tell everybody who is attached about one event."""
        await self.bus.publish(ResourcesListChanged())
        await self.bus.publish(ResourceUpdated(uri=EVENTS))
        session = None if self.heard is None else self.heard.session
        if session is None or session.protocol_version in MODERN_PROTOCOL_VERSIONS:
            return
        await session.send_resource_list_changed()
        if wants(self.channel, event):
            message: Any = ChannelMessage(params={"content": told(event), "meta": meta(event)})
            await session.send_notification(message)
