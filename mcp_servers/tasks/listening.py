"""`subscriptions/listen` with `taskIds`: tells a client that its tasks have changed; the server's own events too.

It stands in front of the SDK's own answer, which knows no tasks. What another replica did is seen within a second.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from mcp import MCPError
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import require_client_extension
from mcp.server.subscriptions import SUBSCRIPTION_ID_META_KEY, ServerEvent, SubscriptionBus
from mcp.shared.subscriptions import event_matches, event_to_notification
from mcp.types import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    SubscriptionFilter,
    SubscriptionsAcknowledgedNotification,
    SubscriptionsAcknowledgedNotificationParams,
)

from mcp_servers.tasks.desk import Desk, overheard
from mcp_servers.tasks.extension import principal_of
from mcp_servers.tasks.states import Task
from mcp_servers.tasks.wire import COMPLETE, TASKS, TaskNotification, detailed

MOST: Final = 1000
"""Tasks that one subscription may name, and events it may fall behind."""

Request = ServerRequestContext[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """A middleware for `MCPServer`; `bus` is the one that the server publishes on."""

    desk: Desk
    bus: SubscriptionBus

    async def __call__(self, ctx: Request, call_next: CallNext) -> HandlerResult:
        """Answer a subscription to tasks, pass on everything else."""
        wanted = _wanted(ctx)
        if wanted is None:
            return await call_next(ctx)
        require_client_extension(ctx, TASKS)
        if ctx.request_id is None:
            raise MCPError(INVALID_REQUEST, "subscriptions/listen requires a request id")
        # Only the caller's own are honoured; the rest isn't said to be anyone's.
        found = await self.desk.read_all(wanted, principal_of(ctx))
        stream = _Stream(ctx=ctx, desk=self.desk, ids=[id_ for id_ in wanted if id_ in found])
        return await stream.serve(self.bus)


def _wanted(ctx: Request) -> list[str] | None:
    if ctx.method != "subscriptions/listen":
        return None
    asked = (ctx.params or {}).get("notifications")
    ids = asked.get("taskIds") if isinstance(asked, Mapping) else None
    if not ids:
        return None
    if not isinstance(ids, list) or len(ids) > MOST or not all(isinstance(id_, str) for id_ in ids):
        raise MCPError(INVALID_PARAMS, f"expected taskIds to be a list of at most {MOST} task ids")
    return list(dict.fromkeys(ids))


@dataclass(slots=True, kw_only=True)
class _Stream:
    ctx: Request
    desk: Desk
    ids: Sequence[str]
    events: list[ServerEvent] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=dict)

    async def serve(self, bus: SubscriptionBus) -> HandlerResult:
        """Tell until every task has ended and nothing else is listened to, or the client leaves."""
        asked = SubscriptionFilter.model_validate((self.ctx.params or {})["notifications"])
        honoured = asked.model_copy(update={"taskIds": list(self.ids)})
        uris = frozenset(asked.resource_subscriptions or ())
        with self.desk.bell.heard(self.ids) as rung:

            def deliver(event: ServerEvent) -> None:
                if event_matches(asked, uris, event) and len(self.events) < MOST:
                    self.events.append(event)
                    rung.set()

            leave = bus.subscribe(deliver)
            try:
                await self._acknowledge(honoured)
                await self._tell(rung, forever=_others(asked))
            finally:
                leave()
        return {**COMPLETE, "_meta": self._meta}

    async def _acknowledge(self, honoured: SubscriptionFilter) -> None:
        params = SubscriptionsAcknowledgedNotificationParams(
            notifications=honoured, _meta=self._meta
        )
        await self._send(SubscriptionsAcknowledgedNotification(params=params))

    async def _tell(self, rung: asyncio.Event, *, forever: bool) -> None:
        while True:
            while self.events:
                await self._send(event_to_notification(self.events.pop(0), self._meta))
            tasks = await self.desk.read_all(self.ids, principal_of(self.ctx))
            async for task in self._changed(tasks):
                params = {**detailed(task), "_meta": self._meta}
                await self._send(TaskNotification(params=params))
            if not forever and all(task.ended for task in tasks.values()):
                return
            await overheard(rung)

    async def _changed(self, tasks: Mapping[str, Task]) -> AsyncIterator[Task]:
        for id_, task in tasks.items():
            if task.version > self.seen.get(id_, 0):
                self.seen[id_] = task.version
                yield task

    async def _send(self, notification: Any) -> None:
        await self.ctx.session.send_notification(
            notification, related_request_id=self.ctx.request_id
        )

    @property
    def _meta(self) -> dict[str, Any]:
        return {SUBSCRIPTION_ID_META_KEY: self.ctx.request_id}


def _others(asked: SubscriptionFilter) -> bool:
    return bool(
        asked.tools_list_changed
        or asked.prompts_list_changed
        or asked.resources_list_changed
        or asked.resource_subscriptions
    )
