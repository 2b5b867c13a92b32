"""Drive one conversation without Temporal, for a rehearsal: the same loop, asking and calling; nobody is waited for.

A write is recorded as a proposal. Where a run would wait for an event, a time or a person, the rehearsal ends and says
so: what comes then nobody knows. All of it stands in the ledger it is given, which is not the installation's.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import count
from typing import Final

from orchestrator.agent.asking import turning
from orchestrator.agent.calling import once
from orchestrator.agent.calling.once import TryAgain
from orchestrator.agent.calling.recorded import OnlyReads
from orchestrator.agent.calling.revoked import Held
from orchestrator.agent.conversation import opening
from orchestrator.agent.means import Means
from orchestrator.agent.reply import Rejected, Unavailable
from orchestrator.agent.waiting import approving, registering
from orchestrator.errors import PersonError
from orchestrator.inbox.inbox import Decision
from orchestrator.ledger import calls, conversations
from workflows.approvals import Asking, Standing
from workflows.loop import Act, AskModel, End, Loop, State, Stay, TakeLeave
from workflows.loop import waits as waits_for
from workflows.messages import (
    Ask,
    CallOutcome,
    CallRequest,
    CallState,
    Entry,
    Kind,
    Note,
    Opened,
    OpenRequest,
    Outcome,
    Reply,
    RunState,
    Settle,
    WaitRequest,
)
from workflows.own_tools import SLEEP
from workflows.playbook import Effect
from workflows.policy import AskPerson, Finish, Propose, Refuse, Send, Verdict, WaitFor

TRIES: Final = 5
"""How often a turn or a call is tried; a run goes on for an hour, and nobody watches it."""

LONGEST_PAUSE: Final = 60.0
"""Seconds between two tries of a turn at most, whatever the provider said: somebody sits and waits."""


class Ending(StrEnum):
    """Why a rehearsal ended: with its conversation, where a run would wait or park, or because it couldn't go on."""

    ENDED = "ended"
    WAITS = "waits"
    PARKS = "parks"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed:
    """How it ended, with the words for it; `outcome` where the conversation came to its own end."""

    ending: Ending
    reason: str = ""
    outcome: Outcome | None = None


_STATES: Final = {
    Ending.ENDED: RunState.ENDED,
    Ending.WAITS: RunState.WAITING,
    Ending.PARKS: RunState.PARKED,
    Ending.BROKEN: RunState.PARKED,
}


async def rehearse(means: Means, decision: Decision) -> Rehearsed:
    """The conversation that this decision opens, to its end. Raises PersonError or OperatorError where none opens."""
    entry = Entry(decision_id=decision.id, kind=Kind.EVENT, event_id=decision.event_id)
    request = OpenRequest(workflow_id=decision.workflow_id or "", entry=entry)
    ref = await opening.begin(means, request)
    opened = await opening.prepare(means, ref.run_id)
    rehearsed = await _Rehearsal(_reading(means, opened), opened).through()
    await means.ledger.write(
        conversations.record,
        opened.run_id,
        _STATES[rehearsed.ending],
        rehearsed.reason,
        rehearsed.outcome,
        means.now(),
    )
    return rehearsed


def _reading(means: Means, opened: Opened) -> Means:
    """The same means with hands that only read, whatever the loop lets through."""
    reads = {(card.server, card.name) for card in opened.tools if card.effect is Effect.READ}
    return replace(means, hands=OnlyReads(means.hands, reads))


