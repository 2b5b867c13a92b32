"""Whether a million kept rows slow the inbox down: `python -m tests.bench.kept [ROWS]`.

Batches of 64 deliveries are kept, decided, claimed and settled on an empty SQLite inbox and on a full one, in turns,
with fsync; the medians stand beside each other. Then two doors, one over each, are knocked at in turns.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, text

from orchestrator.database import Database, sqlite_url
from orchestrator.inbox.inbox import Action, Arrival, Decision
from orchestrator.inbox.schema import MIGRATIONS
from orchestrator.inbox.sql import SqlInbox
from tests.bench.door import body, started
from tests.support.door_server import SECRET
from tests.support.knocking import knock, reachable, request
from tests.support.ports import free_port

BATCH: Final = 64
ROUNDS: Final = 40
TURNS: Final = 7
KNOCKS: Final = 2_000
NOW: Final = datetime(2026, 11, 21, tzinfo=UTC)
BODY: Final = b'{"action":"opened","text":"' + b"some words of an issue " * 300 + b'"}'

FILL: Final = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows)
INSERT INTO entries (id, source, delivery_id, seen_id, body_hash, seen_hash, type, subject, keys, headers, body,
                     received_at, state, duplicates)
SELECT 'old' || i, 'github', 'd' || i, 'd' || i, randomblob(32), randomblob(12), 'issues.opened', 'acme/api#' || i,
       '[]', '{}', zeroblob(400), 1700000000000000 + i, 'decided', 0
FROM n
"""
DECIDED: Final = """
INSERT INTO decisions (id, event_id, cause, rule, action, reason, trace, "with", lane, lane_number, configuration,
                       state, attempts, decided_at, delivered_at, due_at, fence)
SELECT 'dec' || position, id, 'triage', 'triage', 'start', 'matched', '[]', '{}', 'lane' || position, 1, '',
       'settled', 0, received_at, received_at, received_at, 1
FROM entries
"""


def fill(connection: Connection, rows: int) -> None:
    """So many decided entries, each with a decision that was settled long ago."""
    connection.execute(text(FILL), {"rows": rows})
    connection.execute(text(DECIDED))
    connection.execute(text("ANALYZE"))


def arrivals(numbers: Iterator[int]) -> list[Arrival]:
    """A batch of new deliveries."""
    return [
        Arrival(
            id=f"evt{number}",
            source="github",
            delivery_id=f"new{number}",
            type="issues.opened",
            subject=f"acme/api#{number}",
            actor=None,
            keys=(f"issue:acme/api#{number}",),
            headers={"x-github-event": "issues"},
            body=BODY[:-2] + str(number).encode() + b'"}',
            received_at=NOW,
            dedupe_body=True,
        )
        for number in (next(numbers) for _ in range(BATCH))
    ]


def decision(event_id: str) -> Decision:
    """A start, in a lane of its own."""
    return Decision(
        id=f"dec-{event_id}",
        event_id=event_id,
        cause="triage",
        rule="triage",
        action=Action.START,
        reason="matched",
        workflow_id=event_id,
        lane=event_id,
    )


async def one_round(inbox: SqlInbox, batch: list[Arrival]) -> dict[str, float]:
    """Seconds for each step of a batch's life."""
    start = time.perf_counter()
    await inbox.keep(batch)
    kept = time.perf_counter()
    for entry in await inbox.undecided(BATCH):
        await inbox.decide(entry.id, [decision(entry.id)], NOW)
    decided = time.perf_counter()
    leases = await inbox.claim(NOW, timedelta(seconds=30), BATCH)
    claimed = time.perf_counter()
    for lease in leases:
        await inbox.settle(lease.decision.id, lease.fence, NOW)
    await inbox.close([lease.decision.id for lease in leases])
    return {"accept": kept - start, "decide": decided - kept, "claim": claimed - decided}


async def bench(rows: int) -> None:
    """Measure in turns, so that both see the same weather."""
    with tempfile.TemporaryDirectory() as directory:
        names = ("empty", "full")
        databases = {
            name: Database.open(sqlite_url(Path(directory) / name), MIGRATIONS) for name in names
        }
        began = time.perf_counter()
        await databases["full"].write(fill, rows)
        sys.stdout.write(f"{rows:,} rows filled in {time.perf_counter() - began:.0f} s\n")
        inboxes = {name: SqlInbox(database) for name, database in databases.items()}
        took: dict[str, list[dict[str, float]]] = {name: [] for name in names}
        numbers = count(1)
        for _ in range(ROUNDS):
            for name in names:
                took[name].append(await one_round(inboxes[name], arrivals(numbers)))
        show(took)
        for database in databases.values():
            database.close()
        await doors({name: sqlite_url(Path(directory) / name) for name in names})


async def doors(urls: Mapping[str, str]) -> None:
    """The door over each, at 64 connections; both are there all the time."""
    ports = {name: free_port() for name in urls}
    async with AsyncExitStack() as stack:
        for name, url in urls.items():
            command = ("tests.support.door_server", url, str(ports[name]))
            await stack.enter_async_context(started(*command))
            await reachable(ports[name], 30.0)
        rates: dict[str, list[float]] = {name: [] for name in urls}
        for turn in range(TURNS):
            for name, port in ports.items():
                rates[name].append(await rate(port, f"{name}-{turn}"))
    empty, full = (statistics.median(rates[name][1:]) for name in ("empty", "full"))
    sys.stdout.write(
        f"the door at 64 connections: empty {empty:,.0f}/s, full {full:,.0f}/s, {full / empty - 1:+.0%}\n"
    )


async def rate(port: int, label: str) -> float:
    """Deliveries a second."""
    requests = {
        delivery: request(body(delivery), SECRET, delivery, "push")
        for delivery in (f"{label}-{number}" for number in range(KNOCKS))
    }
    began = time.perf_counter()
    tally = await knock(port, list(requests), requests.__getitem__, 64)
    return len(tally.acknowledged) / (time.perf_counter() - began)


def show(took: dict[str, list[dict[str, float]]]) -> None:
    """A line for each step."""
    for step in ("accept", "decide", "claim"):
        empty, full = (
            statistics.median(one[step] for one in took[name]) * 1000 for name in ("empty", "full")
        )
        sys.stdout.write(
            f"{step:>7} of {BATCH}: empty {empty:6.2f} ms, full {full:6.2f} ms, {full / empty - 1:+.0%}\n"
        )


def main(arguments: list[str]) -> Any:
    """Run it."""
    asyncio.run(bench(int(arguments[0]) if arguments else 1_000_000))


if __name__ == "__main__":
    main(sys.argv[1:])
