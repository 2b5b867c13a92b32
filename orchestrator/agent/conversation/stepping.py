"""The turns of a conversation that has steps instead of a model: each turn says the next call; it makes none itself.

A turn is recorded as if a model had said it, so that a lost worker, a preview and `runs show` see no difference. A step
that fails ends the conversation, unless it says `on_error: continue`; what never fits its tool's schema is found before
anything is called.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.agent.conversation import frozen as pins
from orchestrator.agent.conversation.frozen import Frozen
from orchestrator.agent.hands.convert import alias
from orchestrator.agent.hands.definitions import Discovered
from orchestrator.agent.means import Means
from orchestrator.agent.tools.toolset import Toolset, curate
from orchestrator.database import Transaction
from orchestrator.ledger import calls, causes, turns
from orchestrator.ledger.calls import Call, Result
from orchestrator.rules.steps import OnError, Step, title_of, tools_of
from orchestrator.servers import Server
from workflows.messages import Ask, CallState, Reply, Stop
from workflows.playbook import Budget, Effect, Playbook, WriteLimit

NO_MODEL: Final = "none"
"""What stands where a conversation names its model."""

FAILED: Final = frozenset(
    {CallState.FAILED, CallState.REFUSED, CallState.DENIED, CallState.UNKNOWN}
)

Content = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Said:
    """A turn as it is recorded; one that says that a step failed stops as a model does that refuses."""

    content: Content
    stop: Stop

    @property
    def reason(self) -> str:
        """Why nothing more is called; our own words, for what a server says stays out of Temporal's history."""
        return str(self.content[0]["text"]) if self.stop is Stop.REFUSAL else ""


def toolset(
    steps: Sequence[Step], discovered: Mapping[str, Discovered], servers: Mapping[str, Server]
) -> Toolset:
    """The tools of the steps, each as often as it is called. Raises ToolsetRefused."""
    often = Counter(step.tool for step in steps)
    wanted = Playbook(
        name=title_of(steps),
        digest="",
        model=NO_MODEL,
        max_tokens=0,
        inputs={},
        tools=tools_of(steps),
        writes={tool: WriteLimit(max=count) for tool, count in often.items()},
    )
    return curate(wanted, discovered, servers, {})


def budget_of(steps: Sequence[Step]) -> Budget:
    """Room for every step; twice of it, because at 80 % a model is asked to finish, and here is none."""
    return Budget(turns=2 * len(steps) + 2, tool_calls=2 * len(steps))


async def ask(means: Means, frozen: Frozen, asked: Ask) -> Reply:
    """The next step as a turn; asked again, the same one."""
    said = await means.ledger.write(_turn, frozen, asked, means.now())
    plans = pins.planned(frozen, asked.run_id, asked.turn, said.content)
    for plan in plans:
        if plan.complaint is not None:
            means.counts.call_refused(plan.why)
    return Reply(
        turn=asked.turn,
        stop=said.stop,
        calls=tuple(plan.call for plan in plans),
        refusal=said.reason,
    )


def _turn(connection: Transaction, frozen: Frozen, asked: Ask, at: float) -> Said:
    recorded = _recorded(connection, asked)
    if recorded is not None:
        return recorded
    said = _next(frozen, asked, calls.of_run(connection, asked.run_id))
    text = json.dumps(said.content, ensure_ascii=False)
    if not turns.reply(connection, asked.run_id, asked.turn, text, said.stop, None, at):
        return _recorded(connection, asked) or said
    hops = causes.of_run(connection, asked.run_id).hops
    for plan in pins.planned(frozen, asked.run_id, asked.turn, said.content, hops):
        calls.intend(connection, asked.run_id, asked.turn, plan.intent, at)
        if plan.complaint is not None:
            calls.finish(connection, asked.run_id, plan.call.call_id, _refused(plan.complaint), at)
    return said


def _refused(complaint: str) -> Result:
    content = [{"type": "text", "text": complaint}]
    return Result(state=CallState.REFUSED, content=content, is_error=True)


def _recorded(connection: Transaction, asked: Ask) -> Said | None:
    found = (turn for turn in turns.replied(connection, asked.run_id) if turn.turn == asked.turn)
    turn = next(found, None)
    return None if turn is None else Said(json.loads(turn.content), Stop(turn.stop))


def _next(frozen: Frozen, asked: Ask, made: Sequence[Call]) -> Said:
    steps = frozen.steps
    before = {call.turn: call for call in made if call.turn}
    if asked.turn == 1 and (misfit := _misfit(frozen)) is not None:
        return _failed(*misfit)
    last = before.get(asked.turn - 1)
    if last is not None and last.state in FAILED and _ends(steps, last.turn):
        return _failed(_named(steps, last.turn, str(last.state)), _answer(last))
    if asked.turn > len(steps):
        return _last(steps, before)
    return Said([_use(steps[asked.turn - 1], asked.turn)], Stop.TOOL_USE)


def _misfit(frozen: Frozen) -> tuple[str, str] | None:
    """The first step whose arguments its tool won't take, and why; asked before anything is half done."""
    for number, step in enumerate(frozen.steps, start=1):
        (plan,) = pins.planned(frozen, "", number, [_use(step, number)])
        if plan.complaint is not None and _ends(frozen.steps, number):
            said = "its arguments don't fit, so nothing was called"
            return _named(frozen.steps, number, said, rest=False), plan.complaint
    return None


def _use(step: Step, number: int) -> dict[str, Any]:
    name = alias(step.server, step.name)
    return {"type": "tool_use", "id": f"step_{number}", "name": name, "input": dict(step.args)}


def _ends(steps: Sequence[Step], number: int) -> bool:
    return steps[number - 1].on_error is OnError.END


def _named(steps: Sequence[Step], number: int, became: str, *, rest: bool = True) -> str:
    left = len(steps) - number
    untouched = f"; {left} more not made" if rest and left else ""
    return f"call {number} of {len(steps)}, {steps[number - 1].tool}: {became}{untouched}"


def _last(steps: Sequence[Step], made: Mapping[int, Call]) -> Said:
    """The account; a write that was passed over is still one that somebody should look at."""
    lines = {turn: _named(steps, turn, str(one.state), rest=False) for turn, one in made.items()}
    unmade = [turn for turn, one in made.items() if _is_unmade(one)]
    rest = "\n".join(line for turn, line in lines.items() if turn not in unmade)
    if unmade:
        return _failed("; ".join(lines[turn] for turn in unmade), rest)
    return Said(_words(rest), Stop.END_TURN)


def _is_unmade(call: Call) -> bool:
    return call.state in FAILED and call.effect is not Effect.READ


def _answer(call: Call) -> str:
    texts = (str(block.get("text", "")) for block in call.content or ())
    return "\n".join(text for text in texts if text)


def _failed(reason: str, beside: str) -> Said:
    return Said(_words(reason, beside), Stop.REFUSAL)


def _words(*texts: str) -> Content:
    return [{"type": "text", "text": text} for text in texts if text]