class _Rehearsal:
    def __init__(self, means: Means, opened: Opened) -> None:
        self._means = means
        self._run_id = opened.run_id
        self._loop = Loop(State.of(opened))

    async def through(self) -> Rehearsed:
        """Step by step, until it goes no further."""
        while True:
            self._loop.at(self._means.now())
            rehearsed = await self._step()
            if rehearsed is not None:
                return rehearsed

    async def _step(self) -> Rehearsed | None:
        match self._loop.next():
            case AskModel(turn, None, last):
                return await self._ask(turn, last)
            case AskModel(_, nudge):
                await self._note(nudge or "")
            case Act(verdicts):
                return await self._act(verdicts)
            case TakeLeave(turn, words):
                return await self._ask(turn, words, parks=True)
            case Stay(reason):
                return Rehearsed(ending=Ending.PARKS, reason=reason)
            case End(outcome, reason):
                return Rehearsed(ending=Ending.ENDED, reason=reason, outcome=outcome)
        return None

    async def _ask(self, turn: int, last: str, *, parks: bool = False) -> Rehearsed | None:
        budget = self._loop.state.budget
        ask = Ask(run_id=self._run_id, turn=turn, budget=budget, last=last, parks=parks)
        try:
            self._loop.receive(await self._asked(ask))
        except (Unavailable, Rejected) as error:
            return Rehearsed(ending=Ending.BROKEN, reason=str(error))
        except PersonError as error:
            return Rehearsed(ending=Ending.PARKS, reason=str(error))
        return None

    async def _asked(self, ask: Ask) -> Reply:
        for attempt in count(1):
            try:
                return await turning.ask(self._means, ask, attempt)
            except Unavailable as error:
                if attempt == TRIES:
                    raise
                pause = 2.0**attempt if error.retry_after is None else error.retry_after
                await self._means.pause(min(pause, LONGEST_PAUSE))
        raise AssertionError

    async def _note(self, words: str) -> None:
        state = self._loop.state
        note = Note(run_id=self._run_id, turn=state.turn + 1, ordinal=state.notes, text=words)
        if (await registering.note(self._means, note)).said:
            self._loop.noted(nudge=True)

    async def _act(self, verdicts: Sequence[Verdict]) -> Rehearsed | None:
        try:
            made = await self._made(verdicts)
        except Held as error:
            return Rehearsed(ending=Ending.PARKS, reason=str(error))
        rested = [await self._rested(*one) for one in zip(verdicts, made, strict=True)]
        wanted = [one for one in rested if isinstance(one, str)]
        if wanted:
            return Rehearsed(ending=Ending.WAITS, reason="; ".join(wanted))
        self._loop.answered(tuple(one for one in rested if isinstance(one, CallOutcome)))
        return None

    async def _made(self, verdicts: Sequence[Verdict]) -> list[CallOutcome]:
        """Their outcomes, when all have come to an end. Raises Held."""
        work = (self._carried(one) for one in verdicts)
        made = await asyncio.gather(*work, return_exceptions=True)
        failed = next((one for one in made if isinstance(one, BaseException)), None)
        if failed is not None:
            raise failed
        return [one for one in made if isinstance(one, CallOutcome)]

    async def _carried(self, verdict: Verdict) -> CallOutcome:
        call_id = verdict.call.call_id
        match verdict:
            case Send(_, card):
                if card.callback:
                    await registering.expect(self._means, self._wait(call_id))
                return await self._called(CallRequest(run_id=self._run_id, call_id=call_id))
            case Propose():
                request = CallRequest(run_id=self._run_id, call_id=call_id)
                return await once.propose(self._means, request)
            case Refuse(_, text, denied=denied):
                state = CallState.DENIED if denied else CallState.REFUSED
                return await self._answered(call_id, state, text)
            case Finish():
                return await self._answered(call_id, CallState.DONE, "The conversation ends here.")
            case WaitFor() | AskPerson():
                return CallOutcome(call_id=call_id, state=CallState.INTENDED)

    async def _called(self, request: CallRequest) -> CallOutcome:
        for attempt in range(1, TRIES + 1):
            try:
                return await once.call(self._means, request, attempt)
            except TryAgain:
                continue
        lost = Settle(run_id=request.run_id, call_id=request.call_id)
        return await once.settle_lost(self._means, lost)

    async def _answered(self, call_id: str, state: CallState, text: str) -> CallOutcome:
        result = once.answer_words(state, text)
        now = self._means.now()
        await self._means.ledger.write(calls.finish, self._run_id, call_id, result, now)
        return CallOutcome(call_id=call_id, state=state)

    async def _rested(self, verdict: Verdict, outcome: CallOutcome) -> CallOutcome | str:
        """The outcome of a call, or what it would wait for."""
        call_id = verdict.call.call_id
        if isinstance(verdict, AskPerson):
            asking_ = Asking(run_id=self._run_id, call_id=call_id, seconds=self._loop.left)
            asked = await approving.ask(self._means, asking_)
            if asked.standing is Standing.OPEN:
                return f"would ask a person: {await self._question(verdict)}"
            return CallOutcome(call_id=call_id, state=CallState.REFUSED)
        if not waits_for(verdict):
            return outcome
        waiting_ = await registering.open_wait(self._means, self._wait(call_id))
        if waiting_.ended is None:
            would = "sleep until" if verdict.call.alias == SLEEP else "wait for"
            return f"would {would} {waiting_.wants}"
        alone = isinstance(verdict, WaitFor)
        return CallOutcome(call_id=call_id, state=waiting_.ended) if alone else outcome

    def _wait(self, call_id: str) -> WaitRequest:
        return WaitRequest(run_id=self._run_id, call_id=call_id, seconds=self._loop.left)

    async def _question(self, verdict: AskPerson) -> str:
        if verdict.card is not None:
            return f"consent to {verdict.card.server}.{verdict.card.name}"
        call = await self._means.ledger.read(calls.one, self._run_id, verdict.call.call_id)
        return str(call.arguments.get("question", ""))
