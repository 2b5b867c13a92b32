"""The one workflow: a mailbox in front of the agent loop. It decides nothing itself; `loop` and `policy` do.

A run is addressed by its workflow id (rule + key). Deliveries come by signal-with-start into the mailbox; each
is claimed in the ledger with a token of its own before it is acted on, so a repeat is dropped. A conversation
begins with an event, and ends when the loop says so; the workflow closes only in the activation that saw the
mailbox empty.
"""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from workflows import calls, story
    from workflows.activities import Outside
    from workflows.loop import Act, AskModel, End, Loop, State, Stay, Step
    from workflows.mail import Mailbox
    from workflows.messages import (
        Ask,
        CallOutcome,
        CallState,
        Claim,
        ClaimRequest,
        EndWait,
        Entry,
        Kind,
        Note,
        OpenRequest,
        Outcome,
        Record,
        RunRef,
        RunState,
        Title,
        WaitEnd,
        Waiting,
        WaitRequest,
    )
    from workflows.policy import WaitFor

RUN_STATE = SearchAttributeKey.for_keyword("RunState")
OUTCOME = SearchAttributeKey.for_keyword("Outcome")
FIRST_GRACE = timedelta(seconds=5)
LONGEST_GRACE = timedelta(minutes=5)
BY_A_PERSON = "cancelled by a person"
IN_TEMPORAL = "cancelled in Temporal"
HISTORY_LIMIT = 2_000
"""Events after which a run continues as new, well before Temporal's own limits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """All state that survives continue-as-new."""

    mailbox: tuple[Entry, ...] = ()
    conversation: State | None = None
    story: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInput:
    """What a run starts with: its title for people, and what an earlier part of it carried over."""

    title: Title
    carried: Carried | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """How many conversations this run ended since its last continue-as-new, and how the last one ended."""

    conversations: int
    outcome: Outcome | None


@workflow.defn(name="Run")
class Run:
    """Drive the loop; keep the mailbox; never lose an entry."""

    @workflow.init
    def __init__(self, given: RunInput) -> None:
        carried = given.carried or Carried()
        self.title = given.title
        self.mailbox = Mailbox(carried.mailbox)
        self.loop: Loop | None = Loop(carried.conversation) if carried.conversation else None
        self.story = story.Story(carried.story)
        self.run_id = self.loop.state.run_id if self.loop else ""
        self.ended: list[Outcome] = []

    @workflow.signal(
        description="A decision of the dispatcher: an event, a wake-up, a person's word"
    )
    def deliver(self, entry: Entry) -> None:
        """Keep it, with a token of its own; nothing is done here, so that nothing can be half done."""
        self.mailbox.put(replace(entry, token=str(workflow.uuid4())))

    @workflow.run
    async def run(self, given: RunInput) -> RunResult:  # noqa: ARG002 - __init__ took it
        """Until the mailbox is empty and no conversation is open."""
        try:
            return await self._work()
        except (asyncio.CancelledError, ActivityError) as error:
            # Cancelled in Temporal itself: the ledger must not go on saying that it runs.
            if is_cancelled_exception(error) and self.run_id:
                await asyncio.shield(self._cancelled_outside())
            raise

    async def _work(self) -> RunResult:
        while self.loop is not None or self.mailbox:
            if self.loop is None:
                await self._begin(self.mailbox.take())
            if self.loop is not None:
                await self._converse(self.loop)
        # No await between the look at the mailbox and this return: a signal in between would be lost.
        return RunResult(
            conversations=len(self.ended), outcome=self.ended[-1] if self.ended else None
        )

    async def _begin(self, entry: Entry) -> None:
        match entry.kind:
            case Kind.EVENT:
                if await self._claim(entry, Claim.CONSUMED):
                    await self._open(entry)
            case Kind.APPLY:
                await self._apply(entry)
            case Kind.WOKEN:
                await self._claim(entry, Claim.LATE)
                await calls.local(Outside.gone, RunRef(run_id=entry.run_id or ""), "gone")
            case Kind.RESUME | Kind.CANCEL:
                await self._claim(entry, Claim.LATE)

    async def _open(self, entry: Entry) -> None:
        request = OpenRequest(workflow_id=workflow.info().workflow_id, entry=entry)
        ref = await calls.local(Outside.begin, request, "begin")
        self.run_id = ref.run_id
        while self.run_id and self.loop is None and not await self._called_off():
            await self._choose(ref)

    async def _choose(self, ref: RunRef) -> None:
        choosing = calls.begun(Outside.prepare, ref, "choose tools", calls.OPENING)
        if not await self._done(ref.run_id, choosing):
            return
        try:
            opened = await choosing
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            await self._parked(calls.reason(error))
        else:
            self.story.opened(opened)
            self.loop = Loop(State.of(opened))

    async def _called_off(self) -> bool:
        """End the conversation that is being opened if a person said so; every other entry stays for what follows."""
        if not self.mailbox.wants_cancel(self.run_id):
            return False
        mine = await self._claim(self.mailbox.take_cancel(self.run_id), Claim.CONSUMED)
        if mine:
            await self._end(self.run_id, Outcome.CANCELLED, BY_A_PERSON)
        return mine

    async def _done(self, run_id: str, *work: "asyncio.Future[Any]") -> bool:
        """Whether this work came to its own end; a person's cancel of the run ends it before."""
        try:
            await workflow.wait_condition(
                lambda: all(one.done() for one in work) or self.mailbox.wants_cancel(run_id)
            )
        except asyncio.CancelledError:
            await calls.stop(work)
            raise
        return not await calls.stop(work)

    async def _parked(self, reason: str) -> bool:
        """Park until a person's word about this very conversation; False when the word is cancel.

        Everything else stays in the mailbox, in its order.
        """
        await self._record(RunState.PARKED, reason)
        while True:
            await workflow.wait_condition(self.mailbox.has_word)
            entry = self.mailbox.take_word()
            if entry.run_id != self.run_id:
                await self._claim(entry, Claim.LATE)
            elif await self._claim(entry, Claim.CONSUMED):
                break
        if entry.kind is Kind.CANCEL:
            await self._end(self.run_id, Outcome.CANCELLED, BY_A_PERSON)
            return False
        await self._record(RunState.RUNNING, "resumed by a person")
        return True

    async def _converse(self, loop: Loop) -> None:
        while self.loop is not None:
            step = loop.next()
            # A conversation that can't go on leaves what came in to the next one, and a wake-up to its wait.
            if self.mailbox and not _given_up(step) and not _awaits(step, self.mailbox.first()):
                await self._heed(loop, self.mailbox.take())
                continue
            self._continue_as_new_if_long(loop)
            await self._step(loop, step)

    async def _step(self, loop: Loop, step: Step) -> None:
        match step:
            case AskModel(turn, None):
                await self._ask(loop, turn)
            case AskModel(_, nudge):
                await self._note(loop, text=nudge or "", nudge=True)
            case Act():
                await self._act(loop, step)
            case Stay(reason):
                await self._park(loop, reason)
            case End(outcome, reason):
                await self._end(loop.state.run_id, outcome, reason)

    async def _heed(self, loop: Loop, entry: Entry) -> None:
        ours = entry.run_id in {None, self.run_id}
        match entry.kind:
            case Kind.APPLY:
                await self._apply(entry)
            case Kind.EVENT | Kind.WOKEN if ours:
                if await self._claim(entry, Claim.CONSUMED):
                    await self._note(loop, event_id=entry.event_id)
            case Kind.CANCEL if ours:
                if await self._claim(entry, Claim.CONSUMED):
                    reason = _cancelled(BY_A_PERSON, loop.state)
                    await self._end(self.run_id, Outcome.CANCELLED, reason)
            case _:
                await self._claim(entry, Claim.LATE)

    async def _ask(self, loop: Loop, turn: int) -> None:
        self._show(RunState.RUNNING, f"thinking, turn {turn}")
        ask = Ask(run_id=self.run_id, turn=turn, budget=loop.state.budget)
        asking = calls.begun(Outside.ask_model, ask, f"turn {turn}", calls.MODEL)
        await self._done(self.run_id, asking)
        try:
            reply = await asking
        except ActivityError as error:
            if self.mailbox.wants_cancel(self.run_id):
                return
            if is_cancelled_exception(error):
                raise
            await self._park(loop, calls.reason(error))
            return
        loop.receive(reply)
        self.story.replied(reply)

    async def _act(self, loop: Loop, act: Act) -> None:
        self._show(RunState.RUNNING, "using tools")
        work = calls.carry_out(self.run_id, act.verdicts, loop.state.tool_calls + 1)
        if await self._done(self.run_id, *work):
            outcomes = [one.result() for one in work]
            waits = [verdict for verdict in act.verdicts if isinstance(verdict, WaitFor)]
            outcomes += [await self._wait(verdict) for verdict in waits]
        else:
            outcomes = await calls.give_up(self.run_id, loop.state.calls, BY_A_PERSON)
        loop.answered(tuple(outcomes))
        self.story.acted(act.verdicts, outcomes)

    async def _wait(self, verdict: WaitFor) -> CallOutcome:
        call_id = verdict.call.call_id
        request = WaitRequest(run_id=self.run_id, call_id=call_id)
        waiting = await calls.local(Outside.open_wait, request, "wait: register")
        await self._record(RunState.WAITING, waiting.wants)
        deadline, grace = workflow.now() + timedelta(seconds=waiting.seconds), FIRST_GRACE
        while True:
            end = await self._woken(waiting, deadline)
            if end is None:
                continue
            ended = await calls.local(Outside.end_wait, end, f"wait: {end.end}")
            if ended.first or end.end is not WaitEnd.EXPIRED:
                await self._record(RunState.RUNNING, f"the wait was {end.end}")
                return CallOutcome(call_id=call_id, state=CallState.DONE)
            # The time is up, but an event that came in time is on its way from the inbox.
            deadline, grace = workflow.now() + grace, min(grace * 2, LONGEST_GRACE)

    async def _woken(self, waiting: Waiting, deadline: datetime) -> EndWait | None:
        """How the wait ended, or None when what came does not end it."""
        left = max((deadline - workflow.now()).total_seconds(), 0.0)
        end = EndWait(run_id=self.run_id, wait_id=waiting.wait_id, end=WaitEnd.EXPIRED)
        if not await calls.any_of(lambda: bool(self.mailbox), left, f"until: {waiting.wants}"):
            return end
        entry = self.mailbox.first()
        if entry.wait_id == waiting.wait_id:
            self.mailbox.take()
            mine = await self._claim(entry, Claim.CONSUMED)
            return replace(end, end=WaitEnd.RESOLVED, event_id=entry.event_id) if mine else None
        if _interrupts(entry, self.run_id):
            # Claimed here, so that a repeat interrupts nothing; `_heed` takes it with the same token.
            if await self._claim(entry, Claim.CONSUMED):
                return replace(end, end=WaitEnd.INTERRUPTED)
            self.mailbox.take()
        elif self.mailbox.take().kind is Kind.APPLY:
            await self._apply(entry)
        else:
            await self._claim(entry, Claim.LATE)
        return None

    async def _park(self, loop: Loop, reason: str) -> None:
        if await self._parked(reason):
            ref = RunRef(run_id=self.run_id)
            loop.resumed((await calls.local(Outside.limits, ref, "limits in force")).budget)

    async def _apply(self, entry: Entry) -> None:
        if await self._claim(entry, Claim.CONSUMED):
            run_id = entry.run_id or ""
            proposals = await calls.local(Outside.proposals, RunRef(run_id=run_id), "proposals")
            applying = asyncio.create_task(calls.apply(run_id, proposals))
            if await self._done(run_id, applying):
                await applying
            else:
                await calls.give_up(run_id, proposals.calls, BY_A_PERSON)

    async def _note(
        self, loop: Loop, *, text: str = "", event_id: str | None = None, nudge: bool = False
    ) -> None:
        state = loop.state
        note = Note(
            run_id=state.run_id,
            turn=state.turn + 1,
            ordinal=state.notes,
            text=text,
            event_id=event_id,
        )
        if (await calls.local(Outside.note, note, "note")).said:
            loop.noted(nudge=nudge)

    async def _end(self, run_id: str, outcome: Outcome, reason: str) -> None:
        record = Record(run_id=run_id, state=RunState.ENDED, reason=reason, outcome=outcome)
        await calls.local(Outside.record, record, f"ended: {outcome}")
        workflow.upsert_search_attributes(
            [OUTCOME.value_set(str(outcome)), RUN_STATE.value_set(str(RunState.ENDED))]
        )
        self._show(RunState.ENDED, f"{outcome} {reason}".strip())
        self.ended.append(outcome)
        self.loop, self.run_id = None, ""

    async def _cancelled_outside(self) -> None:
        """Cancelled in Temporal itself: no call stays without an answer, and the ledger says that it is over."""
        reason = IN_TEMPORAL
        if self.loop is not None:
            unanswered = self.loop.state.calls
            self.loop.answered(tuple(await calls.give_up(self.run_id, unanswered, reason)))
            reason = _cancelled(reason, self.loop.state)
        await self._end(self.run_id, Outcome.CANCELLED, reason)

    async def _record(self, state: RunState, reason: str) -> None:
        record = Record(run_id=self.run_id, state=state, reason=reason)
        await calls.local(Outside.record, record, f"{state}")
        workflow.upsert_search_attributes([RUN_STATE.value_set(str(state))])
        self._show(state, reason)

    async def _claim(self, entry: Entry, how: Claim) -> bool:
        request = ClaimRequest(workflow_id=workflow.info().workflow_id, entry=entry, how=how)
        return (await calls.local(Outside.claim, request, f"claim: {entry.kind}")).mine

    def _show(self, state: RunState, reason: str) -> None:
        workflow.set_current_details(
            self.story.told(state, reason, self.loop.state if self.loop else None)
        )

    def _continue_as_new_if_long(self, loop: Loop) -> None:
        info = workflow.info()
        if info.is_continue_as_new_suggested() or info.get_current_history_length() > HISTORY_LIMIT:
            carried = Carried(
                mailbox=self.mailbox.carried(),
                conversation=loop.state,
                story=self.story.carried(),
            )
            workflow.continue_as_new(RunInput(title=self.title, carried=carried))


def _cancelled(reason: str, state: State) -> str:
    unknown = state.tally.unknown
    return f"{reason}; writes of which nobody knows: {unknown}" if unknown else reason


def _given_up(step: Step) -> bool:
    return isinstance(step, End) and bool(step.reason)


def _awaits(step: Step, entry: Entry) -> bool:
    """Whether a wait is about to begin that the entry may be for.

    The ledger can know a wait before Temporal does: when a worker dies in between, its event comes before it.
    """
    begins = isinstance(step, Act) and any(isinstance(one, WaitFor) for one in step.verdicts)
    return begins and entry.kind is Kind.WOKEN


def _interrupts(entry: Entry, run_id: str) -> bool:
    """What ends a wait before its time: an event of the run's own key, an older wait's event, a person's no."""
    return entry.kind is Kind.EVENT or (
        entry.kind in {Kind.WOKEN, Kind.CANCEL} and entry.run_id == run_id
    )
