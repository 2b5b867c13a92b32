"""One rehearsal without any wire: a scripted model and hands that note what reaches them, everything else real."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from orchestrator.agent.hands.definitions import Answered, Discovered, ToolDefinition
from orchestrator.agent.means import Means
from orchestrator.agent.rehearsing import Rehearsed, rehearse
from orchestrator.agent.reply import Said
from orchestrator.configuration.people import Person
from orchestrator.database import Database
from orchestrator.inbox.inbox import Action, Decision
from orchestrator.inbox.memory import MemoryInbox
from orchestrator.ledger import calls
from orchestrator.ledger.calls import Call
from orchestrator.servers import HttpServer
from tests.support.builders import AT, KEY, NOW, comment, configuration, ledger_at, rule, source
from workflows.playbook import Budget, Playbook, Stage, WriteLimit

RUN_ID = "rehearsal0123456789ab.1"
USAGE = {"input_tokens": 100, "output_tokens": 10}
SCHEMA = {"type": "object", "properties": {"body": {"type": "string"}}}
LOOK = ToolDefinition(server="lab", name="look", input_schema=SCHEMA, read_only=True)
WRITE = ToolDefinition(server="lab", name="write", input_schema=SCHEMA)
PLAYBOOK = Playbook(
    name="triage",
    digest="p1",
    model="claude-sonnet-5-5",
    max_tokens=1_000,
    inputs={},
    tools={"lab": ("look", "write")},
    writes={"lab.write": WriteLimit(max=1)},
    prose="You triage.",
)
ANN = Person(name="ann", accounts={"github": "3"}, roles=frozenset({"maintainer"}))

DECISION = Decision(
    id="dec_rehearsal",
    event_id="evt_1",
    cause="triage",
    rule="triage",
    action=Action.START,
    reason="rehearsal",
    playbook="triage",
    key=KEY,
    stage=Stage.PREVIEW,
    workflow_id="rehearsal~rehearsal0123456789ab",
    lane="rehearsal",
)


def used(*named: tuple[str, Mapping[str, Any]]) -> Said:
    """A turn of tool calls."""
    content = [
        {"type": "tool_use", "id": f"t{at}", "name": name, "input": dict(given)}
        for at, (name, given) in enumerate(named)
    ]
    return Said(content=content, stop="tool_use", usage=USAGE, request_id=None)


def ended(text: str = "Done.", stop: str = "end_turn") -> Said:
    """The last turn."""
    content = [{"type": "text", "text": text}]
    return Said(content=content, stop=stop, usage=USAGE, request_id=None)


@dataclass
class Model:
    """Says one after the other; what is an exception is raised."""

    replies: list[Any]
    asked: list[Any] = field(default_factory=list)

    async def say(self, request: Any) -> Said:
        self.asked.append(request)
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        assert isinstance(reply, Said)
        return reply

    async def close(self) -> None:
        return


@dataclass
class Hands:
    """Offers both tools, and answers what reaches it; `answers` come first."""

    answers: list[Any] = field(default_factory=list)
    made: list[str] = field(default_factory=list)

    def learn(self, servers: Mapping[str, Any]) -> None:
        assert set(servers) == {"lab"}

    async def discover(self, server: str) -> Discovered:
        return Discovered(server=server, protocol="", identity="lab", tools=(LOOK, WRITE))

    async def call(self, server: str, tool: str, arguments: Any, **options: Any) -> Any:
        assert await options["before_send"]()
        self.made.append(f"{server}.{tool} {arguments}")
        text = ({"type": "text", "text": "fine"},)
        answer = Answered(content=text, is_error=False, full=b"fine", full_media_type="text/plain")
        return self.answers.pop(0) if self.answers else answer

    async def close(self) -> None:
        return


@dataclass
class Theatre:
    """What a test looks at."""

    means: Means
    model: Model
    hands: Hands
    pauses: list[float]

    async def rehearse(self, decision: Decision = DECISION) -> Rehearsed:
        return await rehearse(self.means, decision)

    async def calls(self) -> list[Call]:
        return await self.means.ledger.read(calls.of_run, RUN_ID)


@asynccontextmanager
async def stage(
    directory: Path,
    replies: Sequence[Any],
    wrap: Callable[[Model, Database], Any] = lambda model, _: model,
    **changes: Any,
) -> AsyncIterator[Theatre]:
    """The stage, with a playbook changed so."""
    files = replace(
        configuration(rule()),
        sources={"github": source()},
        servers={"lab": HttpServer(name="lab", url="http://127.0.0.1:9/mcp")},
        playbooks={"triage": replace(PLAYBOOK, **{"budget": Budget()} | changes)},
        people={"ann": ANN},
    )
    model, hands, pauses = Model(list(replies)), Hands(), list[float]()

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    with ledger_at(directory) as ledger:
        means = Means(
            inbox=MemoryInbox(),
            ledger=ledger,
            model=wrap(model, ledger),
            hands=hands,
            configuration=lambda: files,
            now=lambda: AT,
            scripted=True,
            pause=pause,
            jitter=lambda: 0.0,
        )
        await means.inbox.keep([comment("evt_1")])
        await means.inbox.decide("evt_1", [DECISION], NOW)
        yield Theatre(means=means, model=model, hands=hands, pauses=pauses)
