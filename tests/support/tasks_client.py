"""A client that takes tasks and leaves the waiting to the test; it knows the wire and no server of ours."""

import asyncio
from contextlib import asynccontextmanager
from typing import Any, Literal

import httpx2
import mcp.types as mcp
from mcp import Client
from mcp.client import ClientExtension, NotificationBinding, ResultClaim
from mcp.client.streamable_http import streamable_http_client
from pydantic import ConfigDict

TASKS = "io.modelcontextprotocol/tasks"
IDEMPOTENCY = "doorbell/idempotency-key"
PATIENCE = 20.0
STRICT = ConfigDict(**(dict(mcp.Result.model_config) | {"extra": "forbid"}))
LENIENT = ConfigDict(**(dict(mcp.Result.model_config) | {"extra": "allow"}))


class Handle(mcp.Result):
    result_type: Literal["task"] = "task"
    task_id: str
    status: str
    status_message: str | None = None
    created_at: str
    last_updated_at: str
    ttl_ms: int | None
    poll_interval_ms: int


class Task(Handle):
    model_config = STRICT
    result_type: Literal["complete"] = "complete"
    input_requests: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None


class Acknowledged(mcp.Result):
    model_config = STRICT
    result_type: Literal["complete"]


class Note(mcp.NotificationParams):
    model_config = LENIENT
    task_id: str
    status: str


class TaskParams(mcp.RequestParams):
    task_id: str


class UpdateParams(TaskParams):
    input_responses: dict[str, Any]


class Get(mcp.Request[TaskParams, Literal["tasks/get"]]):
    name_param = "taskId"
    method: Literal["tasks/get"] = "tasks/get"
    params: TaskParams


class Cancel(mcp.Request[TaskParams, Literal["tasks/cancel"]]):
    name_param = "taskId"
    method: Literal["tasks/cancel"] = "tasks/cancel"
    params: TaskParams


class Update(mcp.Request[UpdateParams, Literal["tasks/update"]]):
    name_param = "taskId"
    method: Literal["tasks/update"] = "tasks/update"
    params: UpdateParams


class Taking(ClientExtension):
    """Declares the extension; its handles go to whoever called, its notifications into `notes`."""

    identifier = TASKS

    def __init__(self):
        self.notes = asyncio.Queue()

    def claims(self):
        return [ResultClaim(result_type="task", model=Handle, resolve=self._resolve)]

    def notifications(self):
        binding = NotificationBinding(
            method="notifications/tasks", params_type=Note, handler=self._note
        )
        return [binding]

    async def _note(self, note):
        self.notes.put_nowait(note)

    async def _resolve(self, handle, _context):
        raise AssertionError(f"nobody asked for {handle} to be waited for")


async def call(client, tool, key=None, **arguments):
    """The tool's answer: a handle, or a result."""
    meta = {IDEMPOTENCY: key} if key else None
    return await client.session.call_tool(tool, arguments, meta=meta, allow_claimed=True)


async def get(client, id_):
    return await client.session.send_request(Get(params=TaskParams(task_id=id_)), Task)


async def cancel(client, id_):
    return await client.session.send_request(Cancel(params=TaskParams(task_id=id_)), Acknowledged)


async def update(client, id_, **responses):
    params = UpdateParams(task_id=id_, input_responses=responses)
    return await client.session.send_request(Update(params=params), Acknowledged)


async def ended(client, id_):
    """The task once it has ended, polled for."""
    return await until(client, id_, {"completed", "failed", "cancelled"})


async def until(client, id_, statuses):
    async with asyncio.timeout(PATIENCE):
        while True:
            task = await get(client, id_)
            if task.status in statuses:
                return task
            await asyncio.sleep(0.02)


def words(task):
    """What the tool said in the end."""
    return task.result["content"][0]["text"]


@asynccontextmanager
async def over_http(url, *extensions, token=None):
    """A client of a server at a URL."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with httpx2.AsyncClient(headers=headers, timeout=30) as http:
        transport = streamable_http_client(f"{url}/mcp", http_client=http)
        client = Client(transport, extensions=list(extensions), read_timeout_seconds=30)
        async with client as opened:
            yield opened
