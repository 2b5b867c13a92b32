"""The five states of a task and what may become of each; pure: no clock, no storage, no wire.

https://github.com/modelcontextprotocol/ext-tasks, revision 2026-07-28. `after` is the only way from one state to
the next, and a task that has ended never changes again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final


class Status(StrEnum):
    """The states, in the words of the specification."""

    WORKING = "working"
    INPUT_REQUIRED = "input_required"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED: Final = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED})


class KeyReused(ValueError):
    """A question came under a key that this task has used before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A call that is answered later.

    `token` is what the outside call may carry so that its webhook names it; it gives no access to the task, as `id`
    would. `principal` is empty where callers aren't told apart. `version` counts the changes.
    """

    id: str
    token: str
    principal: str
    tool: str
    created_at: datetime
    updated_at: datetime
    ttl: timedelta | None
    poll: timedelta
    status: Status = Status.WORKING
    message: str | None = None
    version: int = 1
    requests: Mapping[str, Any] = field(default_factory=dict)
    responses: Mapping[str, Any] = field(default_factory=dict)
    result: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing can change any more."""
        return self.status in ENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Working:
    """It goes on; the message says how."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asks:
    """It can't go on without answers to these requests, each under a key of its own."""

    requests: Mapping[str, Any]
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The client's responses; those that nobody waits for are ignored."""

    responses: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """The call has its result: a tool result as MCP writes it, a failure of the tool included."""

    result: Mapping[str, Any]
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The protocol failed, not the tool: a JSON-RPC error."""

    code: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """It was called off before it was done."""

    message: str | None = None


Ending = Completed | Failed | Cancelled
Change = Working | Asks | Answers | Ending


def after(task: Task, change: Change, now: datetime) -> Task | None:
    """The task after a change, or None where it changes nothing: it has ended, or nobody asked.

    Raises `KeyReused`.
    """
    if task.ended:
        return None
    match change:
        case Working(message=message):
            return _counted(replace(task, message=message), now)
        case Asks():
            return _counted(_asking(task, change), now)
        case Answers(responses=responses):
            asked = responses.keys() & task.requests.keys()
            return _counted(_answered(task, responses), now) if asked else None
        case Completed() | Failed() | Cancelled():
            return _counted(replace(_ended(task, change), requests={}), now)


def expired(task: Task, now: datetime) -> bool:
    """Whether its time is over, and it hasn't ended."""
    return not task.ended and task.ttl is not None and now >= task.created_at + task.ttl


def _counted(task: Task, now: datetime) -> Task:
    # Clocks of two replicas differ; a task never seems older than it was.
    return replace(task, version=task.version + 1, updated_at=max(now, task.updated_at))


def _asking(task: Task, change: Asks) -> Task:
    used = change.requests.keys() & (task.requests.keys() | task.responses.keys())
    if used or not change.requests:
        raise KeyReused(
            f"expected new keys for what task {task.id!r} asks, got {sorted(used)}: a key names one question for good"
        )
    return replace(
        task,
        status=Status.INPUT_REQUIRED,
        requests={**task.requests, **change.requests},
        message=change.message or task.message,
    )


def _answered(task: Task, responses: Mapping[str, Any]) -> Task:
    taken = {key: responses[key] for key in task.requests if key in responses}
    left = {key: asked for key, asked in task.requests.items() if key not in taken}
    return replace(
        task,
        status=Status.INPUT_REQUIRED if left else Status.WORKING,
        requests=left,
        responses={**task.responses, **taken},
    )


def _ended(task: Task, change: Ending) -> Task:
    match change:
        case Completed(result=result, message=message):
            return replace(task, status=Status.COMPLETED, result=result, message=message)
        case Failed(code=code, message=message):
            error = {"code": code, "message": message}
            return replace(task, status=Status.FAILED, error=error, message=message)
        case Cancelled(message=message):
            return replace(task, status=Status.CANCELLED, message=message)
