"""Tasks as revision 2025-11-25 had them: a caller asks for one, and fetches its result by a request of its own.

https://modelcontextprotocol.io/specification/2025-11-25/basic/utilities/tasks. What comes is told in the words of
today's revision; it waits for nothing, and knows no run.
"""

from typing import Any, Final

from mcp import Client, MCPError
from mcp.shared.dispatcher import CallOptions, ProgressFnT
from mcp.shared.inbound import MCP_PROTOCOL_VERSION_HEADER
from mcp_types import (
    METHOD_NOT_FOUND,
    REQUEST_TIMEOUT,
    CallToolResult,
    CreateTaskResult,
    GetTaskPayloadRequest,
    GetTaskPayloadRequestParams,
    Result,
    TextContent,
    Tool,
)
from pydantic import ConfigDict

from orchestrator.agent.hands.resources import Request
from orchestrator.agent.hands.sights import Status

REVISION: Final = "2025-11-25"
PATIENCE: Final = 10.0
"""Seconds for a task that wanted something to end without it."""
_GOING_ON: Final = frozenset({Status.WORKING, Status.CANCELLED})


class Payload(Result):
    """What the call would have been answered with, as it came."""

    model_config = ConfigDict(**{**Result.model_config, "extra": "allow"})


def may_want_a_task(client: Client, came: MCPError | Result) -> bool:
    """Whether a call may have been refused because its tool is called as a task, and in no other way."""
    if client.protocol_version != REVISION:
        return False
    tasks = client.server_capabilities.tasks
    tools = None if tasks is None or tasks.requests is None else tasks.requests.tools
    return tools is not None and tools.call is not None and _refuses(came)


def _refuses(came: MCPError | Result) -> bool:
    if isinstance(came, MCPError):
        return came.code == METHOD_NOT_FOUND
    # The TypeScript SDK says it to the model.
    return isinstance(came, CallToolResult) and any(
        isinstance(block, TextContent) and str(METHOD_NOT_FOUND) in block.text
        for block in came.content
        if came.is_error
    )


def requires_a_task(tool: Tool) -> bool:
    """Whether its server says of a tool that it acts in no other way: then the refused call did nothing."""
    return tool.execution is not None and tool.execution.task_support == "required"


async def begun(
    client: Client, request: Request, deadline: float, hear: ProgressFnT | None
) -> dict[str, Any]:
    """Call a tool as a task; the handle, in today's words."""
    data = request.model_dump(by_alias=True, mode="json", exclude_none=True)
    options: CallOptions = {
        "timeout": deadline,
        "headers": {MCP_PROTOCOL_VERSION_HEADER: REVISION},
    }
    if hear is not None:
        options["on_progress"] = hear
    # The session takes every answer to a call for its end; what it sends with takes it for nothing.
    dispatcher = client.session._dispatcher  # noqa: SLF001
    params = {**data["params"], "task": {}}
    raw = await dispatcher.send_raw_request(data["method"], params, options)
    task = CreateTaskResult.model_validate(raw, by_name=False).task
    return {
        "resultType": "task",
        "taskId": task.task_id,
        "status": task.status,
        "statusMessage": task.status_message,
        "ttlMs": task.ttl,
        "pollIntervalMs": task.poll_interval,
    }


async def today(client: Client, task_id: str, status: Status, deadline: float) -> dict[str, Any]:
    """What became of a task, in today's words; nothing while it works, or where its server speaks them itself."""
    if client.protocol_version != REVISION or status in _GOING_ON:
        return {}
    asked = GetTaskPayloadRequest(params=GetTaskPayloadRequestParams(task_id=task_id))
    # What such a task asks people comes while its result is asked for; it is declined there, and the task goes on.
    patience = min(deadline, PATIENCE) if status is Status.INPUT_REQUIRED else deadline
    try:
        came = await client.session.send_request(asked, Payload, patience)
    except MCPError as error:
        if error.code == REQUEST_TIMEOUT and status is Status.INPUT_REQUIRED:
            return {}
        failure = {"code": error.code, "message": error.message}
        return {"status": Status.FAILED, "error": failure}
    # There a result that is an error has failed; today it has completed, with an error.
    result = came.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {"status": Status.COMPLETED, "result": result}
