"""How a run stands still and is stirred: for an event, for a person, for work of its own; it begins and ends nothing.

Whoever waits hears what outdoes the conversation or calls it off, and continues as new when the history is long: the
wait is in the ledger, so nothing of it is lost with the history.
"""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow

from workflows import calls
from workflows.activities import Outside
from workflows.carried import Carried, RunInput
from workflows.chronicle import Chronicle
from workflows.flow import Flow
from workflows.intake import Intake
from workflows.loop import Loop
from workflows.mail import interrupts
from workflows.messages import (
    CallOutcome,
    CallState,
    Claim,
    EndWait,
    Entry,
    Kind,
    Outcome,
    RunRef,
    RunState,
    WaitEnd,
    Waiting,
    WaitRequest,
)
from workflows.policy import WaitFor

FIRST_GRACE = timedelta(seconds=5)
LONGEST_GRACE = timedelta(minutes=5)
BY_A_PERSON = "cancelled by a person"
OUTDONE = "superseded by a newer event"
HISTORY_LIMIT = 2_000
"""Events after which a run continues as new, well before Temporal's own limits."""


class Parking(Chronicle):
    """The mailbox of a run and the open conversation, between two steps of the loop."""

    def __init__(self, given: RunInput) -> None:
        carried = given.carried or Carried()
        super().__init__(carried)
        self.title = given.title
        self.intake = Intake(carried)
        self.mailbox = self.intake.mailbox
        self.parked = carried.parked
        self.opener: Entry | None = None

    async def _claim(self, entry: Entry, how: Claim) -> bool:
        return await self.intake.claim(entry, how)

    async def _done(self, run_id: str, *work: "asyncio.Future[Any]") -> bool:
        """Whether this work came to its own end; a person's cancel of the run, or what outdoes it, ends it before."""
        try:
            while True:
                await workflow.wait_condition(
                    lambda: (
                        all(one.done() for one in work)
                        or self.mailbox.wants_cancel(run_id)
                        or self._is_outdone()
                    )
                )
                # Claimed before anything is stopped: a repeat of an older event stops nothing.
                if not self._is_outdone() or await self.intake.outdone():
                    break
        except asyncio.CancelledError:
            await calls.stop(work)
            raise
        return not await calls.stop(work)

    def _is_outdone(self) -> bool:
        return bool(self.run_id) and self.intake.is_outdone()

    def _why_stopped(self) -> str:
        return BY_A_PERSON if self.mailbox.wants_cancel(self.run_id) else OUTDONE

    async def _park(self, loop: Loop, reason: str) -> None:
        if await self._parked(reason):
            ref = RunRef(run_id=self.run_id)
            loop.resumed((await calls.local(Outside.limits, ref, "limits in force")).budget)

    async def _parked(self, reason: str) -> bool:
        """Park until a person's word about this very conversation; False when it ended meanwhile.

        Everything else stays in the mailbox, in its order.
        """
        await self._record(RunState.PARKED, reason)
        while True:
            await self.intake.until(
                lambda: self.mailbox.has_word() or self.intake.stirs() or self._is_long()
            )
            self._continue_as_new_if_long(reason)
            if await self.intake.outdone():
                await self._close(Outcome.SUPERSEDED, OUTDONE)
                return False
            await self.intake.turn_away()
            if not self.mailbox.has_word():
                continue
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
        end = EndWait(run_id=self.run_id, wait_id=waiting.wait_id, end=WaitEnd.EXPIRED)
        if not await self._stirred(deadline, f"until: {waiting.wants}"):
            return end if workflow.now() >= deadline or self.mailbox.stirs_at() is None else None
        self._continue_as_new_if_long()
        if await self.intake.outdone():
            return replace(end, end=WaitEnd.INTERRUPTED)
        await self.intake.turn_away()
        entry = self.intake.heard()
        return None if entry is None else await self._woken_by(entry, end)

    async def _woken_by(self, entry: Entry, end: EndWait) -> EndWait | None:
        if entry.wait_id == end.wait_id:
            self.mailbox.remove(entry)
            mine = await self._claim(entry, Claim.CONSUMED)
            return replace(end, end=WaitEnd.RESOLVED, event_id=entry.event_id) if mine else None
        if interrupts(entry, self.run_id):
            # Claimed here, so that a repeat interrupts nothing; `_heed` takes it with the same token.
            mine = await self.intake.is_new(entry)
            return replace(end, end=WaitEnd.INTERRUPTED) if mine else None
        self.mailbox.remove(entry)
        if entry.kind is Kind.APPLY:
            await self._apply(entry)
        else:
            await self._claim(entry, Claim.LATE)
        return None

    async def _stirred(self, deadline: datetime, summary: str) -> bool:
        """Wait for something to do, until the deadline or until a batch is ripe."""
        left = max((deadline - workflow.now()).total_seconds(), 0.0)
        ripe = self.mailbox.stirs_at()
        if ripe is not None and ripe > workflow.time():
            left = min(left, max(ripe - workflow.time(), 1.0))
        return await calls.any_of(
            lambda: self.intake.heard() is not None or self.intake.stirs() or self._is_long(),
            left,
            summary,
        )

    async def _apply(self, entry: Entry) -> None:
        if await self._claim(entry, Claim.CONSUMED):
            run_id = entry.run_id or ""
            proposals = await calls.local(Outside.proposals, RunRef(run_id=run_id), "proposals")
            applying = asyncio.create_task(calls.apply(run_id, proposals))
            if await self._done(run_id, applying):
                await applying
            else:
                await calls.give_up(run_id, proposals.calls, self._why_stopped())

    def _is_long(self) -> bool:
        info = workflow.info()
        long = info.get_current_history_length() > HISTORY_LIMIT
        return long or info.is_continue_as_new_suggested() or self.intake.is_full()

    def _continue_as_new_if_long(self, parked: str = "") -> None:
        if not self._is_long():
            return
        kept, loop = self.intake.kept(), self.loop
        mailbox = kept.mailbox
        if loop is None and self.run_id and self.opener is not None:
            # It isn't open yet: with the same token it is opened again, alone, as the same conversation.
            mailbox = (replace(self.opener, flow=Flow()), *mailbox)
        carried = Carried(
            mailbox=mailbox,
            place=kept.place,
            folded=kept.folded,
            reserved=kept.reserved,
            conversation=loop.state if loop else None,
            story=self.story.carried(),
            parked=parked if loop else "",
        )
        workflow.continue_as_new(RunInput(title=self.title, carried=carried))
