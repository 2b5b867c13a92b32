"""Writes while workers die at random: `python -m tests.bench.random_kills [KILLS] [SEED]`; 300 is the proof.

A real Temporal and two worker processes with real hands; runs write four things at once, three times over. Shortly
after every few writes one of the workers gets SIGKILL and another takes its place. Then all runs come to their end in
peace, and the counting server tells how often it did each write. It ends with 1 if anything was written twice, lost, or
told otherwise than it was, and with 2 if it didn't come to its end in time: about 7 seconds a kill on an idle machine
of 2 cores, and at most SLOWEST.
"""

import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchestrator.demo.wire import ToolUse
from orchestrator.ledger import calls, conversations
from orchestrator.ledger.calls import Call
from tests.support.house import Files, House, house, opened
from tests.support.scripts import Turns, says, turn_of, use, uses
from tests.support.town import Town, kill, town
from workflows.messages import CallState, Outcome

WORKERS = 2
IN_FLIGHT = 12
TURNS, WRITES = 3, 4
SLOWEST, PEACE = 30.0, 900.0
"""Seconds: for each kill at most, and for what is left afterwards to come to its end."""

SAID_EVERY = 10
"""Kills between two lines that say how far it is."""

MANY = 10
"""At most so many writes between two kills."""

SHORTLY, STANDSTILL, LOOK = 0.2, 15.0, 0.02
"""Seconds."""

PLAYBOOK = """\
---
model: scripted-1
max_tokens: 1000
inputs: {number: integer}
tools: {lab: [write_thing]}
writes: {lab.write_thing: {max: 100}}
budget: {usd: 5, tokens: 3000k, turns: 20, tool_calls: 90}
---
You look after issue {{ with.number }}.
"""
FILES = replace(
    Files(mode="parallel", playbook=PLAYBOOK),
    rule=Files().rule + "  trust: {max_writes_per_subject: 1000}\n",
)


def say(label: str, value: object) -> None:
    """One line."""
    sys.stdout.write(f"{label:<34} {value}\n")
    sys.stdout.flush()


def writes(request: dict[str, Any]) -> Any:
    """The next four things to write, each with a name of its own; after three turns, the last word."""
    turn = turn_of(request)
    if turn >= TURNS:
        return says()
    issue = str(request["system"]).partition("issue ")[2].partition(".")[0]
    return uses(*(_write(f"{issue}-{turn}-{number}") for number in range(WRITES)))


def _write(name: str) -> ToolUse:
    return use("write_thing", body=name)


async def _mortal(home: House, doom: asyncio.Event) -> None:
    while True:
        async with home.worker(DEADLINE="2") as pid:
            await doom.wait()
            doom.clear()
            await kill(pid)


async def _reap(
    home: House, dooms: Sequence[asyncio.Event], kills: int, dice: random.Random
) -> None:
    """Kill one of them shortly after every few writes, until so many are dead."""
    for number in range(1, kills + 1):
        enough = len(home.executed()) + dice.randint(1, MANY)
        with suppress(TimeoutError):
            async with asyncio.timeout(STANDSTILL):
                while len(home.executed()) < enough:  # noqa: ASYNC110 - other processes can't set an Event
                    await asyncio.sleep(LOOK)
        await asyncio.sleep(dice.uniform(0, SHORTLY))
        dice.choice(dooms).set()
        if number % SAID_EVERY == 0:
            say("killed so far, written so far", f"{number}, {len(home.executed())}")


@asynccontextmanager
async def _dying(home: House, kills: int, dice: random.Random) -> AsyncIterator[asyncio.Task[None]]:
    dooms = [asyncio.Event() for _ in range(WORKERS)]
    lives = [asyncio.create_task(_mortal(home, doom)) for doom in dooms]
    try:
        yield asyncio.create_task(_reap(home, dooms, kills, dice))
    finally:
        for life in lives:
            life.cancel()
        await asyncio.gather(*lives, return_exceptions=True)


