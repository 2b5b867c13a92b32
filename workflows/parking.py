"""How a run stands still and is stirred: for an event, for a person, for work of its own; it begins and ends nothing.

Whoever waits hears what outdoes the conversation or calls it off, and continues as new when the history is long: the
wait is in the ledger, so nothing of it is lost with the history.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from temporalio import workflow

from workflows import calls
from workflows.activities import Outside
from workflows.approvals import Heeded, Word
from workflows.carried import Carried, RunInput
from workflows.chronicle import Chronicle
from workflows.flow import Flow
from workflows.intake import Intake
from workflows.loop import Act, Loop, waits
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
from workflows.waits import Waits

BY_A_PERSON = "cancelled by a person"
OUTDONE = "superseded by a newer event"
SUMMARY = 200
"""Bytes of a timer's summary; the server takes twice as many."""
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
        loop.rests(workflow.time())
        if await self._parked(reason):
            loop.works(workflow.time())
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
            await self._close(Outcome.CANCELLED, BY_A_PERSON)
            return False
        await self._record(RunState.RUNNING, "resumed by a person")
        return True

    async def _rest(self, loop: Loop, act: Act, made: Sequence[CallOutcome]) -> list[CallOutcome]:
        """Wait until every call of the turn has what it waits for; the outcomes of those that were only waits."""
        known = {one.call_id for one in made}
        held = [one.call.call_id for one in act.verdicts if waits(one)]
        opened = [await self._opened(loop, call_id) for call_id in held]
        open_ones = Waits(opened, workflow.time())
        if open_ones:
            loop.rests(workflow.time())
            await self._record(RunState.WAITING, open_ones.wants)
            end = await self._outlasted(open_ones)
            loop.works(workflow.time())
            await self._record(RunState.RUNNING, f"the wait was {end}")
        return [
            CallOutcome(call_id=one.call_id, state=one.ended or CallState.DONE)
            for one in opened
            if one.call_id not in known
        ]

    async def _opened(self, loop: Loop, call_id: str) -> Waiting:
        request = WaitRequest(run_id=self.run_id, call_id=call_id, seconds=loop.left)
        return await calls.local(Outside.open_wait, request, "wait: register")

    async def _outlasted(self, open_ones: Waits) -> WaitEnd:
        """Until none of them is open; how the last one ended."""
        how = WaitEnd.EXPIRED
        while open_ones:
            for end in await self._woken(open_ones):
                ended = await calls.local(Outside.end_wait, end, f"wait: {end.end}")
                if ended.first or end.end is not WaitEnd.EXPIRED:
                    open_ones.end(end.wait_id)
                    how = end.end
                else:
                    # The time is up, but an event that came in time is on its way from the inbox.
                    open_ones.linger(end.wait_id, workflow.time())
        return how

    async def _woken(self, open_ones: Waits) -> list[EndWait]:
        """Which of them ended, and how; none when what came does not end any."""
        if not await self._stirred(open_ones.deadline, _short(f"until: {open_ones.wants}")):
            ripens = self.mailbox.stirs_at() is not None
            # A timer may fire a little early by this clock.
            now = workflow.time() if ripens else max(workflow.time(), open_ones.deadline)
            due = open_ones.due(now)
            return [] if due is None else self._ends([due], WaitEnd.EXPIRED)
        self._continue_as_new_if_long()
        if await self.intake.outdone():
            return self._ends(open_ones.ids, WaitEnd.INTERRUPTED)
        await self.intake.turn_away()
        entry = self.intake.heard()
        return [] if entry is None else await self._woken_by(entry, open_ones)

    async def _woken_by(self, entry: Entry, open_ones: Waits) -> list[EndWait]:
        if entry.wait_id is not None and open_ones.has(entry.wait_id):
            self.mailbox.remove(entry)
            mine = await self._claim(entry, Claim.CONSUMED)
            return self._ends([entry.wait_id] if mine else [], WaitEnd.RESOLVED, entry.event_id)
        if interrupts(entry, self.run_id):
            # Claimed here, so that a repeat interrupts nothing; `_heed` takes it with the same token.
            mine = await self.intake.is_new(entry)
            return self._ends(open_ones.ids if mine else [], WaitEnd.INTERRUPTED)
        self.mailbox.remove(entry)
        if entry.kind in {Kind.APPLY, Kind.ANSWER}:
            await self._obey(entry)
        else:
            await self._claim(entry, Claim.LATE)
        return []

    def _ends(
        self, wait_ids: Iterable[str], how: WaitEnd, event_id: str | None = None
    ) -> list[EndWait]:
        return [
            EndWait(run_id=self.run_id, wait_id=wait_id, end=how, event_id=event_id)
            for wait_id in wait_ids
        ]

    async def _stirred(self, deadline: float, summary: str) -> bool:
        """Wait for something to do, until the deadline or until a batch is ripe."""
        left = max(deadline - workflow.time(), 0.0)
        ripe = self.mailbox.stirs_at()
        if ripe is not None and ripe > workflow.time():
            left = min(left, max(ripe - workflow.time(), 1.0))
        return await calls.any_of(
            lambda: self.intake.heard() is not None or self.intake.stirs() or self._is_long(),
            left,
            summary,
        )

    async def _obey(self, entry: Entry) -> None:
        """Heed a person's word about calls, whatever is open."""
        if entry.kind is Kind.APPLY:
            await self._apply(entry)
        else:
            await self._answer(entry)

    async def _apply(self, entry: Entry) -> None:
        if await self._claim(entry, Claim.CONSUMED):
            run_id = entry.run_id or ""
            proposals = await calls.local(Outside.proposals, RunRef(run_id=run_id), "proposals")
            applying = asyncio.create_task(calls.apply(run_id, proposals))
            if await self._done(run_id, applying):
                await applying
            else:
                await calls.give_up(run_id, proposals.calls, self._why_stopped())

    async def _answer(self, entry: Entry, waited: Sequence[str] = ()) -> Heeded | None:
        """Heed a person's word, and make the call it consents to, unless somebody waits for that; None for a repeat."""
        self.mailbox.remove(entry)
        if not await self._claim(entry, Claim.CONSUMED):
            return None
        run_id = entry.run_id or ""
        word = Word(run_id=run_id, entry=entry)
        heeded = await calls.local(Outside.heed, word, "a person's word")
        if heeded.late:
            await self._claim(entry, Claim.LATE)
        elif heeded.call is not None and heeded.approval_id not in waited:
            making = asyncio.create_task(calls.consented(run_id, heeded))
            if await self._done(run_id, making):
                await making
            else:
                await calls.give_up(run_id, [heeded.call], self._why_stopped())
        return heeded

    def _is_long(self) -> bool:
        info = workflow.info()
        return (
            info.get_current_history_length() > HISTORY_LIMIT
            or info.is_continue_as_new_suggested()
            # On a cluster a pinned run moves to the newer build where it stands still, and nowhere else.
            or info.is_target_worker_deployment_version_changed()
            or self.intake.is_full()
        )

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


def _short(text: str) -> str:
    return text.encode()[:SUMMARY].decode(errors="ignore")
