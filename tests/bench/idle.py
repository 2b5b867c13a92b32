"""How long an idle house takes from a kept event to its run's first activity: `python -m tests.bench.idle [EVENTS]`.

Beside it, on the same Temporal server and in turns with it, what bare Temporal takes from signal-with-start to the
first activity of a workflow that does nothing else. Both are local activities; both write down when they ran.
"""

import asyncio
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import select
from temporalio.client import Client
from temporalio.worker import Worker

from orchestrator.database import Transaction
from orchestrator.ledger.schema import claims
from tests.support.bare import Bare, touch
from tests.support.house import House, house, opened
from tests.support.scripts import Turns, says
from tests.support.town import Town, town

QUEUE: Final = "bare"
APART: Final = 0.4
"""Seconds between two events, so that nothing is under way when one comes."""


async def bare(client: Client) -> float:
    """Seconds from the call to the activity."""
    began = time.time()
    handle = await client.start_workflow(
        Bare.run, id=f"bare-{uuid.uuid4()}", task_queue=QUEUE, start_signal="ring"
    )
    return await handle.result() - began


async def ours(home: House, number: int) -> float:
    """Seconds from the event's arrival to the claim of its decision."""
    event_id = await home.ring(opened(number))
    entry = await home.stores.inbox.entry(event_id)
    if entry is None:
        raise RuntimeError("the event was not kept")
    await home.until(lambda: home.taken([event_id]))
    decided = (await home.stores.inbox.decisions([event_id]))[event_id]
    taken = await home.stores.ledger.read(_claimed, [decision.id for decision in decided])
    return min(taken) - entry.received_at.timestamp()


def _claimed(connection: Transaction, ids: list[str]) -> list[float]:
    statement = select(claims.c.at).where(claims.c.decision_id.in_(ids))
    return list(connection.scalars(statement))


@asynccontextmanager
async def bare_worker(client: Client) -> AsyncIterator[None]:
    """A worker of bare Temporal."""
    async with Worker(client, task_queue=QUEUE, workflows=[Bare], activities=[touch]):
        yield


async def bench(place: Town, events: int) -> None:
    """In turns."""
    with tempfile.TemporaryDirectory() as directory:
        async with (
            house(Path(directory), place, Turns([says()])) as home,
            bare_worker(home.client),
        ):
            await bare(home.client)
            await ours(home, 1)
            took: dict[str, list[float]] = {"bare Temporal": [], "Doorbell": []}
            for number in range(2, events + 2):
                await asyncio.sleep(APART)
                took["bare Temporal"].append(await bare(home.client))
                await asyncio.sleep(APART)
                took["Doorbell"].append(await ours(home, number))
    for name, seconds in took.items():
        ordered = sorted(seconds)
        sys.stdout.write(
            f"{name:>14}: median {statistics.median(ordered) * 1000:6.1f} ms, "
            f"best {ordered[0] * 1000:6.1f}, worst {ordered[-1] * 1000:6.1f} ({len(ordered)} events)\n"
        )


def main(arguments: list[str]) -> None:
    """Run it."""
    with town() as place:
        asyncio.run(bench(place, int(arguments[0]) if arguments else 25))


if __name__ == "__main__":
    main(sys.argv[1:])