async def proof(directory: Path, place: Town, kills: int, dice: random.Random) -> list[str]:
    """Kill so many workers while runs write; what is wrong afterwards."""
    async with house(directory, place, Turns([writes]), FILES, working=False) as home:
        rung = 0
        async with asyncio.timeout(kills * SLOWEST), _dying(home, kills, dice) as reaping:
            while not reaping.done():
                if await _open(home, rung) < IN_FLIGHT:
                    rung += 1
                    await home.ring(opened(rung))
                else:
                    await asyncio.wait([reaping], timeout=LOOK * 10)
        say("runs", rung)
        async with home.worker(DEADLINE="2"), home.worker(DEADLINE="2"), asyncio.timeout(PEACE):
            while await _open(home, rung):  # noqa: ASYNC110 - other processes can't set an Event
                await asyncio.sleep(0.5)
        return await _judged(home)


async def _open(home: House, rung: int) -> int:
    found = await home.stores.ledger.read(conversations.newest, rung + 10)
    return rung - sum(one.outcome is not None for one in found)


async def _judged(home: House) -> list[str]:
    counted = Counter(home.executed("write_thing"))
    happened, wrong = Counter(counted), []
    found = await home.stores.ledger.read(conversations.newest, 100_000)
    made: list[Call] = []
    for one in found:
        of_run = await home.stores.ledger.read(calls.of_run, one.run_id)
        made += of_run
        wrong += _outcome(one.outcome, of_run, one.run_id)
    for call in made:
        times = happened.pop(f"write_thing {_name(call)}", 0)
        wrong += [] if _true(call.state, times) else [f"{_name(call)}: {call.state}, {times} times"]
    wrong += [
        f"nobody knows of {line}, which happened {times} times" for line, times in happened.items()
    ]
    doubled = sum(times > 1 for times in counted.values())
    told = Counter(str(call.state) for call in made)
    say("doubles", doubled)
    say("losses, told as done", sum(_lost(call, counted) for call in made))
    say("told as unknown", f"{told['unknown']}, of which happened {_happened(made, counted)}")
    say("how runs ended", dict(Counter(str(one.outcome) for one in found)))
    say("writes", len(made))
    say("what was told of them", dict(told))
    say("why some were not made", dict(Counter(map(_words, made)) - Counter({"": len(made)})))
    say("attempts", dict(sorted(Counter(call.attempt for call in made).items())))
    return wrong


def _lost(call: Call, happened: Counter[str]) -> bool:
    return call.state is CallState.DONE and not happened[f"write_thing {_name(call)}"]


def _happened(made: Sequence[Call], happened: Counter[str]) -> int:
    unknown = [call for call in made if call.state is CallState.UNKNOWN]
    return sum(happened[f"write_thing {_name(call)}"] for call in unknown)


def _words(call: Call) -> str:
    refused = call.state is CallState.REFUSED
    return " ".join(str(block.get("text")) for block in call.content or ()) if refused else ""


def _name(call: Call) -> str:
    return str(call.arguments["body"]).splitlines()[0]


def _true(state: CallState, times: int) -> bool:
    match state:
        case CallState.DONE:
            return times == 1
        case CallState.UNKNOWN:
            return times <= 1
        case CallState.REFUSED:
            return times == 0
        case _:
            return False


def _outcome(outcome: Outcome | None, made: Sequence[Call], run_id: str) -> list[str]:
    """A run that needs nobody knows of all its writes; one whose writes were all done needs nobody."""
    states = {call.state for call in made}
    needs = outcome is Outcome.NEEDS_ATTENTION
    honest = not needs if states <= {CallState.DONE} else needs or CallState.UNKNOWN not in states
    return [] if honest else [f"{run_id} ended {outcome}, with {sorted(states)}"]


def main(kills: int, seed: int) -> int:
    """Prove it; the exit code."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as directory, town() as place:
        say("seed", seed)
        try:
            wrong = asyncio.run(proof(Path(directory), place, kills, random.Random(seed)))
        except TimeoutError:
            say("not at its end in time", f"after {time.monotonic() - began:.0f} s")
            return 2
    say("workers killed", kills)
    say("seconds", f"{time.monotonic() - began:.0f}")
    say("written twice or told falsely", len(wrong))
    for what in wrong:
        say("", what)
    return 1 if wrong else 0


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    sys.exit(main(*(numbers + [300, random.SystemRandom().randrange(10**6)][len(numbers) :])))
