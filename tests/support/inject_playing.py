"""A run in which the model attacks and people answer, without Temporal: the loop, the real activities, the ledger.

It knows no attack: a `Part` says what the model calls in each turn, `People` what somebody consents to.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestrator.agent.asking import turning
from orchestrator.agent.calling import once
from orchestrator.agent.conversation import opening
from orchestrator.agent.means import Means
from orchestrator.agent.reply import Request, Said
from orchestrator.agent.waiting import approving, registering
from orchestrator.demo.wire import ToolUse
from orchestrator.errors import PersonError
from orchestrator.inbox.inbox import Decision
from orchestrator.ledger import approvals, calls, conversations
from workflows.approvals import Asking, Standing
from workflows.loop import Act, AskModel, End, Loop, State
from workflows.messages import (
    Ask,
    CallOutcome,
    CallRequest,
    CallState,
    Entry,
    Kind,
    OpenRequest,
    Outcome,
    RunState,
    WaitRequest,
)
from workflows.policy import AskPerson, Finish, Propose, Refuse, Send, Verdict, WaitFor

LATER = 301.0
"""Seconds between two turns: long enough that a server is asked again what it offers."""

Turn = Callable[[Request], Sequence[ToolUse]]


@dataclass
class Clock:
    """What time it is."""

    now: float

    def __call__(self) -> float:
        return self.now


@dataclass(kw_only=True)
class Part:
    """The model behind no wire: the calls of each turn by its run's playbook, then its last word."""

    turns: dict[str, Sequence[Turn]]
    clock: Clock

    async def say(self, request: Request) -> Said:
        self.clock.now += LATER
        turn = sum(message["role"] == "assistant" for message in request.messages)
        script = next(
            one for name, one in self.turns.items() if f"playbook {name}." in str(request.system)
        )
        uses = script[turn](request) if turn < len(script) else ()
        content: list[dict[str, Any]] = [
            {
                "type": "tool_use",
                "id": f"toolu_{at}",
                "name": _named(use, request),
                "input": dict(use.input),
            }
            for at, use in enumerate(uses)
        ]
        usage = {"input_tokens": 10, "output_tokens": 10}
        last = [{"type": "text", "text": "Done as I was told."}]
        stop = "tool_use" if content else "end_turn"
        return Said(content=content or last, stop=stop, usage=usage, request_id=None)

    async def close(self) -> None:
        return


def _named(use: ToolUse, request: Request) -> str:
    """A server of its own has a name of its own: the town's tools are meant wherever they are."""
    town, _, tool = use.name.partition("__")
    offered = (str(one["name"]) for one in request.tools)
    meant = (name for name in offered if name.startswith(town) and name.endswith(f"__{tool}"))
    return next(meant, use.name)


@dataclass
class People:
    """Somebody says yes to every question, and consents to the first so many calls."""

    consents: int = 0
    asked: list[str] = field(default_factory=list)


async def played(means: Means, decision: Decision, people: People) -> str:
    """Open the run that a decision starts, and drive it until it ends or stands still; its id."""
    entry = Entry(
        decision_id=decision.id, kind=Kind.EVENT, event_id=decision.event_id, token=decision.id
    )
    asked = OpenRequest(workflow_id=decision.workflow_id or "", entry=entry)
    run_id = (await opening.begin(means, asked)).run_id
    try:
        await _through(means, Loop(State.of(await opening.prepare(means, run_id))), people)
    except PersonError as error:
        await _stands(means, run_id, RunState.PARKED, str(error))
    return run_id


async def _through(means: Means, loop: Loop, people: People) -> None:
    run_id = loop.state.run_id
    while True:
        match loop.next():
            case AskModel(turn):
                ask = Ask(run_id=run_id, turn=turn, budget=loop.state.budget)
                loop.receive(await turning.ask(means, ask, 1))
            case Act(verdicts):
                made = [await _carried(means, run_id, one, people) for one in verdicts]
                loop.answered(tuple(made))
            case End(outcome, reason):
                await _stands(means, run_id, RunState.ENDED, reason, outcome)
                return
            case stays:
                raise PersonError(str(stays))


async def _carried(means: Means, run_id: str, verdict: Verdict, people: People) -> CallOutcome:
    call_id = verdict.call.call_id
    request = CallRequest(run_id=run_id, call_id=call_id)
    match verdict:
        case Send():
            return await once.call(means, request, 1)
        case Propose():
            return await once.propose(means, request)
        case AskPerson(card=None):
            await approving.ask(means, Asking(run_id=run_id, call_id=call_id))
            return await _answered(means, request, CallState.DONE, "ann answers: true")
        case AskPerson():
            return await _consented(means, request, people)
        case Refuse() | Finish():
            text = verdict.text if isinstance(verdict, Refuse) else "It ends here."
            return await _answered(means, request, CallState.REFUSED, text)
        case WaitFor():
            return await _waited(means, run_id, call_id)


async def _waited(means: Means, run_id: str, call_id: str) -> CallOutcome:
    waiting = await registering.open_wait(means, WaitRequest(run_id=run_id, call_id=call_id))
    if waiting.ended is None:
        raise PersonError(f"waits for {waiting.wants}")
    return CallOutcome(call_id=call_id, state=waiting.ended)


async def _consented(means: Means, request: CallRequest, people: People) -> CallOutcome:
    asking = Asking(run_id=request.run_id, call_id=request.call_id)
    asked = await approving.ask(means, asking)
    people.asked.append(asked.wants)
    if people.consents == 0:
        raise PersonError(asked.wants)
    people.consents -= 1
    approval = await means.ledger.read(approvals.one, asked.approval_id)
    await means.ledger.write(approvals.settle, approval, Standing.APPROVED, means.now())
    await means.ledger.write(approvals.release, approval)
    return await once.call(means, request, 1)


async def _answered(means: Means, request: CallRequest, state: CallState, text: str) -> CallOutcome:
    result = once.answer_words(state, text)
    place = (request.run_id, request.call_id)
    await means.ledger.write(calls.finish, *place, result, means.now())
    return CallOutcome(call_id=request.call_id, state=state)


async def _stands(
    means: Means, run_id: str, state: RunState, reason: str, outcome: Outcome | None = None
) -> None:
    record = (conversations.record, run_id, state, reason, outcome, means.now())
    await means.ledger.write(*record)
