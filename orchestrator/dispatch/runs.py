"""Deliver decisions into runs over the Temporal client; it knows no inbox and decides nothing.

Every delivery is a signal-with-start, acknowledged durably by the server: with the run there it reaches its
mailbox, without it starts one. Sending one twice is harmless, because the run claims it in the ledger.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDReusePolicy,
)
from temporalio.service import RPCError, RPCStatusCode
from typing_extensions import override

from orchestrator.errors import OperatorError
from orchestrator.inbox.inbox import Action, Decision
from workflows.carried import RunInput
from workflows.hops import named
from workflows.messages import Entry, Kind, Title
from workflows.plain import plain
from workflows.run import Run

RPC_DEADLINE = timedelta(seconds=10)
TASK_DEADLINE = timedelta(seconds=5)
"""After this long a worker that died in the middle of a workflow task is given up; stock is 10 s."""

SEARCH_ATTRIBUTES = ("Rule", "Playbook", "Source", "RunKey", "RunState", "Outcome")
"""Keywords that people filter runs by in the Temporal UI; `Key` alone is a word of its query language."""


class Unreachable(OperatorError):
    """Nobody is there to take it: nothing is wrong with what was sent, it waits, until `until` if that is known."""

    def __init__(self, text: str, *, until: datetime | None = None) -> None:
        super().__init__(text)
        self.until = until


class Undeliverable(OperatorError):
    """It was refused, or it failed on the way; `retry_after` is how long the one who refused it wants to be left."""

    def __init__(self, text: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class Found(StrEnum):
    """What there is of a run in Temporal; `gone` when nothing is, or its last part ended in order."""

    RUNNING = "running"
    GONE = "gone"
    FAILED = "failed"
    TERMINATED = "terminated"
    CANCELLED = "cancelled"


FOUND = {
    WorkflowExecutionStatus.RUNNING: Found.RUNNING,
    WorkflowExecutionStatus.FAILED: Found.FAILED,
    WorkflowExecutionStatus.TIMED_OUT: Found.FAILED,
    WorkflowExecutionStatus.TERMINATED: Found.TERMINATED,
    WorkflowExecutionStatus.CANCELED: Found.CANCELLED,
}


class Runs(Protocol):
    """Where decisions go."""

    async def prepare(self) -> None:
        """Make the server ready for what we send, once. Raises Unreachable."""

    async def deliver(self, decision: Decision, source: str) -> None:
        """Put a decision into its run's mailbox, durably. Raises Unreachable or Undeliverable."""

    async def running(self, workflow_id: str) -> bool:
        """Whether that run is there and open. Raises Unreachable."""


