"""A server's tasks in memory, by a clock of their own: what the real hands find at a real server, said at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from typing_extensions import override

from orchestrator.agent.hands.convert import answered, failed
from orchestrator.agent.hands.definitions import Answered, Begun
from orchestrator.agent.hands.sights import Seen, Sight, Status, Unseen
from orchestrator.agent.means import Tasks

ENDED = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED})
UNKNOWN = "Task not found"


def wrong(text: str, *, is_error: bool = False) -> Answered:
    """A tool's result in words."""
    return answered({"content": [{"type": "text", "text": text}], "isError": is_error})


PAPER = {
    "method": "elicitation/create",
    "params": {
        "mode": "form",
        "message": "Which paper?",
        "requestedSchema": {
            "type": "object",
            "properties": {"paper": {"type": "string", "enum": ["matt", "glossy"]}},
            "required": ["paper"],
        },
    },
}
SAMPLING = {"method": "sampling/createMessage", "params": {"messages": [], "maxTokens": 10}}

TOLD: dict[str, Callable[[str], Seen]] = {
    "working": lambda text: Seen(status=Status.WORKING, said=text),
    "asks": lambda _: Seen(status=Status.INPUT_REQUIRED, requests={"paper": PAPER}),
    "samples": lambda _: Seen(status=Status.INPUT_REQUIRED, requests={"thought": SAMPLING}),
    "completed": lambda text: Seen(status=Status.COMPLETED, answer=wrong(text)),
    "wrong": lambda text: Seen(status=Status.COMPLETED, answer=wrong(text, is_error=True)),
    "strange": lambda _: Seen(
        status=Status.COMPLETED,
        answer=failed("The server answered with something that is not a tool result"),
    ),
    "failed": lambda text: Seen(
        status=Status.FAILED,
        answer=failed(f"The call failed at its server: {text} (MCP error -32001)"),
    ),
    "cancelled": lambda text: Seen(status=Status.CANCELLED, said=text),
}


@dataclass
class Followed(Tasks):
    """The tasks of one server; `away` is why it can't be reached."""

    poll: float = 5.0
    ttl: float | None = 86_400.0
    away: str = ""
    tasks: dict[str, Seen] = field(default_factory=dict)
    called_off: list[str] = field(default_factory=list)
    responded: list[dict[str, Any]] = field(default_factory=list)
    looked: int = 0

    def begin(self, **changes: Any) -> Begun:
        """A call becomes a task."""
        task_id = f"task-{len(self.tasks)}"
        self.tasks[task_id] = Seen(status=Status.WORKING, said="queued")
        begun = Begun(
            task_id=task_id,
            status=Status.WORKING,
            said="queued",
            ttl=self.ttl,
            poll=self.poll,
            document='{"statusMessage": "queued"}',
        )
        return replace(begun, **changes)

    def tells(self, how: str, text: str = "") -> None:
        """What becomes of the newest."""
        newest = list(self.tasks)[-1]
        if self.tasks[newest].status not in ENDED:
            self.tasks[newest] = TOLD[how](text)

    @override
    async def look(self, server: str, tool: str, task_id: str, *, deadline: float) -> Sight:
        self.looked += 1
        if self.away:
            return Unseen(reason=self.away)
        found = self.tasks.get(task_id)
        if found is None:
            return Unseen(reason=UNKNOWN, gone=True)
        return replace(found, ttl=self.ttl, poll=self.poll)

    def asks(self, *keys: str, **requests: Any) -> None:
        """The newest wants these answered: papers under these keys, and whatever else."""
        newest = list(self.tasks)[-1]
        wanted = {**dict.fromkeys(keys, PAPER), **requests}
        self.tasks[newest] = Seen(status=Status.INPUT_REQUIRED, requests=wanted)

    @override
    async def respond(
        self, server: str, tool: str, task_id: str, given: Mapping[str, Any], *, deadline: float
    ) -> Sight:
        found = self.tasks.get(task_id)
        if not self.away and found is not None and found.status is Status.INPUT_REQUIRED:
            # What nobody waits for is ignored.
            self.responded.append({key: one for key, one in given.items() if key in found.requests})
            left = {key: one for key, one in found.requests.items() if key not in given}
            status = Status.INPUT_REQUIRED if left else Status.WORKING
            self.tasks[task_id] = Seen(status=status, requests=left)
        return await self.look(server, tool, task_id, deadline=deadline)

    @override
    async def call_off(self, server: str, tool: str, task_id: str, *, deadline: float) -> Sight:
        if not self.away and task_id in self.tasks:
            self.called_off.append(task_id)
            if self.tasks[task_id].status not in ENDED:
                self.tasks[task_id] = TOLD["cancelled"]("called off by the client")
        return await self.look(server, tool, task_id, deadline=deadline)
