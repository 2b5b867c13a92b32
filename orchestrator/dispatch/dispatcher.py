"""The loops that work the inbox off; what one round of each does stands in the rooms beside it.

They keep nothing in memory that a crash could lose: decide (phase 1), deliver into runs and forward (phase 2), look
back for waits, and now and then reconcile. With Temporal down, entries wait and no attempt is burnt.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from orchestrator.dispatch import deciding, delivering, holding, looking_back, reconciling
from orchestrator.dispatch.means import Means
from orchestrator.dispatch.runs import Unreachable
from orchestrator.inbox.inbox import Decision, Lease
from orchestrator.loops import Step, forever, tried

IDLE: Final = 0.25
"""Seconds between two looks when nobody rings; a kept delivery is looked at at once."""

RECONCILE_EVERY: Final = 30.0
LAST_ANSWERS: Final = 8.0
"""Seconds that forwards under way have when the service stops; it is killed after 20."""


@dataclass(kw_only=True, slots=True)
class Dispatcher(Means):
    """One for each service."""

    rung: asyncio.Event = field(default_factory=asyncio.Event)
    decided: asyncio.Event = field(default_factory=asyncio.Event)
    onward: asyncio.Event = field(default_factory=asyncio.Event)
    prepared: bool = False
    asked_until: Decision | None = None
    under_way: set["asyncio.Task[int]"] = field(default_factory=set)

    def poke(self) -> None:
        """Something was kept: look now."""
        self.rung.set()

    async def work(self) -> None:
        """Work until cancelled; a failure is logged and the work goes on."""
        try:
            await asyncio.gather(
                self._forever("decide", self.decide_some, self.rung),
                self._forever("deliver", self.deliver_some, self.decided),
                self._forever("forward", self.forward_some, self.onward),
                self._forever("look back", self.look_back_some, asyncio.Event()),
                self._reconciling(),
            )
        finally:
            await self._last_answers()

    async def _last_answers(self) -> None:
        # Its destination may have acted: cut off here, it would go there once more after the restart.
        if self.under_way:
            await asyncio.wait(self.under_way, timeout=LAST_ANSWERS)
        for task in self.under_way:
            task.cancel()
        await asyncio.gather(*self.under_way, return_exceptions=True)

    async def decide_some(self) -> int:
        """Phase 1 for the oldest undecided entries; returns how many."""
        decided = await deciding.decide_some(self)
        if decided:
            self.decided.set()
            self.onward.set()
        return decided

    async def deliver_some(self) -> int:
        """Phase 2 for the heads of the lanes into runs; returns how many were delivered."""
        if not self.prepared:
            try:
                await self.runs.prepare()
            except Unreachable:
                return 0
            self.prepared = True
            holding.remember(self)
        return await delivering.deliver_some(self)

    async def forward_some(self) -> int:
        """Phase 2 for what goes on to destinations, 16 under way at most; returns how many arrived since the last look.

        It waits for the first to end and not for the slowest, and never for long, as new ones may come.
        """
        if self.forwards is None:
            return 0
        for lease in await delivering.lease_forwards(
            self, delivering.AT_ONCE - len(self.under_way)
        ):
            self.under_way.add(asyncio.create_task(self._forwarded(lease)))
        if not self.under_way:
            return 0
        done, self.under_way = await asyncio.wait(
            self.under_way, timeout=IDLE, return_when=asyncio.FIRST_COMPLETED
        )
        return sum(task.result() for task in done)

    async def look_back_some(self) -> int:
        """Find events that came before the waits that want them; returns how many waits were looked at."""
        return await looking_back.look_back_some(self)

    async def reconcile(self) -> int:
        """Settle what runs have taken; send again what was delivered to a run that is gone; free its slot."""
        looked = await reconciling.reconcile(self, self.asked_until)
        self.asked_until = looked.next
        await holding.reconcile(self)
        return len(looked.running)

    async def _forwarded(self, lease: Lease) -> int:
        one = partial(delivering.forward_one, self, lease)
        return await tried("forward", one, self.log, self.counts.failed)

    async def _reconciling(self) -> None:
        while True:
            await asyncio.sleep(RECONCILE_EVERY)
            await tried("reconcile", self.reconcile, self.log, self.counts.failed)

    async def _forever(self, name: str, step: Step, woken: asyncio.Event) -> None:
        # An event for each loop: whoever shared one would clear it under another that was still busy.
        async def rest(done: int) -> None:
            if not done:
                with suppress(TimeoutError):
                    await asyncio.wait_for(woken.wait(), IDLE)
                woken.clear()

        await forever(name, step, rest, self.log, self.counts.failed)
