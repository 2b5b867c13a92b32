"""A task as the Tasks extension writes it, and what its methods are asked with; it decides nothing."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from mcp.types import (
    CallToolResult,
    ContentBlock,
    Notification,
    RequestParams,
    TextContent,
)
from pydantic import Field

from mcp_servers.tasks.states import (
    Answers,
    Asks,
    Cancelled,
    Change,
    Completed,
    Failed,
    Task,
    Working,
)

TASKS: Final = "io.modelcontextprotocol/tasks"
"""https://github.com/modelcontextprotocol/ext-tasks/tree/main/specification/2026-07-28"""
MODERN: Final = frozenset({"2026-07-28"})
COMPLETE: Final[Mapping[str, Any]] = {"resultType": "complete"}
_MILLISECOND: Final = timedelta(milliseconds=1)


class TaskParams(RequestParams):
    """Whom `tasks/get` and `tasks/cancel` mean."""

    task_id: str


class UpdateParams(TaskParams):
    """The responses that `tasks/update` brings."""

    input_responses: dict[str, Any] = Field(default_factory=dict)


class TaskNotification(Notification[dict[str, Any], Literal["notifications/tasks"]]):
    """A task has changed; its params are the whole task."""

    method: Literal["notifications/tasks"] = "notifications/tasks"
    params: dict[str, Any]


def handle(task: Task) -> dict[str, Any]:
    """The answer to the call that became a task."""
    return {"resultType": "task", **_known(task)}


def detailed(task: Task) -> dict[str, Any]:
    """The whole task, as `tasks/get` and `notifications/tasks` give it."""
    inside = {"inputRequests": task.requests, "result": task.result, "error": task.error}
    return {**_known(task), **{name: dict(what) for name, what in inside.items() if what}}


def said(
    text: str, *, is_error: bool = False, structured: Mapping[str, Any] | None = None
) -> Completed:
    """The end of a task in words: the tool's own result, or its failure."""
    content: list[ContentBlock] = [TextContent(type="text", text=text)]
    held = None if structured is None else dict(structured)
    result = CallToolResult(content=content, is_error=is_error, structured_content=held)
    dumped = result.model_dump(by_alias=True, mode="json", exclude_none=True)
    return Completed(result={**dumped, **COMPLETE})


def spoken(change: Change) -> str:
    """What a change says in words."""
    match change:
        case Completed(result=result):
            return str(result["content"][0]["text"])
        case Asks() | Answers():
            return "an answer is needed"
        case Working(message=message) | Failed(message=message) | Cancelled(message=message):
            return message or "it is called off"


def iso(at: datetime) -> str:
    """A moment in ISO 8601, to the millisecond."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _known(task: Task) -> dict[str, Any]:
    message = {} if task.message is None else {"statusMessage": task.message}
    return {
        "taskId": task.id,
        "status": task.status.value,
        **message,
        "createdAt": iso(task.created_at),
        "lastUpdatedAt": iso(task.updated_at),
        "ttlMs": None if task.ttl is None else task.ttl // _MILLISECOND,
        "pollIntervalMs": task.poll // _MILLISECOND,
    }
