"""The ticks of a service, heard by a process of its own that can be killed: `python -m tests.support.mortal_clock`.

    ... ADDRESS QUEUE DATABASE_URL HOLD

While the file HOLD exists it stops once a tick is on disk, before Temporal knows, and leaves a file HOLD.held there.
"""

import asyncio
import sys
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from orchestrator import temporal
from orchestrator.database import Database
from orchestrator.inbox.schema import MIGRATIONS
from orchestrator.inbox.sql import SqlInbox
from orchestrator.recovery.indoors import Late, Ring, Rung
from orchestrator.schedules.hearing import worker_of
from orchestrator.schedules.ringing import Ringing
from tests.support.clocks import SECRET, now, ringing
from workflows import tick

IMPATIENT = timedelta(seconds=2)


@dataclass
class Held:
    """A way to ring, between which and Temporal it can be held."""

    door: Ring
    hold: Path

    async def ring(self, late: Late) -> Rung:
        rung = await self.door(late)
        if self.hold.exists():
            self.hold.with_suffix(".held").touch()
            await asyncio.Event().wait()
        return rung


def hurry() -> None:
    """Take a ring whose service died for lost after 2 s instead of 20."""
    tick.ATTEMPT = IMPATIENT
    tick.RETRY = replace(tick.RETRY, initial_interval=timedelta(milliseconds=100))


async def hear(address: str, queue: str, database: str, hold: str) -> None:
    client = await temporal.connect(address, "default")
    inbox = SqlInbox(Database.open(database, MIGRATIONS))
    async with ringing(inbox) as ring:
        held = Held(ring, Path(hold))
        await worker_of(client, queue, Ringing(held.ring, SECRET, now)).run()


if __name__ == "__main__":
    hurry()
    asyncio.run(hear(*sys.argv[1:]))
