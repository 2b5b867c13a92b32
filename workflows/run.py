"""The one workflow: a mailbox in front of the agent loop. It decides nothing itself; `loop` and `policy` do.

A run is addressed by its workflow id (rule + key). Deliveries come by signal-with-start into the mailbox; each
is claimed in the ledger with a token of its own before it is acted on, so a repeat is dropped. A conversation
begins with an event, and ends when the loop says so; the workflow closes only in the activation that saw the
mailbox empty.
"""

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from workflows import calls
    from workflows.activities import Outside
    from workflows.carried import RunInput, RunResult
    from workflows.consent import Consent
    from workflows.loop import Act, AskModel, End, Loop, State, Stay, Step, awaits, given_up
    from workflows.messages import (
        Ask,
        Claim,
        Entry,
        Kind,
        OpenRequest,
        Outcome,
        RunRef,
        RunState,
    )
    from workflows.parking import BY_A_PERSON, OUTDONE

IN_TEMPORAL = "cancelled in Temporal"


@workflow.defn(name="Run")
class Run(Consent):
    """Drive the loop; keep the mailbox; never lose an entry."""

    @workflow.init
    def __init__(self, given: RunInput) -> None:
        super().__init__(given)

    @workflow.signal(
        description="A decision of the dispatcher: an event, a wake-up, a person's word"
    )
    def deliver(self, entry: Entry) -> None:
        """Keep it, with a token of its own; nothing is done here, so that nothing can be half done."""
        self.intake.put(entry)

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
                await self._claim(entry, Claim.LATE)
                await calls.local(Outside.gone, RunRef(run_id=entry.run_id or ""), "gone")
            case Kind.RESUME | Kind.CANCEL | Kind.EVENT:
                await self._claim(entry, Claim.LATE)

    async def _open(self, entry: Entry) -> None:
        request = OpenRequest(workflow_id=workflow.info().workflow_id, entry=entry)
        ref = await calls.local(Outside.begin, request, "begin")
        self.run_id, self.opener = ref.run_id, entry
        while self.run_id and self.loop is None and not await self._called_off():
            await self._choose(ref)
        if self.loop is not None:
            await self._tell_folded(self.loop)

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
        if self.parked:
            reason, self.parked = self.parked, ""
            await self._park(loop, reason)
        while self.loop is not None:
            if await self.intake.outdone():
                await self._close(Outcome.SUPERSEDED, OUTDONE)
                return
            await self.intake.turn_away()
            loop.at(workflow.time())
            step, entry = loop.next(), self.intake.heard()
            # A conversation that can't go on leaves what came in to the next one, and a wake-up to its wait.
            if entry is not None and not given_up(step) and not awaits(step, entry.kind):
                await self._heed(loop, entry)
                continue
            self._continue_as_new_if_long()
            await self._step(loop, step)

    async def _step(self, loop: Loop, step: Step) -> None:
        match step:
            case AskModel(turn, None, last):
                await self._ask(loop, turn, last)
            case AskModel(_, nudge):
                await self._note(loop, text=nudge or "", nudge=True)
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
                await self._claim(entry, Claim.LATE)

    async def _ask(self, loop: Loop, turn: int, last: str) -> None:
        self._show(RunState.RUNNING, f"thinking, turn {turn}")
        ask = Ask(run_id=self.run_id, turn=turn, budget=loop.state.budget, last=last)
        asking = calls.begun(Outside.ask_model, ask, f"turn {turn}", calls.MODEL)
        await self._done(self.run_id, asking)
        try:
            reply = await asking
        except ActivityError as error:
            if self.mailbox.wants_cancel(self.run_id) or self._is_outdone():
                return
            if is_cancelled_exception(error):
                raise
            await self._park(loop, calls.reason(error))
            return
        loop.receive(reply)
        self.story.replied(reply)

    async def _act(self, loop: Loop, act: Act) -> None:
        self._show(RunState.RUNNING, "using tools")
        first = loop.state.tool_calls + 1
        requests = await self._ask_people(loop, act.verdicts, first)
        work = calls.carry_out(self.run_id, act.verdicts, first)
        done = await self._done(self.run_id, *work)
        consented = await self._consented(loop, requests) if done else None
        if self.loop is None:
            return
        if consented is not None:
            outcomes = [*(one.result() for one in work), *consented]
            outcomes += await self._rest(loop, act, outcomes)
        else:
            why = loop.state.failure or self._why_stopped()
            outcomes = await calls.give_up(self.run_id, loop.state.calls, why)
        loop.answered(tuple(outcomes))
        self.story.acted(act.verdicts, outcomes)

    async def _tell_folded(self, loop: Loop) -> None:
        if self.intake.folded:
            await self._note(loop, folded=self.intake.folded)
            self.intake.folded = ()

    async def _cancelled_outside(self) -> None:
        """Cancelled in Temporal itself: no call stays without an answer, and the ledger says that it is over."""
        await self._close(Outcome.CANCELLED, IN_TEMPORAL)
