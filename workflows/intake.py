"""What becomes of the entries of a mailbox: each is claimed once, with a word; it opens and ends no conversation.

An event that is claimed is left where it stands until it is taken: a claim with the same token is ours again, so
looking twice changes nothing, also after a continue-as-new in between.
"""

from collections.abc import Callable
from dataclasses import replace

from temporalio import workflow

from workflows import calls
from workflows.activities import Outside
from workflows.carried import Kept
from workflows.flow import Mode
from workflows.mail import Mailbox, in_lane, is_late
from workflows.messages import Claim, ClaimRequest, Entry

MOST_DELIVERIES = 1_000
"""Deliveries after which a run continues as new at the latest."""
SHORTEST = 1.0
"""Seconds; Temporal's timers are no finer."""


class Intake:
    """The mailbox of a run with the claims; `now` answers in seconds, `draw` with a token."""

    def __init__(
        self,
        kept: Kept,
        now: Callable[[], float] = workflow.time,
        draw: Callable[[], object] = workflow.uuid4,
    ) -> None:
        self._now, self._draw = now, draw
        self.mailbox = Mailbox(kept.mailbox)
        self.place = kept.place
        self.folded = kept.folded
        self.reserved = kept.reserved
        self.deliveries = 0

    def put(self, entry: Entry) -> None:
        """Keep it, with a token of its own."""
        self.deliveries += 1
        self.mailbox.put(replace(entry, token=str(self._draw()), at=self._now()))

    def kept(self) -> Kept:
        """All of it, for continue-as-new."""
        return Kept(
            mailbox=self.mailbox.carried(),
            place=self.place,
            folded=self.folded,
            reserved=self.reserved,
        )

    def is_full(self) -> bool:
        """Whether so much came that the run should continue as new."""
        return self.deliveries >= MOST_DELIVERIES

    def heard(self) -> Entry | None:
        """The oldest entry that an open conversation hears now."""
        return self.mailbox.heard(self._now())

    def is_outdone(self) -> bool:
        """Whether an event stands there that may take the open conversation's place; it may be a repeat."""
        return self.mailbox.outdoing(self.place, self._now()) is not None

    def stirs(self) -> bool:
        """Whether something is to be done about events, also while the conversation hears nothing but words."""
        return self.is_outdone() or bool(self.mailbox.unwanted(self.place))

    async def claim(self, entry: Entry, how: Claim) -> bool:
        """Whether the decision is this entry's own; otherwise it is a repeat."""
        request = ClaimRequest(workflow_id=workflow.info().workflow_id, entry=entry, how=how)
        return (await calls.local(Outside.claim, request, f"claim: {entry.kind}")).mine

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until it holds, or a batch that concerns the open conversation is ripe."""
        ripe = self.mailbox.stirs_at()
        if ripe is None or ripe <= self._now():
            await workflow.wait_condition(holds)
        else:
            left = max(ripe - self._now(), SHORTEST)
            await calls.any_of(holds, left, "coalescing")

    async def outdone(self) -> bool:
        """Whether a newer event takes the open conversation's place; it is claimed, and left for the next one."""
        held = self._held()
        if held is not None and held.flow.mode is Mode.SUPERSEDE:
            return True
        while newest := self.mailbox.outdoing(self.place, self._now()):
            if await self._reserve(newest):
                return True
        return False

    async def turn_away(self) -> None:
        """End what nothing will come of while a conversation is open."""
        for entry in self.mailbox.unwanted(self.place):
            single = entry.flow.mode is Mode.SINGLE
            await self.claim(entry, Claim.IGNORED if single else Claim.SUPERSEDED)
            self.mailbox.remove(entry)

    def is_gathering(self) -> bool:
        """Whether the next event waits for more."""
        events = self.mailbox.events()
        return bool(events) and not self.mailbox.is_ripe(events[0], self._now())

    async def gather(self, holds: Callable[[], bool]) -> None:
        """Wait for more until the batch is ripe, or this holds."""
        left = max(self.mailbox.ripe_at() - self._now(), SHORTEST)
        await calls.any_of(holds, left, "coalescing")

    async def is_new(self, first: Entry) -> bool:
        """Claim what is acted on in place of this entry and leave it for `take`; a repeat is dropped."""
        return await self._reserve(self._chosen(first))

    async def take(self, first: Entry) -> Entry | None:
        """Take what is acted on in place of this event, claimed, and end what it stands for; None for a repeat."""
        if is_late(first, self.place):
            self.mailbox.remove(first)
            await self.claim(first, Claim.SUPERSEDED)
            return None
        chosen = self._chosen(first)
        older = self._older(chosen)
        self.mailbox.remove(chosen)
        if not await self.claim(chosen, Claim.CONSUMED):
            return None
        self.place = max(self.place, chosen.place)
        for entry in older:
            await self._end_for(entry, chosen)
        return chosen

    async def _reserve(self, entry: Entry) -> bool:
        mine = await self.claim(entry, Claim.CONSUMED)
        if mine:
            # What was claimed as consumed is what is taken next, also when a newer one came meanwhile.
            self.reserved = entry.token
        else:
            self.mailbox.remove(entry)
        return mine

    def _held(self) -> Entry | None:
        events = self.mailbox.events()
        return next((one for one in events if one.token == self.reserved), None)

    def _chosen(self, first: Entry) -> Entry:
        held = self._held()
        if held is not None and held.flow.mode is first.flow.mode:
            return held
        if first in (batch := self.mailbox.batch()):
            return batch[-1]
        if first.flow.mode is Mode.SUPERSEDE:
            newest = self.mailbox.outdoing(self.place, self._now())
            return first if newest is None else newest
        return first

    def _older(self, chosen: Entry) -> list[Entry]:
        """What stands there now and ends with the chosen one; what comes later waits for the next look."""
        if chosen.flow.coalesce is not None:
            batch = self.mailbox.batch()
            return batch[: batch.index(chosen)]
        if chosen.flow.mode is Mode.SUPERSEDE:
            events = in_lane(self.mailbox.events())
            return [one for one in events if one.place <= chosen.place and one != chosen]
        return []

    async def _end_for(self, entry: Entry, chosen: Entry) -> None:
        self.mailbox.remove(entry)
        folded = chosen.flow.coalesce is not None
        mine = await self.claim(entry, Claim.COALESCED if folded else Claim.SUPERSEDED)
        if mine and folded:
            self.folded = (*self.folded, entry.event_id)
