"""The activities as Temporal runs them: each a few lines round a function that knows no Temporal.

Failures become what the workflow understands: `PersonError` parks the run, everything else is tried again.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from temporalio import activity
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError
from typing_extensions import override

from orchestrator.agent import counting
from orchestrator.agent.asking import turning
from orchestrator.agent.beating import Telling, beating
from orchestrator.agent.calling import once
from orchestrator.agent.calling.once import TryAgain
from orchestrator.agent.calling.revoked import Held
from orchestrator.agent.conversation import opening
from orchestrator.agent.hands.definitions import HandsUnreachable
from orchestrator.agent.means import Means, for_a_person
from orchestrator.agent.reply import Unavailable
from orchestrator.agent.waiting import approving, handles, registering
from orchestrator.errors import OperatorError, PersonError
from orchestrator.ledger import calls, claims, conversations
from workflows.activities import Outside
from workflows.approvals import Asked, Asking, Expired, Expiring, Heeded, Word
from workflows.calls import MODEL
from workflows.looks import Look, Looked
from workflows.messages import (
    Answer,
    Ask,
    CallOutcome,
    CallRequest,
    Claimed,
    ClaimRequest,
    Done,
    EndWait,
    Limits,
    Note,
    Noted,
    Opened,
    OpenRequest,
    Proposals,
    Record,
    Reply,
    RunRef,
    Settle,
    ToolCall,
    WaitEnded,
    Waiting,
    WaitRequest,
)

LONGEST_PAUSE = 600.0
ATTEMPTS_TO_REACH = 3
UNREACHED = "attempts in a row that could not reach its servers"

MODEL_AWAY = "model unavailable"
"""The error type of a turn that Temporal asks for again."""


class Activities(Outside):
    """What a run asks for, done with the worker's means."""

    def __init__(self, means: Means) -> None:
        self._means = means

    @override
    @activity.defn
    async def claim(self, request: ClaimRequest) -> Claimed:
        entry = request.entry
        mine = await self._means.ledger.write(
            claims.claim,
            entry.decision_id,
            entry.token,
            request.how,
            request.workflow_id,
            self._means.now(),
        )
        return Claimed(mine=mine)

    @override
    @activity.defn
    async def begin(self, request: OpenRequest) -> RunRef:
        return await opening.begin(self._means, request)

    @override
    @activity.defn
    async def prepare(self, ref: RunRef) -> Opened:
        async with beating():
            try:
                await self._abreast(ref)
                return await opening.prepare(self._means, ref.run_id)
            except HandsUnreachable as error:
                times = _unreached() + 1
                if times < ATTEMPTS_TO_REACH:
                    # Told to the next attempt: those that were lost with their worker reached out to nobody.
                    activity.heartbeat(UNREACHED, times)
                    raise ApplicationError(str(error), type="hands unreachable") from error
                raise for_a_person(error) from error
            except OperatorError as error:
                raise for_a_person(PersonError(str(error))) from error
            except PersonError as error:
                raise for_a_person(error) from error

    async def _abreast(self, ref: RunRef) -> None:
        # Whoever decided may have read files that came a moment ago, and named a playbook we have not seen.
        conversation = await self._means.ledger.read(conversations.find, ref.run_id)
        if conversation is not None and conversation.frozen is None:
            await self._means.abreast(conversation.configuration)

    @override
    @activity.defn
    async def ask_model(self, ask: Ask) -> Reply:
        began = self._means.now()
        async with beating():
            try:
                reply = await turning.ask(self._means, ask, activity.info().attempt)
            except PersonError as error:
                raise for_a_person(error) from error
            except Unavailable as error:
                raise _later(error, activity.info().attempt) from error
        return replace(reply, seconds=_since(began, self._means))

    @override
    @activity.defn
    async def propose(self, request: CallRequest) -> CallOutcome:
        return await once.propose(self._means, request)

    @override
    @activity.defn
    async def settle_lost(self, request: Settle) -> CallOutcome:
        # Nobody worked on it while its worker was lost.
        return replace(await once.settle_lost(self._means, request), seconds=0.0)

    @override
    @activity.defn
    async def answer(self, answer: Answer) -> CallOutcome:
        result = once.answer_words(answer.state, answer.text)
        first = await self._means.ledger.write(
            calls.finish, answer.run_id, answer.call_id, result, self._means.now()
        )
        if first and answer.why:
            counting.refused(self._means, answer.why)
        return CallOutcome(call_id=answer.call_id, state=answer.state)

    @override
    @activity.defn
    async def gone(self, ref: RunRef) -> Done:
        return await registering.gone(self._means, ref.run_id)

    @override
    @activity.defn
    async def note(self, note: Note) -> Noted:
        return await registering.note(self._means, note)

    @override
    @activity.defn
    async def expect(self, request: WaitRequest) -> Done:
        return await registering.expect(self._means, request)

    @override
    @activity.defn
    async def open_wait(self, request: WaitRequest) -> Waiting:
        return await registering.open_wait(self._means, request)

    @override
    @activity.defn
    async def end_wait(self, request: EndWait) -> WaitEnded:
        return await registering.end_wait(self._means, request)

    @override
    @activity.defn
    async def hear_late(self, request: EndWait) -> WaitEnded:
        return await registering.hear_late(self._means, request)

    @override
    @activity.defn
    async def ask_person(self, asking: Asking) -> Asked:
        return await approving.ask(self._means, asking)

    @override
    @activity.defn
    async def heed(self, word: Word) -> Heeded:
        return await approving.heed(self._means, word)

    @override
    @activity.defn
    async def expire(self, request: Expiring) -> Expired:
        return await approving.expire(self._means, request)

    @override
    @activity.defn
    async def limits(self, ref: RunRef) -> Limits:
        opened = await opening.opened(self._means, ref.run_id)
        return Limits(budget=opened.budget)

    @override
    @activity.defn
    async def proposals(self, ref: RunRef) -> Proposals:
        # A local activity answers in values: what it raises is tried again until it is mended.
        if not await opening.is_open(self._means, ref.run_id):
            return Proposals(calls=(), tools=())
        made = await self._means.ledger.write(calls.apply, ref.run_id, self._means.now())
        opened = await opening.opened(self._means, ref.run_id)
        named = (ToolCall(call_id=call.call_id, alias=call.alias) for call in made)
        asking = [await approving.flagged(self._means, ref.run_id, call) for call in named]
        tried = {call.call_id: call.attempt for call in made if call.attempt}
        return Proposals(calls=tuple(asking), tools=opened.tools, tried=tried)

    @override
    @activity.defn
    async def record(self, record: Record) -> Done:
        changed = await self._means.ledger.write(
            conversations.record,
            record.run_id,
            record.state,
            record.reason,
            record.outcome,
            self._means.now(),
        )
        if changed:
            await counting.recorded(self._means, record)
        return Done()

    @override
    @activity.defn
    async def look(self, request: Look) -> Looked:
        async with beating():
            return await handles.look(self._means, request)

    @override
    @activity.defn
    async def call_off(self, request: Look) -> Done:
        async with beating():
            try:
                return await handles.call_off(self._means, request)
            except TryAgain as error:
                raise ApplicationError(str(error), type="no answer") from error


