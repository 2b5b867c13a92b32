"""How a run stands still while servers work on its calls: nothing is done but a look now and then, or when hinted at.

What a call came to is what its server says when it is asked; an event only says that it may be worth asking. While
it waits, people are heard, and asked what servers want to know; events of the run's own key stay in the mailbox.
"""

from collections.abc import Sequence
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from workflows import calls
from workflows.activities import Outside
from workflows.approvals import Expired, Expiring, Standing
from workflows.calls import Patience
from workflows.consent import Consent
from workflows.hops import SUMMARY, Hears
from workflows.looks import Look, Looked
from workflows.loop import Loop
from workflows.messages import CallOutcome, CallState, Claim, Entry, Kind, RunState
from workflows.plain import plain
from workflows.policy import Send
from workflows.tasks import Tasks

LOOKING = Patience(timedelta(seconds=60), 3)
FOLLOWED = Hears(kinds=frozenset({Kind.WOKEN, Kind.ANSWER, Kind.APPLY, Kind.CANCEL}))
UNDER_WAY = frozenset({CallState.SENT, CallState.PENDING})
"""How a call stands that its server answers later, or once people have answered it."""
EARLY = 1.0
"""Seconds by which a timer may fire early, by the clock of a run."""


class Handles(Consent):
    """The calls of one turn that are under way at their servers."""

    async def _followed(
        self, loop: Loop, outcomes: Sequence[CallOutcome]
    ) -> list[CallOutcome] | None:
        """The same outcomes, once no call is under way any more; None when the conversation was called off before."""
        under_way = [one.call_id for one in outcomes if one.state in UNDER_WAY]
        again = {one.call_id for one in outcomes if one.state is CallState.PENDING}
        opened = [await self._opened(loop, call_id) for call_id in under_way]
        for one in opened:
            if one.ended is not None:
                self._end_call(CallOutcome(call_id=one.call_id, state=one.ended))
        tasks = Tasks(opened, workflow.time(), loop.left, again)
        if tasks:
            loop.rests(workflow.time())
            await self._stands(RunState.WAITING, tasks.wants, lambda: self._has_hint(tasks))
        while tasks:
            if not tasks.ready and not await self._stirred_by(tasks):
                return None
            if not await self._looked(tasks) or not await self._made_again(loop, tasks):
                return None
        if under_way:
            loop.works(workflow.time())
            await self._record(RunState.RUNNING, "its calls are answered")
        known = {one.call_id: one for one in self.made}
        return [known.get(one.call_id, one) for one in outcomes]

    async def _stirred_by(self, tasks: Tasks) -> bool:
        """Wait until one of them is to be asked after; False when the conversation is called off."""
        until, ripe = tasks.stirs_at, self.mailbox.stirs_at()
        if ripe is not None and ripe > workflow.time():
            until = min(until, max(ripe, workflow.time() + 1.0))
        summary = f"until it is asked after: {plain(tasks.wants, SUMMARY)}"
        if not self._has_hint(tasks):
            self._sleep(FOLLOWED, until, summary)
        left = max(until - workflow.time(), 0.0)
        await calls.any_of(lambda: self._has_hint(tasks) or self._is_long(), left, summary)
        self._continue_as_new_if_long()
        if self.mailbox.wants_cancel(self.run_id) or await self.intake.outdone():
            return False
        await self.intake.turn_away()
        for entry in self._words():
            heeded = await self._heard(entry, [])
            if heeded is not None and heeded.standing is not Standing.OPEN:
                tasks.answered(heeded.approval_id)
        for entry in self._hints(tasks):
            self.mailbox.remove(entry)
            if await self._claim(entry, Claim.CONSUMED):
                tasks.hint(entry.wait_id or "", entry.event_id)
        await self._unanswered(tasks)
        return True

    async def _unanswered(self, tasks: Tasks) -> None:
        """End the questions whose time is up, unless somebody's word is on its way."""
        for approval_id in tasks.overdue(workflow.time() + EARLY):
            ref = Expiring(run_id=self.run_id, approval_id=approval_id)
            expired: Expired = await calls.local(Outside.expire, ref, "nobody answered in time")
            if expired.standing is Standing.OPEN:
                tasks.linger(approval_id, workflow.time())
            else:
                tasks.answered(approval_id)

    async def _made_again(self, loop: Loop, tasks: Tasks) -> bool:
        """Make the calls once more whose servers have their answers; False when the conversation is called off."""
        cards = {card.alias: card for card in loop.state.tools}
        for number, call in enumerate(loop.state.calls, start=loop.state.tool_calls + 1):
            if call.call_id not in tasks.ready:
                continue
            self.made = tuple(one for one in self.made if one.call_id != call.call_id)
            made = await self._made(loop, (Send(call, cards[call.alias]),), number)
            if made is None:
                return False
            tasks.end(call.call_id)
            if made[0].state in UNDER_WAY:
                begun = made[0].state is CallState.SENT
                tasks.open(await self._opened(loop, call.call_id), workflow.time(), begun=begun)
        return True

    async def _looked(self, tasks: Tasks) -> bool:
        """Ask after those that are due; False when the conversation is called off meanwhile."""
        for call_id, event_id, last in tasks.due(workflow.time() + EARLY):
            request = Look(run_id=self.run_id, call_id=call_id, event_id=event_id, last=last)
            asking = calls.begun(Outside.look, request, f"look: {call_id}", LOOKING)
            if not await self._done(self.run_id, asking):
                return False
            try:
                looked = await asking
            except ActivityError as error:
                if is_cancelled_exception(error):
                    raise
                looked = Looked(seconds=calls.PAUSE)
            if looked.outcome is None:
                tasks.again(call_id, workflow.time() + looked.seconds)
                await self._tell_asked(tasks, call_id, looked)
            else:
                tasks.end(call_id)
                self._end_call(looked.outcome)
        return True

    async def _tell_asked(self, tasks: Tasks, call_id: str, looked: Looked) -> None:
        """Write down what people are asked now, where that is other than before."""
        before = tasks.people
        tasks.ask(call_id, looked.asks, workflow.time())
        if tasks.people != before:
            await self._record(RunState.WAITING, tasks.wants)

    def _hints(self, tasks: Tasks) -> list[Entry]:
        """Events that say something may have happened to one of them."""
        return [one for one in self.mailbox.carried() if tasks.has(one.wait_id)]

    def _has_hint(self, tasks: Tasks) -> bool:
        """Whether something came that is heard while servers work."""
        return bool(self._hints(tasks)) or self._has_words()

    def _end_call(self, outcome: CallOutcome) -> None:
        """Know how a call ended that was under way."""
        others = tuple(one for one in self.made if one.call_id != outcome.call_id)
        self.made = (*others, outcome)
