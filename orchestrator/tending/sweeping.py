"""Find open conversations whose Temporal run is gone, and have those begin again that wrote nothing; it starts none.

At the start and every minute. What begins again does so by a row in the inbox, as a person would say it. Runs that
live on another namespace than the one we look at are no losses: only where the server is our own is a new file a loss.
Each round begins with what was waited for beyond its time, which is `lapsing`, and ends with what nobody waits for any
more, which is `stranded`.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

from orchestrator.database import Database
from orchestrator.dispatch.retrying import RETRY
from orchestrator.dispatch.runs import Found, Undeliverable, Unreachable
from orchestrator.inbox.inbox import Inbox
from orchestrator.ledger import installation, losses
from orchestrator.ledger.losses import Open
from orchestrator.loops import forever
from orchestrator.telemetry.instruments import DispatchInstruments, uncounted
from orchestrator.telemetry.words import Lost
from orchestrator.tending import lapsing, resuming, stranded
from workflows.messages import Outcome

EVERY: Final = 60.0
"""Seconds between two looks."""

FEW: Final = 100
"""Runs that one round asks for while as many run as are open: the others' turn comes in the next rounds."""

MANY: Final = 300
"""Where fewer run; where more than that are missing, so many."""

GRACE: Final = 30.0
"""Seconds for which a conversation is left alone that has just been opened."""

PAGE: Final = 500
BY: Final = "Doorbell, because its Temporal run was lost"

GONE: Final = "Temporal knows no run of it that is under way"
OVERTAKEN: Final = "its Temporal run was gone, and a later one has begun"
ENDED_OUTSIDE: Final = {
    Found.TERMINATED: ("terminated in Temporal", Outcome.CANCELLED),
    Found.CANCELLED: ("cancelled in Temporal", Outcome.CANCELLED),
    Found.FAILED: ("its run failed in Temporal; see the Temporal UI", Outcome.FAILED),
}
"""What somebody ended there on purpose, or what would fail again, does not begin again by itself."""


class Temporal(Protocol):
    """Where the runs are; every question raises Unreachable or Undeliverable."""

    async def namespace(self) -> str:
        """The identity of our namespace."""

    async def count_running(self) -> int:
        """How many run, perhaps a moment late."""

    async def found(self, workflow_id: str) -> Found:
        """What there is of one."""


@dataclass(slots=True, kw_only=True)
class Sweeper:
    """One for each service; `embedded` says that the Temporal server is our own, `poke` that something was kept.

    `looked_until` is the last conversation that a round looked at; empty where it begins anew. Runs are asked for one
    by one: the embedded Temporal takes seconds for a page of a list, and everything else waits meanwhile.
    """

    inbox: Inbox
    ledger: Database
    temporal: Temporal
    embedded: bool
    now: Callable[[], datetime]
    poke: Callable[[], None]
    log: Any
    looked_until: str = ""
    counts: DispatchInstruments = field(default_factory=uncounted)

    async def work(self) -> None:
        """Sweep now and every minute, until cancelled."""
        await forever("sweep", self.sweep, _rest, self.log)

    async def sweep(self) -> int:
        """One round; returns how many conversations were ended."""
        await lapsing.lapse_some(self.inbox, self.ledger, self.now(), self.poke, self.log)
        await self._begin_again()
        try:
            ended = await self._gone() if await self._is_ours() else 0
        except (Unreachable, Undeliverable):
            # Nothing is known, so nothing is lost.
            return 0
        await self._begin_again()
        return ended

    async def _is_ours(self) -> bool:
        found, at = await self.temporal.namespace(), self.now().timestamp()
        known = await self.ledger.write(installation.remember, found, at)
        if known != found and self.embedded:
            self.log.warning("temporal.replaced", before=known, now=found)
            await self.ledger.write(installation.accept, found, at)
        elif known != found:
            self.log.error(
                "temporal.another_namespace",
                expected=known,
                found=found,
                todo="name the server and namespace of before; if they are lost: `doorbell runs lost --accept`",
            )
        return known == found or self.embedded

    async def _gone(self) -> int:
        ended, at = await self._ended(), self.now().timestamp()
        await stranded.settle_some(self.ledger, self.temporal.found, at - GRACE, at, self.log)
        return ended

    async def _ended(self) -> int:
        before, ended = self.now().timestamp() - GRACE, 0
        left = await self._share(before)
        while left and (page := await self._next(before, min(PAGE, left))):
            for one in page:
                ended += await self._looked_at(one)
            self.looked_until, left = page[-1].run_id, left - len(page)
        self.looked_until = self.looked_until if not left else ""
        return ended

    async def _next(self, before: float, limit: int) -> list[Open]:
        return await self.ledger.read(losses.open_ones, before, self.looked_until, limit)

    async def _share(self, before: float) -> int:
        """How many are looked at now; one that is gone may hide behind one that has opened nothing yet."""
        is_open = await self.ledger.read(losses.count_open, before)
        if not is_open:
            return 0
        missing = is_open - await self.temporal.count_running()
        return max(MANY, missing) if missing > 0 else FEW

    async def _looked_at(self, one: Open) -> bool:
        found = await self.temporal.found(one.workflow_id)
        if found is Found.RUNNING and not one.overtaken:
            return False
        at = self.now().timestamp()
        if not one.overtaken and found in ENDED_OUTSIDE:
            why, outcome = ENDED_OUTSIDE[found]
            closed = await self.ledger.write(losses.close, one.run_id, why, outcome, at)
            if closed:
                self.counts.lost(Lost.OUTSIDE)
                self.log.warning("run.ended_outside", run=one.run_id, found=str(found))
            return closed
        why = OVERTAKEN if one.overtaken else GONE
        loss = await self.ledger.write(losses.lose, one.run_id, why, at)
        if loss is not None:
            self.counts.lost(Lost.AGAIN if loss.again else Lost.PERSON)
            self.log.warning("run.lost", run=one.run_id, again=loss.again, words=loss.words)
        return loss is not None

    async def _begin_again(self) -> None:
        while lost := await self.ledger.read(losses.untold, PAGE):
            now, ids = self.now(), [loss.run_id for loss in lost]
            # The rows first: written twice they are duplicates, and forgotten they would never begin again.
            await self.inbox.keep([resuming.row(f"lost-{one}", one, BY, now, RETRY) for one in ids])
            self.poke()
            await self.ledger.write(losses.told, ids, now.timestamp())


async def _rest(_ended: int) -> None:
    await asyncio.sleep(EVERY)