class ToolActivity:
    """Every tool call, under the tool's own name in the Temporal UI."""

    def __init__(self, means: Means) -> None:
        self._means = means

    @activity.defn(dynamic=True)
    async def call(self, given: Sequence[RawValue]) -> CallOutcome:
        """One tool call; the activity's type is `server.tool`."""
        if "." not in activity.info().activity_type:
            # Not a tool, but an activity of a newer version: what it asks for must not be taken for a call.
            said = f"this worker does not know {activity.info().activity_type!r}; start one of the run's own version"
            raise ApplicationError(said, type="unknown activity")
        request = activity.payload_converter().from_payload(given[0].payload, CallRequest)
        began = self._means.now()
        async with beating(request.call_id) as tell:
            means = replace(self._means, hands=Telling(self._means.hands, tell))
            try:
                outcome = await once.call(means, request, activity.info().attempt)
            except TryAgain as error:
                raise ApplicationError(str(error), type="no answer") from error
            except Held as error:
                raise for_a_person(error) from error
        return replace(outcome, seconds=_since(began, means))


def _since(began: float, means: Means) -> float:
    """Seconds of this attempt alone, not of those that found nobody."""
    return round(max(means.now() - began, 0.0), 3)


def _unreached() -> int:
    """How many attempts just before this one could not reach the hands."""
    match list(activity.info().heartbeat_details):
        case [str(words), int(times)] if words == UNREACHED:
            return times
        case _:
            return 0


def _later(error: Unavailable, attempt: int) -> ApplicationError:
    pause, text = None, str(error)
    if error.retry_after is not None:
        pause = timedelta(seconds=min(error.retry_after, LONGEST_PAUSE))
    if attempt >= MODEL.attempts:
        text += f", {attempt} times in a row; it goes on by itself when the model answers again"
    return ApplicationError(text, type=MODEL_AWAY, next_retry_delay=pause)
