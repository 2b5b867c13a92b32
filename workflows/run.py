"""The one workflow: a mailbox in front of the agent loop. It decides nothing itself; `loop` and `policy` do.

A run is addressed by its workflow id (rule + key). Deliveries come by signal-with-start into the mailbox; each
is claimed in the ledger with a token of its own before it is acted on, so a repeat is dropped. A conversation
begins with an event, and ends when the loop says so; the workflow closes only in the activation that saw the
mailbox empty.
"""

import asyncio
from contextlib import suppress
from dataclasses import replace

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from workflows import calls
    from workflows.activities import Outside
    from workflows.carried import RunInput, RunResult
    from workflows.handles import Handles
    from workflows.hops import GATHERING, RUN_STATE, hop, later, woken
    from workflows.loop import (
        Act,
        AskModel,
        End,
        Loop,
        State,
        Stay,
        Step,
        TakeLeave,
        awaits,
        given_up,
    )
    from workflows.messages import (
        Ask,
        Claim,
        Entry,
        Kind,
        OpenRequest,
        Outcome,
        Record,
        RunRef,
        RunState,
    )
    from workflows.parking import BY_A_PERSON, OUTDONE
    from workflows.prologue import Prologue
    from workflows.upgrades import NewerProgram, run_of

IN_TEMPORAL = "cancelled in Temporal"


