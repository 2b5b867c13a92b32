"""A cap of a dollar under 50 runs at once: `python -m tests.bench.caps [RUNS] [DOLLARS]`, on SQLite and on Postgres.

Real Temporal, real ledger, a scripted Messages server with known prices. It prints what was ever counted against the
cap, and why runs parked; it ends with 1 if the cap was passed, or a reply was paid that nobody gave.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from tests.support.dollars import Bill, billed, thrifty, under
from tests.support.house import house
from tests.support.postgres import installed
from tests.support.town import Town, town

PATIENCE = 900.0


def say(label: str, value: object) -> None:
    """One line."""
    sys.stdout.write(f"{label:<34} {value}\n")
    sys.stdout.flush()


async def proof(directory: Path, place: Town, database: str | None, runs: int, cap: str) -> Bill:
    """All runs at once, until they are at rest."""
    script = thrifty()
    async with house(directory, place, script, under(cap), database=database) as home:
        return await billed(home, script, runs, PATIENCE)


def told(store: str, bill: Bill, seconds: float) -> None:
    """The table."""
    say(f"{store}: runs", ", ".join(f"{many} {state}" for state, many in bill.states.items()))
    say("  counted against the cap at most", f"{bill.most:.6f} USD")
    say("  settled in the end", f"{bill.settled:.6f} USD")
    say("  lost attempts, charged as assumed", f"{bill.assumed:.6f} USD")
    say("  replies given, and paid", f"{bill.asked}, {bill.paid}")
    for reason, many in bill.parked.items():
        say(f"  {many} parked", reason)
    say("  seconds", f"{seconds:.0f}")


@contextmanager
def stores() -> Iterator[dict[str, str | None]]:
    """Both databases there are."""
    with installed() as postgres, postgres.database() as database:
        yield {"SQLite": None, "Postgres": database}


def main(runs: int, cap: str) -> int:
    """Prove it; the exit code."""
    say("cap", f"{cap} USD a day, {runs} runs at once")
    well = True
    with town() as place, stores() as places:
        for store, database in places.items():
            with tempfile.TemporaryDirectory() as directory:
                began = time.monotonic()
                bill = asyncio.run(proof(Path(directory), place, database, runs, cap))
            told(store, bill, time.monotonic() - began)
            well = well and bill.most <= Decimal(cap) and bill.asked == bill.paid
    return 0 if well else 1


if __name__ == "__main__":
    words = [*sys.argv[1:], *("50", "1")[len(sys.argv) - 1 :]]
    sys.exit(main(int(words[0]), words[1]))
