"""How a run stands still and is stirred: for an event, for a person, for work of its own; it begins and ends nothing.

Whoever waits hears what outdoes the conversation or calls it off, and continues as new when the history is long: the
wait is in the ledger, so nothing of it is lost with the history. Who waits long continues as new into the prologue,
which is all that is replayed of it then, and as new again into the code of the day on which something comes.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from temporalio import workflow

from workflows import calls, upgrades
from workflows.activities import Outside
from workflows.approvals import Heeded, Word
from workflows.asleep import Asleep
from workflows.carried import Carried, RunInput
from workflows.chronicle import Chronicle
from workflows.flow import Flow
from workflows.hops import PARKED, SUMMARY, WAITING, Hears, carried_in, hop, named, packed
from workflows.intake import MOST_DELIVERIES, Intake
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
    Stop,
    WaitEnd,
    Waiting,
    WaitRequest,
)
from workflows.plain import plain
from workflows.policy import Verdict
from workflows.waits import Waits

BY_A_PERSON = "cancelled by a person"
OUTDONE = "superseded by a newer event"
GO_ON = "A person let this run go on. You have your tools again: go on where you were."
HISTORY_LIMIT = 2_000
"""Events after which a run continues as new, well before Temporal's own limits."""
LONG = 60.0
"""Seconds; who waits longer does it in the prologue. Parts under way have acted on it: a change needs a patch."""


