"""How a run stands still while servers work on its calls: nothing is done but a look now and then, or when hinted at.

What a call came to is what its server says when it is asked; an event only says that it may be worth asking. While
it waits, people are heard; events of the run's own key stay in the mailbox.
"""

from collections.abc import Sequence
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from workflows import calls
from workflows.activities import Outside
from workflows.calls import Patience
from workflows.consent import Consent
from workflows.hops import Hears
from workflows.looks import Look, Looked
from workflows.loop import Loop
from workflows.messages import CallOutcome, CallState, Claim, Entry, Kind, RunState
from workflows.parking import SUMMARY
from workflows.waits import Tasks

LOOKING = Patience(timedelta(seconds=60), 3)
FOLLOWED = Hears(kinds=frozenset({Kind.WOKEN, Kind.ANSWER, Kind.APPLY, Kind.CANCEL}))
EARLY = 1.0
"""Seconds by which a timer may fire early, by the clock of a run."""


class Handles(Consent):
    """The calls of one turn that are under way at their servers."""

    async def _followed(
        self, loop: Loop, outcomes: Sequence[CallOutcome]
    ) -> list[CallOutcome] | None:
        """The same outcomes, once no call is under way any more; None when the conversation was called off before."""
        under_way = [one.call_id for one in outcomes if one.state is CallState.SENT]
        opened = [await self._opened(loop, call_id) for call_id in under_way]
        for one in opened:
            if one.ended is not None:
                self._end_call(CallOutcome(call_id=one.call_id, state=one.ended))
        tasks = Tasks(opened, workflow.time(), loop.left)
        if tasks:
            loop.rests(workflow.time())
            await self._stands(RunState.WAITING, tasks.wants, lambda: self._has_hint(tasks))
        while tasks:
            if not await self._stirred_by(tasks) or not await self._looked(tasks):
                return None
        if under_way:
            loop.works(workflow.time())
            await self._record(RunState.RUNNING, "its calls are answered")
        known = {one.call_id: one for one in self.made}
        return [known.get(one.call_id, one) for one in outcomes]

    async def _stirred_by(self, tasks: Tasks) -> bool:
        """Wait until one of them is to be asked after; False when the conversation is called off."""
        until, ripe = tasks.look_at, self.mailbox.stirs_at()
        if ripe is not None and ripe > workflow.time():
            until = min(until, max(ripe, workflow.time() + 1.0))
        summary = f"until it is asked after: {tasks.wants}"[:SUMMARY]
        if not self._has_hint(tasks):
            self._sleep(FOLLOWED, until, summary)
        left = max(until - workflow.time(), 0.0)
        await calls.any_of(lambda: self._has_hint(tasks) or self._is_long(), left, summary)
        self._continue_as_new_if_long()
        if self.mailbox.wants_cancel(self.run_id) or await self.intake.outdone():
            return False
        await self.intake.turn_away()
        for entry in self._words():
            await self._heard(entry, [])
        for entry in self._hints(tasks):
            self.mailbox.remove(entry)
            if await self._claim(entry, Claim.CONSUMED):
                tasks.hint(entry.wait_id or "", entry.event_id)
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
            else:
                tasks.end(call_id)
                self._end_call(looked.outcome)
        return True

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