@dataclass(frozen=True, slots=True)
class TemporalRuns(Runs):
    """Runs on a Temporal server."""

    client: Client
    task_queue: str

    @override
    async def prepare(self) -> None:
        service = self.client.operator_service
        keyword = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
        wanted = AddSearchAttributesRequest(
            namespace=self.client.namespace,
            search_attributes=dict.fromkeys(SEARCH_ATTRIBUTES, keyword),
        )
        try:
            await service.add_search_attributes(wanted, timeout=RPC_DEADLINE)
        except RPCError as error:
            if isinstance(_translated(error), Unreachable):
                raise _translated(error) from error
            # Not ours to do there: somebody has registered them, or the first start will say that they are missing.
        except RuntimeError as error:
            raise Unreachable(f"Temporal: {error}") from error

    @override
    async def deliver(self, decision: Decision, source: str) -> None:
        try:
            await self._signal(decision, title_of(decision, source))
        except RPCError as error:
            raise _translated(error) from error
        except RuntimeError as error:
            raise Unreachable(f"Temporal: {error}") from error

    @override
    async def running(self, workflow_id: str) -> bool:
        return await self.found(workflow_id) is Found.RUNNING

    async def found(self, workflow_id: str) -> Found:
        """What there is of that run. Raises Unreachable or Undeliverable."""
        try:
            described = await self.client.get_workflow_handle(workflow_id).describe(
                rpc_timeout=RPC_DEADLINE
            )
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return Found.GONE
            raise _translated(error) from error
        except RuntimeError as error:
            raise Unreachable(f"Temporal: {error}") from error
        return FOUND.get(described.status or WorkflowExecutionStatus.COMPLETED, Found.GONE)

    async def namespace(self) -> str:
        """The id of our namespace, made with it and never again. Raises Unreachable or Undeliverable."""
        try:
            answer = await self.client.workflow_service.describe_namespace(
                DescribeNamespaceRequest(namespace=self.client.namespace), timeout=RPC_DEADLINE
            )
        except RPCError as error:
            raise _translated(error) from error
        except RuntimeError as error:
            raise Unreachable(f"Temporal: {error}") from error
        return answer.namespace_info.id

    @property
    def _ours(self) -> str:
        return f"WorkflowType = 'Run' AND ExecutionStatus = 'Running' AND TaskQueue = '{self.task_queue}'"

    async def count_running(self) -> int:
        """How many run, as the server's index has them. Raises as `found`."""
        try:
            counted = await self.client.count_workflows(self._ours, rpc_timeout=RPC_DEADLINE)
        except RPCError as error:
            raise _translated(error) from error
        except RuntimeError as error:
            raise Unreachable(f"Temporal: {error}") from error
        return counted.count

    async def _signal(self, decision: Decision, title: Title) -> None:
        await self.client.start_workflow(
            Run.run,
            RunInput(title=title),
            id=decision.workflow_id or decision.id,
            task_queue=self.task_queue,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            task_timeout=TASK_DEADLINE,
            start_signal="deliver",
            start_signal_args=[entry_of(decision)],
            static_summary=named(title),
            static_details=_details(title),
            search_attributes=_attributes(title),
            rpc_timeout=RPC_DEADLINE,
        )


def _details(title: Title) -> str:
    return f"**{title.playbook}** for {plain(title.key)}, {title.stage}, rung by {title.source}"


def _translated(error: RPCError) -> OperatorError:
    waiting = {
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.RESOURCE_EXHAUSTED,
        RPCStatusCode.CANCELLED,
        RPCStatusCode.UNKNOWN,
        RPCStatusCode.INTERNAL,
        RPCStatusCode.ABORTED,
        RPCStatusCode.NOT_FOUND,
        RPCStatusCode.UNAUTHENTICATED,
        RPCStatusCode.PERMISSION_DENIED,
    }
    kind = Unreachable if error.status in waiting else Undeliverable
    return kind(f"Temporal: {error.status.name}: {error.message}")


def entry_of(decision: Decision) -> Entry:
    """What the mailbox gets: a reference, never the event itself."""
    kind = Kind.EVENT
    if decision.action is Action.RESUME:
        kind = Kind.WOKEN
    elif decision.action is Action.CONTROL:
        kind = Kind(str(decision.with_["kind"]))
    return Entry(
        decision_id=decision.id,
        kind=kind,
        event_id=decision.event_id,
        wait_id=decision.wait_id,
        run_id=str(decision.with_["run"]) if kind is not Kind.EVENT else None,
        flow=decision.flow,
        place=decision.place,
    )


def title_of(decision: Decision, source: str) -> Title:
    """What people read of the run in the Temporal UI."""
    return Title(
        rule=decision.rule or "-",
        playbook=decision.playbook or "-",
        source=source,
        key=decision.key or "-",
        stage=decision.stage or "-",
    )


def _attributes(title: Title) -> TypedSearchAttributes:
    values = {
        "Rule": title.rule,
        "Playbook": title.playbook,
        "Source": title.source,
        "RunKey": title.key,
        "RunState": "running",
    }
    return TypedSearchAttributes(
        [
            SearchAttributePair(SearchAttributeKey.for_keyword(name), value[:200])
            for name, value in values.items()
        ]
    )
