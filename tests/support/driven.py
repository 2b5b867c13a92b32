"""A run without Temporal: the loop and the real activities, driven in one coroutine until it ends or parks."""

from orchestrator.agent.asking import turning
from orchestrator.agent.calling import once
from orchestrator.agent.conversation import opening
from orchestrator.agent.means import Means
from orchestrator.errors import PersonError
from orchestrator.inbox.inbox import Decision
from orchestrator.ledger import calls, conversations
from workflows.loop import Act, AskModel, End, Loop, State
from workflows.messages import (
    Ask,
    CallOutcome,
    CallRequest,
    CallState,
    Entry,
    Kind,
    Opened,
    OpenRequest,
    Outcome,
    RunState,
)
from workflows.policy import Propose, Refuse, Send, Verdict


async def driven(means: Means, decision: Decision) -> str:
    """Open the run that a decision starts, and drive it; its id."""
    entry = Entry(
        decision_id=decision.id, kind=Kind.EVENT, event_id=decision.event_id, token=decision.id
    )
    asked = OpenRequest(workflow_id=decision.workflow_id or "", entry=entry)
    run_id = (await opening.begin(means, asked)).run_id
    try:
        opened = await opening.prepare(means, run_id)
        await _through(means, opened)
    except PersonError as error:
        await _stands(means, run_id, RunState.PARKED, str(error))
    return run_id


async def _through(means: Means, opened: Opened) -> None:
    loop = Loop(State.of(opened))
    while True:
        match loop.next():
            case AskModel(turn):
                ask = Ask(run_id=opened.run_id, turn=turn, budget=opened.budget)
                loop.receive(await turning.ask(means, ask, 1))
            case Act(verdicts):
                outcomes = [await _carried(means, opened.run_id, verdict) for verdict in verdicts]
                loop.answered(tuple(outcomes))
            case End(outcome, reason):
                words = f"{outcome} {reason}".strip()
                await _stands(means, opened.run_id, RunState.ENDED, words, outcome)
                return
            case stays:
                raise PersonError(str(stays))


async def _carried(means: Means, run_id: str, verdict: Verdict) -> CallOutcome:
    call_id = verdict.call.call_id
    request = CallRequest(run_id=run_id, call_id=call_id)
    match verdict:
        case Send():
            return await once.call(means, request, 1)
        case Propose():
            return await once.propose(means, request)
        case Refuse(text=text):
            refused = once.answer_words(CallState.REFUSED, text)
            await means.ledger.write(calls.finish, run_id, call_id, refused, means.now())
            return CallOutcome(call_id=call_id, state=CallState.REFUSED)
        case _:
            # Whatever else there is waits for somebody; here nobody comes.
            raise PersonError(f"{type(verdict).__name__} {verdict.call.alias}")


async def _stands(
    means: Means, run_id: str, state: RunState, reason: str, outcome: Outcome | None = None
) -> None:
    record = (conversations.record, run_id, state, reason, outcome, means.now())
    await means.ledger.write(*record)
