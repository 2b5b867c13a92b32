"""How a run asks people and heeds what they say: a call is made when, and only when, somebody consents.

It looks nobody up and reads no text: who may say what is the outside world's business. While it waits, the calls of
the same turn that need nobody have ended, and events of the run's own key stay in the mailbox.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from temporalio import workflow

from workflows import calls
from workflows.activities import Outside
from workflows.approvals import Asked, Asking, Expired, Expiring, Heeded, Standing
from workflows.hops import Hears
from workflows.loop import Loop
from workflows.messages import CallOutcome, CallState, Entry, Kind, RunState
from workflows.parking import Parking
from workflows.playbook import OnTimeout
from workflows.policy import AskPerson, Send, Verdict

FIRST_GRACE = timedelta(seconds=5)
LONGEST_GRACE = timedelta(minutes=5)
ASKED = Hears(kinds=frozenset({Kind.ANSWER, Kind.APPLY, Kind.CANCEL}))


@dataclass(slots=True, kw_only=True)
class Request:
    """One call that waits for people, until `deadline`; `number` is its place among the calls of the run."""

    verdict: AskPerson
    asked: Asked
    number: int
    deadline: datetime
    grace: timedelta = FIRST_GRACE

    def linger(self, now: datetime) -> None:
        """Its time is up, but a word that came in time is on its way from the inbox: look again later."""
        self.deadline, self.grace = now + self.grace, min(self.grace * 2, LONGEST_GRACE)


class Consent(Parking):
    """The calls of one turn that people decide about."""

    async def _ask_people(
        self, loop: Loop, verdicts: Sequence[Verdict], first: int
    ) -> list[Request]:
        """Ask about each call that wants it; nothing is waited for yet."""
        made = {one.call_id for one in self.made}
        return [
            await self._request(loop, one, first + at)
            for at, one in enumerate(verdicts)
            if isinstance(one, AskPerson) and one.call.call_id not in made
        ]

    async def _request(self, loop: Loop, verdict: AskPerson, number: int) -> Request:
        asking = Asking(run_id=self.run_id, call_id=verdict.call.call_id, seconds=loop.left)
        asked = await calls.local(Outside.ask_person, asking, f"ask: {verdict.call.alias}")
        deadline = workflow.now() + timedelta(seconds=asked.seconds)
        return Request(verdict=verdict, asked=asked, number=number, deadline=deadline)

    async def _consented(self, loop: Loop, requests: list[Request]) -> list[CallOutcome] | None:
        """What became of these calls; None when the conversation was called off, or failed, before all were settled."""
        outcomes: list[CallOutcome] = []
        told = ""
        while requests:
            left = [one for one in requests if one.asked.standing is Standing.OPEN]
            for one in [one for one in requests if one not in left]:
                outcome = await self._settled(loop, one)
                if outcome is None:
                    return None
                outcomes.append(outcome)
                self._keep(outcome)
            requests = left
            wants = "; ".join(one.asked.wants for one in left)
            if wants and wants != told:
                loop.rests(workflow.time())
                await self._stands(RunState.WAITING, wants, self._has_words)
                told = wants
            if left and not await self._moved(loop, left):
                return None
        if told:
            loop.works(workflow.time())
            await self._record(RunState.RUNNING, "people have answered")
        return outcomes

    async def _settled(self, loop: Loop, request: Request) -> CallOutcome | None:
        """How the call of a settled request ended, made now where somebody consented; None when it was stopped."""
        call, card = request.verdict.call, request.verdict.card
        match request.asked.standing:
            case Standing.APPROVED if card is not None:
                made = await self._made(loop, (Send(call, card),), request.number)
                return made[0] if made else None
            case Standing.ANSWERED:
                state = CallState.DONE
            case Standing.EXPIRED if card is None:
                state = CallState.DONE
            case Standing.CLOSED:
                state = CallState.REFUSED
            case _:
                state = CallState.DENIED
        return CallOutcome(call_id=call.call_id, state=state)

    async def _moved(self, loop: Loop, requests: list[Request]) -> bool:
        """Wait until one of these may stand otherwise; False when the conversation is called off, or failed."""
        first = min(requests, key=lambda one: one.deadline)
        until, ripe = first.deadline.timestamp(), self.mailbox.stirs_at()
        if ripe is not None and ripe > workflow.time():
            until = min(until, max(ripe, workflow.time() + 1.0))
        left = max(until - workflow.time(), 0.0)
        summary = f"until people answer {first.asked.code}"
        if not self._has_words():
            self._sleep(ASKED, workflow.time() + left, summary)
        stirred = await calls.any_of(lambda: self._has_words() or self._is_long(), left, summary)
        if not stirred and workflow.now() >= first.deadline:
            return await self._timed_out(loop, first)
        self._continue_as_new_if_long()
        if self.mailbox.wants_cancel(self.run_id) or await self.intake.outdone():
            return False
        await self.intake.turn_away()
        for entry in self._words():
            await self._heard(entry, requests)
        return True

    async def _heard(self, entry: Entry, requests: list[Request]) -> Heeded | None:
        """What a word came to; None for a repeat, and for what isn't one about a request."""
        if entry.kind is Kind.APPLY:
            self.mailbox.remove(entry)
            await self._apply(entry)
            return None
        heeded = await self._answer(entry, [one.asked.approval_id for one in requests])
        for one in requests:
            if heeded is not None and heeded.approval_id == one.asked.approval_id:
                one.asked = calls.standing(one.asked, heeded.standing)
        return heeded

    async def _timed_out(self, loop: Loop, request: Request) -> bool:
        asked = request.asked
        ref = Expiring(run_id=self.run_id, approval_id=asked.approval_id)
        expired: Expired = await calls.local(Outside.expire, ref, "nobody answered in time")
        if expired.standing is Standing.OPEN:
            request.linger(workflow.now())
            return True
        request.asked = calls.standing(asked, expired.standing)
        if expired.standing is not Standing.EXPIRED or asked.on_timeout is OnTimeout.DENY:
            return True
        reason = f"nobody answered in time: {asked.wants}"
        if asked.on_timeout is OnTimeout.FAIL:
            loop.failed(reason)
            return False
        await self._park(loop, reason)
        if self.loop is None:
            return False
        again = await self._request(loop, request.verdict, request.number)
        request.asked, request.deadline = again.asked, again.deadline
        return True

    def _words(self) -> list[Entry]:
        """What people said, and proposals to apply; all else keeps its place."""
        return [one for one in self.mailbox.carried() if one.kind in {Kind.ANSWER, Kind.APPLY}]

    def _has_words(self) -> bool:
        """Whether something came that is heard while people are asked."""
        return bool(self._words()) or self.mailbox.wants_cancel(self.run_id) or self.intake.stirs()
