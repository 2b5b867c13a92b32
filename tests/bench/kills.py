"""Zero double starts while processes die: `python -m tests.bench.kills [EVENTS] [SEED] [SECONDS]`; 10,000 is the proof.

A real Temporal, a Postgres, three dispatchers and two workers, of which one is killed with SIGKILL and replaced after
every few events, while events of every mode come in. Then everything is counted: at the ledger, and by the lines that
the hands wrote. It ends with 1 if anything was started twice, written twice or lost, if a run parked for no reason but
its kills, or if all of it took longer than its deadline; then what there is is counted all the same.
"""

import asyncio
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.support.house import House, house
from tests.support.mayhem import FILES, Toll, arrivals, calm, counted, delivered, fed, mayhem, rest
from tests.support.postgres import installed
from tests.support.scripts import Turns, says
from tests.support.town import Town, town
from workflows.messages import Outcome

PATIENCE = 600.0
FOR_EACH = 0.5
"""Seconds for all of it: so many, and so many more for each event."""

OF_A_KEY = 25
FLOWS = (
    "parallel",
    "queue",
    *("signal", "single", "supersede", "coalesce") * 4,
    "single",
    "signal",
)
"""A whole run for every event is what takes the time: one in ten gets one."""

SHOWN = 20
EVERY = 10
"""So many events, more or less, between two kills."""


def say(label: str, value: object) -> None:
    """One line."""
    sys.stdout.write(f"{label:<28} {value}\n")
    sys.stdout.flush()


async def proof(
    directory: Path, place: Town, database: str, events: int, seed: int, seconds: float
) -> Toll:
    """Let them come while everybody dies, then let what is left come to its end in peace; count it in any case."""
    script, ids = Turns([says()]), list[str]()
    began = time.monotonic()
    parts = {"working": False, "dispatching": False}
    async with house(directory, place, script, FILES, database=database, **parts) as home:
        try:
            async with asyncio.timeout(seconds):
                await _lived(home, events, random.Random(seed), ids)
        except TimeoutError:
            say("NOT AT AN END", "what follows is counted in the middle of it")
        toll = await counted(home, ids)
    say("seconds", f"{time.monotonic() - began:.0f}")
    return toll


async def _lived(home: House, events: int, dice: random.Random, ids: list[str]) -> None:
    began = time.monotonic()
    async with mayhem(home, dice, dispatchers=3, workers=2, every=EVERY) as killed:
        try:
            await fed(home, arrivals(home, events, of_a_key=OF_A_KEY, flows=FLOWS), ids)
            say("all events kept after", f"{time.monotonic() - began:.0f} s")
            await delivered(home)
            say("all delivered after", f"{time.monotonic() - began:.0f} s")
        finally:
            say("killed", ", ".join(f"{part} {n} times" for part, n in sorted(killed.items())))
    async with calm(home, dispatchers=1, workers=2):
        await rest(home, ids)


def told(toll: Toll) -> None:
    """The table."""
    say("events", toll.events)
    say("their ends", ", ".join(f"{end} {many}" for end, many in sorted(toll.ends.items())))
    say("runs started", toll.starts)
    say("how they ended", ", ".join(f"{how} {many}" for how, many in sorted(toll.outcomes.items())))
    say("parked", len(toll.parked))
    say("events behind a parked run", toll.behind)
    say("writes at the hands", toll.writes)
    say("writes nobody knows of", toll.unknown)
    say("of superseded conversations", toll.interrupted)
    say("started or written twice", len(toll.twice))
    say("lost", len(toll.lost))
    for what in (
        *toll.twice[:SHOWN],
        *toll.lost[:SHOWN],
        *toll.parked[:SHOWN],
        *toll.amiss[:SHOWN],
    ):
        say("", what)


def main(events: int, seed: int, seconds: float) -> int:
    """Prove it; the exit code."""
    with (
        tempfile.TemporaryDirectory() as directory,
        town() as place,
        installed() as postgres,
        postgres.database() as database,
    ):
        say("seed", seed)
        toll = asyncio.run(proof(Path(directory), place, database, events, seed, seconds))
        told(toll)
        ended = set(toll.outcomes) <= set(Outcome)
        return 1 if toll.twice or toll.lost or not ended else 0


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    events, seed, *left = numbers + [300, random.SystemRandom().randrange(10**6)][len(numbers) :]
    sys.exit(main(events, seed, left[0] if left else PATIENCE + FOR_EACH * events))
