"""The Tasks extension on the SDK's public hooks: who may take a task, read it, answer it and call it off.

Every method asks again who calls: another principal's task is as unknown as one that never was.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, final

from mcp import MCPError
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.extension import Extension, MethodBinding
from mcp.server.mcpserver import authenticated_principal, require_client_extension
from mcp.server.mcpserver.exceptions import ToolError
from mcp.shared.inbound import decode_header_value
from mcp.types import HEADER_MISMATCH, INTERNAL_ERROR, INVALID_PARAMS, CallToolRequestParams
from typing_extensions import override

from mcp_servers.tasks.desk import Call, Desk, answering
from mcp_servers.tasks.states import Cancelled, Status, Task, Working
from mcp_servers.tasks.store import StoreUnavailable, Told
from mcp_servers.tasks.wire import (
    COMPLETE,
    MODERN,
    TASKS,
    TaskParams,
    UpdateParams,
    detailed,
    handle,
)

IDEMPOTENCY: Final = "doorbell/idempotency-key"
"""Where a caller's `_meta` says that two calls are one."""

Request = ServerRequestContext[Any, Any]
CallOff = Callable[[Task, Any], Awaitable[None]]
"""Asks the vendor to stop a task's work; the second argument is what the server's lifespan yielded."""

Look = Callable[[Task, Any], Awaitable[Told | None]]
"""Asks the vendor how a task's work stands, for the webhook that was lost; None where it can't be asked."""
LOOK: Final = timedelta(minutes=1)
"""How long a task is left to its webhook, and how long between two looks of one process."""
PATIENCE: Final = 5.0
"""Seconds that whoever polls waits for a look."""
_LOOKED: Final = 10_000


@final
class TasksExtension(Extension):
    """Gives the tools of a server tasks.

    `required` names the tools that can't be called without them. `call_off` asks the vendor to stop; where it
    raises ToolError, the task goes on. `look` is asked now and then by whoever polls: a lost webhook loses no task.
    """

    identifier = TASKS

    def __init__(
        self,
        desk: Desk,
        *,
        required: Collection[str] = (),
        call_off: CallOff | None = None,
        look: Look | None = None,
    ) -> None:
        self._desk = desk
        self._required = frozenset(required)
        self._call_off = call_off
        self._look = look
        self._looked: dict[str, datetime] = {}

    @override
    def methods(self) -> Sequence[MethodBinding]:
        return (
            MethodBinding("tasks/get", TaskParams, self._get, MODERN),
            MethodBinding("tasks/update", UpdateParams, self._update, MODERN),
            MethodBinding("tasks/cancel", TaskParams, self._cancel, MODERN),
        )

    @override
    async def intercept_tool_call(
        self, params: CallToolRequestParams, ctx: Request, call_next: CallNext
    ) -> HandlerResult:
        if params.name in self._required:
            require_client_extension(ctx, TASKS)
        call = Call(
            tool=params.name,
            arguments=params.arguments or {},
            principal=principal_of(ctx),
            idempotency=_idempotency(ctx),
            takes_tasks=takes_tasks(ctx),
        )
        # The running tool finds the call here, so that arguments go the tool's usual way through validation.
        token = answering.set(call)
        try:
            result = await call_next(ctx)
        finally:
            answering.reset(token)
        return result if call.task is None else handle(call.task)

    async def _get(self, ctx: Request, params: TaskParams) -> HandlerResult:
        task = await self._task(ctx, params.task_id)
        if self._look is not None and self._due(task):
            task = await self._seen(task, self._look, ctx)
        return {**COMPLETE, **detailed(task)}

    def _due(self, task: Task) -> bool:
        now = self._desk.clock()
        quiet = max(task.updated_at, self._looked.get(task.id, task.created_at))
        if task.status is not Status.WORKING or now - quiet < LOOK:
            return False
        if len(self._looked) >= _LOOKED:
            self._looked.clear()
        self._looked[task.id] = now
        return True

    async def _seen(self, task: Task, look: Look, ctx: Request) -> Task:
        try:
            async with asyncio.timeout(PATIENCE):
                told = await look(task, ctx.lifespan_context)
        except (ToolError, TimeoutError):
            return task
        # How it goes on is the webhooks' to tell; only an end is worth a write.
        if told is None or isinstance(told, Working):
            return task
        await self._desk.move(task.id, told)
        return await self._task(ctx, task.id)

    async def _update(self, ctx: Request, params: UpdateParams) -> HandlerResult:
        task = await self._task(ctx, params.task_id)
        await self._desk.answer(task, params.input_responses)
        return dict(COMPLETE)

    async def _cancel(self, ctx: Request, params: TaskParams) -> HandlerResult:
        task = await self._task(ctx, params.task_id)
        if not task.ended:
            await self._desk.move(task.id, await self._called_off(task, ctx))
        return dict(COMPLETE)

    async def _called_off(self, task: Task, ctx: Request) -> Cancelled | Working:
        try:
            if self._call_off is not None:
                await self._call_off(task, ctx.lifespan_context)
        except ToolError as error:
            return Working(message=f"it could not be called off: {error}")
        return Cancelled(message="called off by the client")

    async def _task(self, ctx: Request, id_: str) -> Task:
        require_client_extension(ctx, TASKS)
        # The SDK holds this header against the body for the core's methods only. Clients in the wild (FastMCP's 4.1)
        # leave it out; a request that names nothing to a balancer can't name two things.
        name = None if ctx.request is None else ctx.request.headers.get("mcp-name")
        if name is not None and decode_header_value(name) != id_:
            raise MCPError(HEADER_MISMATCH, "Mcp-Name header does not match params.taskId")
        try:
            task = await self._desk.read(id_, principal_of(ctx))
        except StoreUnavailable as error:
            raise MCPError(INTERNAL_ERROR, f"{error}; ask again") from None
        if task is None:
            raise MCPError(
                INVALID_PARAMS,
                "Task not found: it never was, is another's, or its time is long over",
            )
        return task


def takes_tasks(ctx: Request) -> bool:
    """Whether this request declares that its caller understands tasks."""
    capabilities = ctx.session.client_capabilities
    extensions = capabilities.extensions if capabilities else None
    return ctx.protocol_version in MODERN and TASKS in (extensions or {})


def principal_of(ctx: Request) -> str:
    """Who calls; empty where the transport tells nobody from anybody."""
    return authenticated_principal(ctx) or ""


def _idempotency(ctx: Request) -> str | None:
    key = (ctx.meta or {}).get(IDEMPOTENCY)
    return key if isinstance(key, str) and key else None
