"""Calls that a server answers later (SEP-2663), from the caller's side: what is declared, asked and read.

https://github.com/modelcontextprotocol/ext-tasks, revision 2026-07-28. It waits for nothing: a handle is handed on,
and whoever holds it asks after the task, from any process, days later.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, ClassVar, Final, Literal

from mcp import Client
from mcp.client import ClaimContext, ClientExtension, ResultClaim
from mcp_types import (
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    CallToolResult,
    Request,
    RequestParams,
    Result,
)
from pydantic import AliasChoices, ConfigDict, Field, FiniteFloat, ValidationError
from typing_extensions import override

from orchestrator.agent.hands import former
from orchestrator.agent.hands.convert import LIMIT, answered, failed
from orchestrator.agent.hands.definitions import Answered, Asks, Begun, Lost, NotSent, Outcome
from orchestrator.agent.hands.heard import unreadable
from orchestrator.agent.hands.sights import Seen, Sight, Status, Unseen

TASKS: Final = "io.modelcontextprotocol/tasks"
THOUSAND: Final = 1000.0
LONGEST_SAID: Final = 500
NOT_THERE: Final = frozenset({INVALID_PARAMS, METHOD_NOT_FOUND})
"""What a server answers that knows no such task, or no tasks."""


class TaskParams(RequestParams):
    """Which task is meant."""

    task_id: str


class GetTask(Request[TaskParams, Literal["tasks/get"]]):
    """How does it stand?"""

    name_param: ClassVar[str | None] = "taskId"
    method: Literal["tasks/get"] = "tasks/get"
    params: TaskParams


class UpdateParams(TaskParams):
    """The responses to what it wants, by their keys."""

    input_responses: dict[str, Any]


class UpdateTask(Request[UpdateParams, Literal["tasks/update"]]):
    """This is what you asked for."""

    name_param: ClassVar[str | None] = "taskId"
    method: Literal["tasks/update"] = "tasks/update"
    params: UpdateParams


class CancelTask(Request[TaskParams, Literal["tasks/cancel"]]):
    """Stop, if you can."""

    name_param: ClassVar[str | None] = "taskId"
    method: Literal["tasks/cancel"] = "tasks/cancel"
    params: TaskParams


class Created(Result):
    """A call that became a task."""

    model_config = ConfigDict(**{**Result.model_config, "extra": "allow"})
    result_type: Literal["task"]
    task_id: str
    status: Status
    status_message: str | None = None
    ttl_ms: FiniteFloat | None = None
    poll_interval_ms: FiniteFloat | None = None


class Detailed(Result):
    """The whole task."""

    task_id: str
    status: Status
    status_message: str | None = None
    ttl_ms: FiniteFloat | None = Field(None, validation_alias=AliasChoices("ttlMs", "ttl"))
    poll_interval_ms: FiniteFloat | None = Field(
        None, validation_alias=AliasChoices("pollIntervalMs", "pollInterval")
    )
    input_requests: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None


class TakesTasks(ClientExtension):
    """Declares on each request that a handle is understood; a connection of the handshake era declares nothing."""

    identifier = TASKS

    @override
    def claims(self) -> Sequence[ResultClaim[Any]]:
        return (ResultClaim(result_type="task", model=Created, resolve=_never),)


async def _never(created: Created, context: ClaimContext) -> CallToolResult:
    # We take handles as they come and call no resolver: the SDK wants one all the same.
    raise RuntimeError(f"{context.tool_name}: {created.status} is handed on, not waited for")


Redacted = Callable[[Any], Any]
"""The same without any secret."""
Asking = Callable[[Client, float, Redacted], Awaitable[Sight]]
"""Something to ask of a server about a task, within so many seconds."""


def begun(created: Created, redacted: Redacted) -> Begun:
    """The handle that a call was answered with."""
    said = created.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"task_id"})
    said = redacted(said)
    return Begun(
        task_id=created.task_id,
        status=created.status,
        said=_short(said.get("statusMessage")),
        ttl=_seconds(created.ttl_ms),
        poll=_seconds(created.poll_interval_ms),
        document=json.dumps(said, ensure_ascii=False),
    )


def looking(task_id: str, limit: int = LIMIT) -> Asking:
    """Ask how a task stands; of its result, `limit` characters are shown."""

    async def ask(client: Client, deadline: float, redacted: Redacted) -> Sight:
        request = GetTask(params=TaskParams.model_validate({"taskId": task_id}))
        found = await client.session.send_request(request, Detailed, deadline)
        came = await former.today(client, task_id, found.status, deadline)
        return _seen(found.model_copy(update=came), redacted, limit)

    return ask


def responding(task_id: str, given: Mapping[str, Any], limit: int = LIMIT) -> Asking:
    """Give a task what it wants; and how it stands then."""

    async def ask(client: Client, deadline: float, redacted: Redacted) -> Sight:
        params = {"taskId": task_id, "inputResponses": dict(given)}
        request = UpdateTask(params=UpdateParams.model_validate(params))
        await client.session.send_request(request, Result, deadline)
        return await looking(task_id, limit)(client, deadline, redacted)

    return ask


def calling_off(task_id: str, limit: int = LIMIT) -> Asking:
    """Ask a server to stop, which it may heed or not; and how the task stands then."""

    async def ask(client: Client, deadline: float, redacted: Redacted) -> Sight:
        request = CancelTask(params=TaskParams.model_validate({"taskId": task_id}))
        await client.session.send_request(request, Result, deadline)
        return await looking(task_id, limit)(client, deadline, redacted)

    return ask


def unseen(outcome: Outcome, code: int = 0) -> Unseen:
    """Why nobody knows how a task stands, as the failure of any request is told."""
    return Unseen(reason=_short(_reason(outcome)), gone=code in NOT_THERE)


def _reason(outcome: Outcome) -> str:
    match outcome:
        case Answered(content=content):
            return " ".join(str(block.get("text")) for block in content)
        case NotSent(reason=reason) | Lost(reason=reason):
            return reason
        case Begun() | Asks():
            return "it was answered with another task, or a question"


def _seen(detailed: Detailed, redacted: Redacted, limit: int) -> Seen:
    return Seen(
        status=detailed.status,
        said=_short(redacted(detailed.status_message)),
        ttl=_seconds(detailed.ttl_ms),
        poll=_seconds(detailed.poll_interval_ms),
        answer=_answer(detailed, redacted, limit),
        requests=redacted(detailed.input_requests or {}),
    )


def _answer(detailed: Detailed, redacted: Redacted, limit: int) -> Answered | None:
    match detailed.status:
        case Status.COMPLETED:
            return _result(detailed.result, redacted, limit)
        case Status.FAILED:
            error = redacted(detailed.error or {})
            said = error.get("message") or "it does not say why"
            return failed(f"The call failed at its server: {said} (MCP error {error.get('code')})")
        case Status.WORKING | Status.INPUT_REQUIRED | Status.CANCELLED:
            return None


def _result(result: Mapping[str, Any] | None, redacted: Redacted, limit: int) -> Answered:
    try:
        read = CallToolResult.model_validate(result, by_name=False)
    except ValidationError as error:
        return failed(unreadable(error))
    said = read.model_dump(mode="json", by_alias=True, exclude_none=True)
    return answered(redacted(said), limit=limit)


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else max(milliseconds, 0.0) / THOUSAND


def _short(text: str | None) -> str:
    return (text or "")[:LONGEST_SAID]
