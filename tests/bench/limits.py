"""How long counting takes with a full inbox: `python -m tests.bench.limits [ROWS]`, on SQLite; it proves no promise."""

import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, text

from orchestrator.database import Database, sqlite_url
from orchestrator.inbox import rows, sql_decide, sql_lanes, sql_tallies
from orchestrator.inbox.schema import DECISIONS, ENTRIES, MIGRATIONS, TALLIES
from orchestrator.inbox.tallies import Tallied, Tally
from tests.conformance.inboxes import LEASE, NOW, arrival, decision

PAGE = 10_000
HELD = "held: 5 runs of triage are open"


def tally(bucket: str) -> Tally:
    """A wide limit, so that everything in the bucket is read."""
    return Tally(
        what=Tallied.ACTOR,
        bucket=bucket,
        who="actor ann",
        said="500/d",
        at=NOW,
        most=500,
        window=timedelta(days=1),
    )


def filled(connection: Connection, first: int, held: int) -> None:
    """A page of settled decisions, some of them held, and of what was counted for them."""
    entries, decisions, counted = [], [], []
    for n in range(first, first + PAGE):
        entries.append(rows.entry_row(arrival(f"e{n}", f"d{n}", b"%d" % n)) | {"state": "decided"})
        row = rows.decision_row(decision(f"c{n}", f"e{n}", f"lane{n}"), NOW)
        late = {"state": "ready", "note": HELD, "lane_number": 1, "due_at": NOW + LEASE * 9}
        decisions.append(row | (late if n < held else {"state": "settled"}))
        at = NOW - timedelta(seconds=n % 80_000)
        counted.append(
            {"bucket": f"b{n % 997}", "at": at, "event_id": f"e{n}", "until": NOW + LEASE * 9_999}
        )
    for table, page in ((ENTRIES, entries), (DECISIONS, decisions), (TALLIES, counted)):
        connection.execute(insert(table), page)


def timed(connection: Connection, name: str, act: Callable[..., Any], *given: Any) -> None:
    """Print the best of seven."""
    spans = []
    for _ in range(7):
        began = time.perf_counter()
        act(connection, *given)
        spans.append(time.perf_counter() - began)
    sys.stdout.write(f"{name:<40} {min(spans) * 1000:8.2f} ms\n")


def measured(connection: Connection) -> None:
    """What each step of deciding and holding takes."""
    one = [decision("new", "e1", "new", tallies=(tally("b5"), tally("rare")))]
    timed(connection, "count one event under two limits", sql_tallies.judged, one, NOW)
    timed(connection, "decide one event", sql_decide.add, one, NOW)
    timed(connection, "find the oldest that are held", sql_tallies.hasten, "triage", 5, NOW)
    timed(connection, "the same where none is", sql_tallies.hasten, "other", 5, NOW)
    timed(connection, "claim", sql_lanes.claim, NOW, LEASE, 16, None)


def main() -> None:
    """Fill and measure."""
    many = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as directory:
        database = Database.open(sqlite_url(Path(directory) / "inbox.db"), MIGRATIONS)
        with database.engine.begin() as connection:
            for first in range(0, many, PAGE):
                filled(connection, first, held=1_000)
            connection.execute(text("ANALYZE"))
            sys.stdout.write(f"{many} decisions, 1000 of them held, {many} counted\n")
            measured(connection)
        database.close()


if __name__ == "__main__":
    main()