class Parking(Chronicle):
    """The mailbox of a run and the open conversation, between two steps of the loop."""

    def __init__(self, given: RunInput) -> None:
        carried = carried_in(given)
        super().__init__(carried)
        self.title = given.title
        self.woken = bool(given.mail and self.run_id) and not given.retell
        # A part that began with a state of this kind has run under the prologue from its first line.
        self.sleeps = (
            given.carried is not None and upgrades.schema_of(given.carried) > upgrades.FIRST
        )
        # What came in the middle of a turn is heard by what that turn waits for.
        self.amid = self.sleeps and self.loop is not None and bool(self.loop.state.calls)
        self.intake = Intake(carried)
        self.mailbox = self.intake.mailbox
        self.parked = carried.parked
        self.stops = 0
        self.opener: Entry | None = None
        self.entering = False

    async def _claim(self, entry: Entry, how: Claim) -> bool:
        return await self.intake.claim(entry, how)

    async def _done(self, run_id: str, *work: "asyncio.Future[Any]") -> bool:
        """Whether this work came to its own end; a person's cancel of the run, or what outdoes it, ends it before."""
        ours = self._is_of_the_open_one(run_id)
        try:
            while True:
                await workflow.wait_condition(
                    lambda: (
                        all(one.done() for one in work)
                        or self.mailbox.wants_cancel(run_id)
                        or (ours and self._is_outdone())
                    )
                )
                # Claimed before anything is stopped: a repeat of an older event stops nothing.
                if not (ours and self._is_outdone()) or await self.intake.outdone():
                    break
        except asyncio.CancelledError:
            await calls.stop(work)
            raise
        return not await calls.stop(work)

    async def _made(
        self, loop: Loop, verdicts: Sequence[Verdict], first: int
    ) -> list[CallOutcome] | None:
        """The outcomes of these calls; None when the conversation was called off before each had one.

        What a person must look at first parks the run, and is called again when somebody says so.
        """
        while True:
            known = {one.call_id for one in self.made}
            began = workflow.time()
            work = calls.carry_out(self.run_id, verdicts, first, known)
            if not await self._done(self.run_id, *work):
                return None
            made, held = calls.ended(work)
            loop.worked(began, workflow.time(), calls.seconds(made))
            self._keep(*made)
            if not held:
                wanted = {one.call.call_id for one in verdicts}
                return [one for one in self.made if one.call_id in wanted]
            await self._park(loop, "\n".join(held))
            if self.loop is None:
                return None

    def _keep(self, *outcomes: CallOutcome) -> None:
        """Know these outcomes of the turn under way; what continues as new makes no call of them again."""
        known = {one.call_id for one in self.made}
        self.made = (*self.made, *(one for one in outcomes if one.call_id not in known))

    def _is_of_the_open_one(self, run_id: str) -> bool:
        """Whether what outdoes the open conversation ends its work too; what is applied of an older one goes on."""
        # Asked in this order: only histories with such work beside an open conversation know the difference.
        return (
            not self.run_id
            or run_id == self.run_id
            or not workflow.patched("work of an older one goes on")
        )

    def _is_outdone(self) -> bool:
        return bool(self.run_id) and self.intake.is_outdone()

    def _why_stopped(self, run_id: str) -> str:
        return BY_A_PERSON if self.mailbox.wants_cancel(run_id) else OUTDONE

    async def _park(self, loop: Loop, reason: str) -> None:
        loop.rests(workflow.time())
        if await self._parked(reason):
            loop.works(workflow.time())
            ref, left = RunRef(run_id=self.run_id), loop.state.stays
            limits = await calls.local(Outside.limits, ref, "limits in force")
            # Asked in this order: only histories that stood still behind a tool call know the difference.
            acted = loop.state.stop is Stop.TOOL_USE and workflow.patched("held, it may sum up")
            loop.resumed(limits.budget, Stop.TOOL_USE if acted else None)
            if left:
                # It has taken its leave, and nobody has spoken to it since.
                await self._note(loop, text=GO_ON)

    async def _parked(self, reason: str) -> bool:
        """Park until a person's word about this very conversation; False when it ended meanwhile.

        Everything else stays in the mailbox, in its order.
        """
        await self._stands(RunState.PARKED, reason, self._has_say)
        while True:
            if not self._has_say():
                self._sleep(PARKED, self._ripens(), "coalescing", parked=reason)
            await self.intake.until(lambda: self._has_say() or self._is_long())
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
        await self._drop_answered(opened)
        open_ones = Waits(opened, workflow.time())
        if open_ones:
            loop.rests(workflow.time())
            await self._stands(RunState.WAITING, open_ones.wants, self._has_news)
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

    async def _drop_answered(self, opened: Sequence[Waiting]) -> None:
        """Take out what has ended one of these already.

        A workflow task that fails leaves no trace in the history, but what it wrote in the ledger stands: the wait is
        ended, and its event is in the mailbox still.
        """
        ends = {(one.wait_id, one.event_id) for one in opened if one.ended and one.event_id}
        for entry in self.mailbox.carried():
            if (entry.wait_id, entry.event_id) in ends:
                self.mailbox.remove(entry)
                await self._claim(entry, Claim.CONSUMED)

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
        summary = f"until: {plain(open_ones.wants, SUMMARY)}"
        if not await self._stirred(open_ones.deadline, summary):
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
            await self._too_late(entry)
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
        ripe = self._ripens()
        if ripe is not None:
            left = min(left, max(ripe - workflow.time(), 1.0))
        if not self._has_news():
            self._sleep(WAITING, workflow.time() + left, summary)
        return await calls.any_of(lambda: self._has_news() or self._is_long(), left, summary)

    def _has_news(self) -> bool:
        """Whether something came that a waiting conversation hears."""
        return self.intake.heard() is not None or self.intake.stirs()

    def _has_say(self) -> bool:
        """Whether something came that a parked conversation hears."""
        return self.mailbox.has_word() or self.intake.stirs()

    def _ripens(self) -> float | None:
        """When a batch that concerns the open conversation will be ripe; None when there is none to wait for."""
        ripe = self.mailbox.stirs_at()
        return None if ripe is None or ripe <= workflow.time() else ripe

    async def _too_late(self, entry: Entry) -> bool:
        """Whether nobody wanted it any more, and that is written down: no conversation hears it."""
        if entry.kind is Kind.WOKEN and entry.wait_id and workflow.patched("applied calls hear"):
            (end,) = self._ends([entry.wait_id], WaitEnd.RESOLVED, entry.event_id)
            end = replace(end, run_id=entry.run_id or "")
            if (await calls.local(Outside.hear_late, end, "a call that was applied")).first:
                await self._claim(entry, Claim.CONSUMED)
                return False
        await self._claim(entry, Claim.LATE)
        return True

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
                await calls.give_up(run_id, proposals.calls, self._why_stopped(run_id))

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
                await calls.give_up(run_id, [heeded.call], self._why_stopped(run_id))
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
        given = RunInput(title=self.title, carried=packed(self._carried(parked)))
        if self.sleeps:
            hop(given)
        workflow.continue_as_new(given)

    def _sleep(self, hears: Hears, until: float | None, summary: str, *, parked: str = "") -> None:
        """Continue as new into the prologue, unless it is soon over; all that came goes along, unheard."""
        near = until is not None and until - workflow.time() <= LONG
        if near or not (self.sleeps or self._knew_the_prologue()):
            return
        asleep = Asleep(
            until=until,
            kinds=tuple(sorted(hears.kinds)),
            modes=tuple(sorted(hears.modes)),
            most=MOST_DELIVERIES,
            details=self._told_asleep(until),
            summary=summary,
        )
        carried = packed(self._carried(parked))
        hop(RunInput(title=self.title, carried=carried, asleep=asleep))

    def _knew_the_prologue(self) -> bool:
        """Whether this very stop isn't one that was made before there was a prologue."""
        # A name of its own for each, because a patch that a replay has once denied stays denied.
        self.stops += 1
        return workflow.patched(f"prologue, stop {self.stops}")

    def _told_asleep(self, until: float | None) -> str:
        state, reason = self.shown
        if until is not None:
            reason += f", until {datetime.fromtimestamp(until, UTC):%Y-%m-%d %H:%M} UTC"
        told = self.story.told(state, reason, self.loop.state if self.loop else None)
        return f"{told}\n\n{named(self.title)}"

    def _carried(self, parked: str) -> Carried:
        kept, loop = self.intake.kept(), self.loop
        mailbox = kept.mailbox
        opening = loop is None and (self.run_id or self.entering) and self.opener is not None
        if opening and self.opener is not None:
            # It isn't open yet: with the same token it is opened again, alone, as the same conversation.
            mailbox = (replace(self.opener, flow=Flow()), *mailbox)
        return Carried(
            mailbox=mailbox,
            place=kept.place,
            folded=kept.folded,
            reserved=kept.reserved,
            conversation=loop.state if loop else None,
            story=self.story.carried(),
            parked=parked,
            run_id=self.run_id,
            made=self.made,
        )
