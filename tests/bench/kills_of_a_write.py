"""No write happens twice and none vanishes: `python -m tests.bench.kills_of_a_write [KILLS] [SEED]`; 200 is the proof.

A process makes a write with real hands on a real ledger and dies at one of its awaits, each await in its turn; in every
third run the process that comes after it dies too. Then others go on with the call as Temporal would, and the server
tells how often it did each. It ends with 1 if anything happened twice or was told otherwise than it was.
"""

import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.support.killing import Write, killing, table, wrong

EVERY = 3
"""In every so manieth run a second process dies."""


def say(line: str) -> None:
    """One line."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def proof(directory: Path, kills: int, dice: random.Random) -> list[Write]:
    """Kill at every await, over and over, until there are so many."""
    async with killing(directory) as subject:
        steps = await subject.steps()
        say(f"awaits of a write: {len(steps)}, at {len(set(steps))} places")
        for kill in range(max(kills, len(steps))):
            again = dice.randint(1, len(steps)) if kill % EVERY == 0 else None
            await subject.kill(kill % len(steps) + 1, again)
        return list(await subject.counted())


def main(kills: int, seed: int) -> int:
    """Prove it; the exit code."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        writes = asyncio.run(proof(Path(directory), kills, random.Random(seed)))
    for line in table(writes):
        say(line)
    found = Counter(why for write in writes if (why := wrong(write)))
    say(f"seed {seed}, {len(writes)} kills, {time.monotonic() - began:.0f} s")
    say(f"happened twice or told falsely: {sum(found.values())}")
    for why, count in found.items():
        say(f"  {count} x {why}")
    return 1 if found else 0


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    sys.exit(main(*(numbers + [200, random.SystemRandom().randrange(10**6)][len(numbers) :])))