@workflow.defn(name="Run")
class Run(Handles):
    """Drive the loop; keep the mailbox; never lose an entry."""

    @workflow.init
    def __init__(self, given: RunInput) -> None:
        self.prologue: Prologue | None = None
        self.unread = ""
        self.losing_since: float | None = None
        if given.asleep is not None:
            self.prologue = Prologue(given.asleep)
            return
        try:
            super().__init__(given)
        except NewerProgram as error:
            self.unread = str(error)
            self.prologue = Prologue(later(self.unread, workflow.time()))

    @workflow.signal(
        description="A decision of the dispatcher: an event, a wake-up, a person's word"
    )
    def deliver(self, entry: Entry) -> None:
        """Keep it, with a token of its own; nothing is done here, so that nothing can be half done."""
        (self.prologue or self.intake).put(entry)

    @workflow.run
    async def run(self, given: RunInput) -> RunResult:
        """Until the mailbox is empty and no conversation is open."""
        if self.prologue is not None:
            await self._sleeps(given, self.prologue)
        try:
            return await self._work()
        except (asyncio.CancelledError, ActivityError) as error:
            # Cancelled in Temporal itself: the ledger must not go on saying that it runs.
            if is_cancelled_exception(error) and self.run_id:
                await asyncio.shield(self._cancelled_outside())
            raise

    async def _sleeps(self, given: RunInput, prologue: Prologue) -> None:
        """Continue as new into the code of the day on which something came, with all that came."""
        if self.unread:
            await self._left(given, prologue)
        try:
            await prologue.sleep()
        except asyncio.CancelledError:
            # No part that follows would know of it: it ends here.
            await asyncio.shield(self._cancelled_asleep(woken(given, prologue.mail)))
            raise
        hop(woken(given, prologue.mail))

    async def _left(self, given: RunInput, prologue: Prologue) -> None:
        """What a newer program wrote is left for it as it is, and people are told."""
        if run_id := run_of(given.carried):
            record = Record(run_id=run_id, state=RunState.PARKED, reason=self.unread)
            await calls.local(Outside.record, record, "parked: not readable")
            workflow.upsert_search_attributes([RUN_STATE.value_set(str(RunState.PARKED))])
        mail = (*given.mail, *prologue.mail)
        left = replace(given, asleep=prologue.asleep, mail=mail, retell=True)
        hop(left)

    async def _cancelled_asleep(self, given: RunInput) -> None:
        with suppress(NewerProgram):
            super().__init__(given)
            if self.run_id:
                await self._cancelled_outside()

    async def _work(self) -> RunResult:
        while self.loop is not None or self.mailbox:
            if self.loop is None:
                await self._next()
            if self.loop is not None:
                await self._converse(self.loop)
        # No await between the look at the mailbox and this return: a signal in between would be lost.
        return RunResult(
            conversations=len(self.ended), outcome=self.ended[-1] if self.ended else None
        )

    async def _next(self) -> None:
        gathering, other = self.intake.is_gathering(), self.mailbox.other()
        entry = other if gathering and other is not None else self.mailbox.first()
        if entry.kind is not Kind.EVENT:
            self.mailbox.remove(entry)
            await self._without(entry)
        elif gathering:
            self._sleep(GATHERING, self.mailbox.ripe_at(), "coalescing")
            self._continue_as_new_if_long()
            await self.intake.gather(lambda: self.mailbox.other() is not None or self._is_long())
        elif (taken := await self.intake.take(entry)) is not None:
            await self._open(taken)

    async def _without(self, entry: Entry) -> None:
        """Heed what is no event while no conversation is open."""
        match entry.kind:
            case Kind.APPLY | Kind.ANSWER:
                await self._obey(entry)
            case Kind.WOKEN:
                if await self._too_late(entry):
                    await calls.local(Outside.gone, RunRef(run_id=entry.run_id or ""), "gone")
            case Kind.RESUME | Kind.CANCEL | Kind.EVENT:
                await self._claim(entry, Claim.LATE)

    async def _open(self, entry: Entry) -> None:
        ref = await self._entered(entry)
        if ref is None:
            return
        self.run_id, self.opener = ref.run_id, entry
        if self.parked:
            # It stood parked before its tools were chosen.
            reason, self.parked = self.parked, ""
            await self._parked(reason)
        while self.run_id and self.loop is None and not await self._called_off():
            await self._choose(ref)
        if self.loop is not None:
            await self._tell_folded(self.loop)

    async def _entered(self, entry: Entry) -> RunRef | None:
        """The conversation that it opens, once its rule lets one more begin; None if it was called off meanwhile."""
        request = OpenRequest(workflow_id=workflow.info().workflow_id, entry=entry)
        pause = calls.ASK_AGAIN
        while (ref := await calls.local(Outside.begin, request, "begin")).held:
            self.opener, self.entering = entry, True
            self._tell_held(ref)
            self._continue_as_new_if_long()
            await calls.any_of(self._is_addressed, pause, "waits until it may begin")
            if await self._called_off_held():
                self.entering = False
                return None
            pause = min(pause * 2, calls.ASK_AGAIN_AT_LAST)
        self.entering = False
        if _is_shown_waiting():
            workflow.upsert_search_attributes([RUN_STATE.value_set(str(RunState.RUNNING))])
        return ref

    def _tell_held(self, ref: RunRef) -> None:
        # Histories of before name no run here: then there is nothing yet that could be called off.
        self.run_id = ref.run_id
        if self.run_id and not _is_shown_waiting():
            workflow.upsert_search_attributes([RUN_STATE.value_set(str(RunState.WAITING))])
        self._show(RunState.WAITING, ref.held)

    async def _called_off_held(self) -> bool:
        """Heed words while it may not begin; whether one of them, or a newer event, has ended it before."""
        while (other := self.mailbox.other()) is not None:
            if self.run_id and self.mailbox.wants_cancel(self.run_id):
                if await self._called_off():
                    return True
                continue
            self.mailbox.remove(other)
            await self._without(other)
        if not self.run_id:
            return False
        if await self._called_off():
            return True
        await self.intake.turn_away()
        return False

    def _is_addressed(self) -> bool:
        stirs = bool(self.run_id) and self.intake.stirs()
        return self.mailbox.other() is not None or stirs or self._is_long()

    async def _choose(self, ref: RunRef) -> None:
        choosing = calls.begun(Outside.prepare, ref, "choose tools", calls.OPENING)
        if not await self._done(ref.run_id, choosing):
            return
        try:
            opened = await choosing
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            if not await self._outlasts(error):
                await self._parked(calls.reason(error))
        else:
            self.story.opened(opened)
            self.loop = Loop(State.of(opened))

    async def _outlasts(self, error: ActivityError) -> bool:
        """Whether the opening begins again, after a pause: its workers were lost, and not for too long."""
        # Asked in this order: histories of before have no marker, and those without a loss need none.
        if not calls.is_lost(error) or not workflow.patched("openings outlast workers"):
            return False
        now = workflow.time()
        since, self.losing_since = self.losing_since or now, None
        if now - since >= calls.LOSING:
            return False
        self.losing_since = since
        self._show(RunState.RUNNING, "its worker was lost; the opening begins again")
        await calls.any_of(
            lambda: self.mailbox.wants_cancel(self.run_id) or self._is_outdone(),
            calls.PAUSE,
            "its worker was lost",
        )
        return True

    async def _called_off(self) -> bool:
        """End the conversation that is being opened if it is called off; every other entry stays for what follows."""
        if await self.intake.outdone():
            await self._end(self.run_id, Outcome.SUPERSEDED, OUTDONE)
            return True
        if not self.mailbox.wants_cancel(self.run_id):
            return False
        mine = await self._claim(self.mailbox.take_cancel(self.run_id), Claim.CONSUMED)
        if mine:
            await self._end(self.run_id, Outcome.CANCELLED, BY_A_PERSON)
        return mine

    async def _converse(self, loop: Loop) -> None:
        amid, self.amid = self.amid, False
        if self.parked:
            reason, self.parked = self.parked, ""
            await self._park(loop, reason)
        while self.loop is not None:
            if not amid and await self.intake.outdone():
                await self._close(Outcome.SUPERSEDED, OUTDONE)
                return
            await self.intake.turn_away()
            loop.at(workflow.time())
            step, entry = loop.next(), None if amid else self.intake.heard()
            amid = False
            # A conversation that can't go on leaves what came in to the next one, and a wake-up to its wait.
            if entry is not None and not given_up(step) and not self._is_left(step, entry.kind):
                await self._heed(loop, entry)
                continue
            self._continue_as_new_if_long()
            await self._step(loop, step)

    def _is_left(self, step: Step, kind: Kind) -> bool:
        """Whether the entry stays in the mailbox for what is about to begin: a wait, a stop, or calls to be made."""
        if kind is Kind.RESUME:
            # The ledger can know that it stands still before Temporal does: then the word is about this very stop.
            return isinstance(step, Stay) and workflow.patched("a word that came before its stop")
        if kind is not Kind.EVENT and awaits(step, kind):
            return True
        if kind not in {Kind.EVENT, Kind.WOKEN} or not isinstance(step, Act):
            return False
        if awaits(step, Kind.WOKEN):
            # Noted now it would be told with the end of the wait, which may be days off.
            return workflow.patched("what came first interrupts a wait")
        # Noted now it would be told in a turn that may never come: these calls can end the conversation.
        return workflow.patched("what came first is heard after the calls")

    async def _step(self, loop: Loop, step: Step) -> None:
        match step:
            case AskModel(turn, None, last):
                await self._ask(loop, turn, last)
            case AskModel(_, nudge):
                await self._note(loop, text=nudge or "", nudge=True)
            case TakeLeave() as leave:
                await self._leave(loop, leave)
            case Act():
                await self._act(loop, step)
            case Stay(reason):
                await self._park(loop, reason)
            case End(outcome, reason):
                await self._end(loop.state.run_id, outcome, reason)

    async def _heed(self, loop: Loop, entry: Entry) -> None:
        if entry.kind is Kind.EVENT:
            if (taken := await self.intake.take(entry)) is not None:
                await self._note(loop, event_id=taken.event_id)
                await self._tell_folded(loop)
            return
        self.mailbox.remove(entry)
        ours = entry.run_id in {None, self.run_id}
        match entry.kind:
            case Kind.APPLY | Kind.ANSWER:
                await self._obey(entry)
            case Kind.WOKEN if ours:
                if await self._claim(entry, Claim.CONSUMED):
                    await self._note(loop, event_id=entry.event_id, wait_id=entry.wait_id)
            case Kind.CANCEL if ours:
                if await self._claim(entry, Claim.CONSUMED):
                    await self._close(Outcome.CANCELLED, BY_A_PERSON)
            case _:
                await self._too_late(entry)

    async def _leave(self, loop: Loop, leave: TakeLeave) -> None:
        if workflow.patched("a summary after the last turn"):
            await self._ask(loop, leave.turn, leave.words, parks=True)
        else:
            await self._step(loop, leave.instead)

    async def _ask(self, loop: Loop, turn: int, last: str, *, parks: bool = False) -> None:
        self._show(RunState.RUNNING, f"thinking, turn {turn}")
        began, budget = workflow.time(), loop.state.budget
        ask = Ask(run_id=self.run_id, turn=turn, budget=budget, last=last, parks=parks)
        asking = calls.begun(Outside.ask_model, ask, f"turn {turn}", calls.MODEL)
        await self._done(self.run_id, asking)
        try:
            reply = await asking
        except ActivityError as error:
            if self.mailbox.wants_cancel(self.run_id) or self._is_outdone():
                return
            if is_cancelled_exception(error):
                raise
            # Asked in this order: only histories with an outage know the difference.
            if workflow.patched("outages are no work"):
                loop.worked(began, workflow.time(), 0.0)
            await self._park(loop, calls.reason(error))
            return
        loop.worked(began, workflow.time(), reply.seconds)
        loop.receive(reply)
        self.story.replied(reply)

    async def _act(self, loop: Loop, act: Act) -> None:
        self._show(RunState.RUNNING, "using tools")
        first = loop.state.tool_calls + 1
        requests = await self._ask_people(loop, act.verdicts, first)
        made = await self._made(loop, act.verdicts, first)
        consented = None if made is None else await self._consented(loop, requests)
        if self.loop is None:
            return
        followed = None
        if made is not None and consented is not None:
            followed = await self._followed(loop, [*made, *consented])
        if followed is not None:
            outcomes = followed
            outcomes += await self._rest(loop, act, outcomes)
        else:
            why = loop.state.failure or self._why_stopped(self.run_id)
            outcomes = await calls.give_up(self.run_id, loop.state.calls, why)
        self.made = ()
        loop.answered(tuple(outcomes))
        self.story.acted(act.verdicts, outcomes)

    async def _tell_folded(self, loop: Loop) -> None:
        if self.intake.folded:
            await self._note(loop, folded=self.intake.folded)
            self.intake.folded = ()

    async def _cancelled_outside(self) -> None:
        """Cancelled in Temporal itself: no call stays without an answer, and the ledger says that it is over."""
        await self._close(Outcome.CANCELLED, IN_TEMPORAL)


def _is_shown_waiting() -> bool:
    shown = workflow.info().typed_search_attributes.get(RUN_STATE)
    return shown == RunState.WAITING
