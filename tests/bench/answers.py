"""Consent while workers die: `python -m tests.bench.answers [RUNS] [SEED]`; the counting server is the judge.

Each run asks for consent to one write. A yes is said, often twice, now and then beside a no, and the worker is killed
with SIGKILL at a random moment around it and replaced. Then everything is counted at the server. It ends with 1 if a
write happened twice, after a no, or was told as done when it wasn't.
"""

import asyncio
import random
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from orchestrator.ledger import approvals
from orchestrator.ledger.approvals import Approval
from orchestrator.sources.source import OPERATOR
from tests.support.house import PLAYBOOK, Files, House, house, opened
from tests.support.scripts import Request, Turns, says, use, uses
from tests.support.town import kill, town

ASKING = PLAYBOOK.replace("lab.write_thing: {max: 5}", "lab.write_thing: {max: 5, approve: always}")
AROUND = 1.2
"""Seconds around a word within which the worker is killed."""


def write(request: Request) -> Any:
    """One write that names its issue."""
    found = re.search(r"issue (\d+)", str(request["system"]))
    assert found is not None
    return uses(use("write_thing", body=f"issue {found[1]}"))


async def said(home: House, word: str, code: str) -> None:
    """A word on the command line."""
    payload = {"type": f"run.{word}", "code": code, "by": "a tester"}
    await home.keep(home.arrival(payload, source=OPERATOR))


async def request_of(home: House, number: int) -> Approval:
    """What the run of this issue asks, once it does."""

    async def look() -> Approval | None:
        for run in await home.runs():
            if run["key"].endswith(f"#{number}"):
                found = await home.stores.ledger.read(approvals.of_run, run["id"])
                return found[0] if found else None
        return None

    found: Approval = await home.until(look, f"the request of {number}")
    return found


async def one(home: House, number: int, dice: random.Random) -> None:
    """One run whose worker dies around the answer."""
    await home.ring(opened(number))
    async with home.worker(DEADLINE="2") as first:
        request = await request_of(home, number)
        words = ["approve", "approve"] if dice.random() < 0.7 else ["approve", "deny"]
        dice.shuffle(words)
        dying = asyncio.create_task(_dies(first, dice.random() * AROUND))
        for word in words:
            await asyncio.sleep(dice.random() * AROUND / 2)
            await said(home, word, request.code)
        await dying
    async with home.worker(DEADLINE="2"):
        await home.settled("ended", number)


async def _dies(pid: int, after: float) -> None:
    await asyncio.sleep(after)
    await kill(pid)


async def judged(home: House, number: int) -> tuple[str, list[str]]:
    """How a request and its call ended, and what is wrong with that."""
    request = await request_of(home, number)
    run = await home.run(request.run_id)
    (call,) = run["tool_calls"]
    writes = home.executed("write").count(f"write_thing issue {number}")
    wrong = []
    if writes > 1:
        wrong.append(f"issue {number}: written {writes} times")
    if request.standing != "approved" and writes:
        wrong.append(f"issue {number}: written although it is {request.standing}")
    if call["state"] == "done" and not writes:
        wrong.append(f"issue {number}: told as done, and never written")
    return f"{request.standing}, {call['state']}, written {writes} times", wrong


async def proof(directory: Path, place: Any, runs: int, seed: int) -> list[str]:
    """Play them all; what went wrong."""
    dice, ends, wrong = random.Random(seed), Counter[str](), list[str]()
    script = Turns([write, says()])
    files = Files(playbook=ASKING)
    async with house(directory, place, script, files, working=False) as home:
        for number in range(1, runs + 1):
            await one(home, number, dice)
            end, problems = await judged(home, number)
            ends[end] += 1
            wrong += problems
    for end, many in sorted(ends.items()):
        sys.stdout.write(f"{many:>5}  {end}\n")
    return wrong


def main(runs: int, seed: int) -> int:
    """Prove it; the exit code."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as directory, town() as place:
        wrong = asyncio.run(proof(Path(directory), place, runs, seed))
    sys.stdout.write(f"seed {seed}, {runs} kills in {time.monotonic() - began:.0f} s\n")
    sys.stdout.writelines(f"WRONG: {line}\n" for line in wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    sys.exit(main(*(numbers + [40, random.SystemRandom().randrange(10**6)][len(numbers) :])))
