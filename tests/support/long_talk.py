"""A model that reads on and on, and what such a run leaves in Temporal; it measures, and judges nothing."""

from dataclasses import dataclass, replace
from typing import Any

from temporalio.client import Client

from orchestrator.demo.wire import Text
from tests.support.house import PLAYBOOK
from tests.support.scripts import Answer, Request, says, turn_of, use, uses

RESULT = 20_000
MARKERS = ("MARK-OF-RESULT", "MARK-OF-PAYLOAD", "MARK-OF-REPLY", "MARK-OF-ARGUMENT")


@dataclass
class ReadsOn:
    """Reads a thing of 20 KB in every turn but the last; `asked` are the characters of every request."""

    turns: int
    asked: list[int]
    newest: Request | None = None

    def reply(self, request: Request) -> Answer:
        # The requests themselves would be gigabytes.
        self.asked.append(sum(len(str(message)) for message in request["messages"]))
        self.newest = request
        if turn_of(request) >= self.turns - 1:
            return says("MARK-OF-REPLY: done.")
        read = use("read_thing", name="MARK-OF-ARGUMENT", size=RESULT, marker="MARK-OF-RESULT")
        reply = uses(read)
        return replace(reply, blocks=(Text("MARK-OF-REPLY: on."), *reply.blocks))


def playbook(turns: int) -> str:
    """One with the means for so many turns."""
    budget = f"budget: {{usd: 900, tokens: 2000000k, turns: {turns * 2}, tool_calls: {turns * 2}}}"
    kept = [line for line in PLAYBOOK.splitlines() if not line.startswith("budget:")]
    return "\n".join([*kept[:-2], budget, *kept[-2:], ""])


@dataclass(frozen=True, kw_only=True)
class Left:
    """What a run left: all of its history in bytes, its parts, and what each part but the first began with."""

    history: bytes
    parts: int
    carried: tuple[int, ...]


async def left_by(client: Client, workflow_id: str) -> Left:
    """The history of a workflow over all its continue-as-news."""
    whole, begun, parts = bytearray(), list[int](), 0
    async for part in client.list_workflows(f"WorkflowId = '{workflow_id}'"):
        parts += 1
        handle = client.get_workflow_handle(workflow_id, run_id=part.run_id)
        async for event in handle.fetch_history_events():
            whole += event.SerializeToString()
            begun += _carried(event)
    return Left(history=bytes(whole), parts=parts, carried=tuple(begun))


def _carried(event: Any) -> list[int]:
    started = event.workflow_execution_started_event_attributes
    if not started.continued_execution_run_id:
        return []
    return [sum(len(payload.data) for payload in started.input.payloads)]
