"""Dispatchers and workers that are killed at random while events come; and what became of every event, counted.

    async with mayhem(home, random.Random(1), dispatchers=3, workers=2) as killed:
        await fed(home, arrivals)
    toll = await counted(home, ids)

What was done is counted twice: by the ledger, and by the lines that the hands' stand-in wrote.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sqlalchemy import func, select

from orchestrator.database import Transaction
from orchestrator.inbox.inbox import Action, Arrival, Decision
from orchestrator.ledger.schema import calls, claims, conversation_events, conversations
from tests.support.house import Files, House, opened
from tests.support.town import kill
from workflows.messages import Claim, Outcome, RunState

FLOWS = {
    "parallel": "mode: parallel",
    "queue": "mode: queue",
    "signal": "mode: signal",
    "supersede": "mode: supersede",
    "single": "mode: single",
    "coalesce": "mode: queue, coalesce: {quiet: 1s, within: 4s}",
}
"""A rule of each; the action of an event says which."""

TOLERABLE = frozenset({"consumed", "coalesced", "superseded", "ignored"})
BEHIND = "behind a parked run"
UNKNOWN = "unknown"
ASKED_FOR = frozenset({Outcome.COMPLETED, Outcome.SUPERSEDED})
AT_AN_END = frozenset({RunState.ENDED, RunState.PARKED})
"""A parked run waits for a person, and there is none here."""
IN_FLIGHT = 300
BATCH = 25
KEYS = 20
PAGE = 500
LOOK = 0.5
"""Seconds between two looks; reading all the books is dear."""

RULE = """\
NAME:
  id: HOUSE-NAME
  on: [github/issues.NAME]
  run: work
  with: {number: "{{ event.issue.number }}"}
  key: "issue:{{ event.repository.full_name }}#{{ event.issue.number }}"
  flow: {FLOW}
  trust: {max_writes_per_subject: 1000}
  stage: live
"""

PLAYBOOK = """\
---
model: scripted-1
max_tokens: 1000
inputs: {number: integer}
tools: {lab: [write_thing]}
writes: {lab.write_thing: {max: 1}}
budget: {tokens: 300k, turns: 50, tool_calls: 5}
---
You look after issue {{ with.number }}.
"""

RULES = "".join(RULE.replace("NAME", name).replace("FLOW", flow) for name, flow in FLOWS.items())
FILES = replace(Files(), rule=RULES, playbook=PLAYBOOK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Toll:
    """What became of so many events. `starts` are conversations; `twice` and `lost` name events, and must be empty.

    `unknown` are writes that were sent by a worker which was killed, so that nobody knows: no more than one for each.
    `interrupted` are those that were on their way when a newer event superseded what they were for. `parked` are runs
    that want a person, with their reasons; events `behind` one of them wait in its mailbox. `amiss` are runs that ended
    otherwise than completed or superseded, with their reasons.
    """

    events: int
    ends: Counter[str]
    starts: int
    writes: int
    unknown: int
    interrupted: int
    twice: tuple[str, ...]
    lost: tuple[str, ...]
    outcomes: Counter[str]
    parked: tuple[str, ...] = ()
    behind: int = 0
    amiss: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A conversation, as far as it is counted."""

    run_id: str
    workflow_id: str
    state: str
    reason: str
    outcome: str | None


def arrivals(
    home: House, count: int, *, of_a_key: int = 5, flows: Sequence[str] = tuple(FLOWS)
) -> Iterator[Arrival]:
    """So many events, each with a note of its own; those of 20 keys come mixed, `of_a_key` of each."""
    for number in range(count):
        key = number // (KEYS * of_a_key) * KEYS + number % KEYS
        yield home.arrival(opened(key + 1, flows[key % len(flows)], note=f"number {number};"))


async def fed(home: House, coming: Iterator[Arrival], ids: list[str] | None = None) -> list[str]:
    """Keep them batch by batch, so that some are always on their way; the ids of the events, put into the list."""
    ids = [] if ids is None else ids
    while batch := [one for _, one in zip(range(BATCH), coming, strict=False)]:
        # By what runs have heard: what only waits in mailboxes is on its way too.
        await _until(partial(_have_ended, home, len(ids) - IN_FLIGHT), every=LOOK / 5)
        ids += await home.keep(*batch)
    return ids


@asynccontextmanager
async def mayhem(
    home: House, dice: random.Random, *, dispatchers: int, workers: int, every: int = 10
) -> AsyncIterator[Counter[str]]:
    """So many of each are at work; whenever about `every` more events came to an end, one of them is killed."""
    killed: Counter[str] = Counter()
    parts = ["dispatch"] * dispatchers + ["work"] * workers
    dooms = [asyncio.Event() for _ in parts]
    lives = zip(parts, dooms, strict=True)
    tasks = [asyncio.create_task(_mortal(home, part, doom, killed)) for part, doom in lives]
    tasks.append(asyncio.create_task(_reap(home, dooms, dice, every)))
    try:
        yield killed
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


@asynccontextmanager
async def calm(home: House, *, dispatchers: int = 1, workers: int = 1) -> AsyncIterator[None]:
    """So many of each are at work, and nobody is killed."""
    dice = random.Random(0)
    async with mayhem(home, dice, dispatchers=dispatchers, workers=workers, every=10**9):
        yield


async def counted(home: House, ids: Sequence[str]) -> Toll:
    """What became of them, once nothing is on its way any more."""
    made = await _starts(home, ids)
    taken, heard, opened_, made_calls = await home.stores.ledger.read(_books)
    parked = {one.workflow_id for one in opened_ if one.state == RunState.PARKED}
    called_off = {one.run_id for one in opened_ if one.outcome == Outcome.SUPERSEDED}
    unheard = [run_id for run_id, state in made_calls if state == UNKNOWN]
    ends = {
        event: taken.get(start.id, BEHIND if start.workflow_id in parked else "nobody")
        for event, start in made.items()
    }
    lines = Counter(home.executed("write_thing"))
    heard_by = Counter(event for event, _ in heard)
    gone = [
        event
        for event in ids
        if ends.get(event) not in {*TOLERABLE, BEHIND}
        or (ends[event] == "consumed" and not heard_by[event])
    ]
    return Toll(
        events=len(ids),
        ends=Counter(ends.values()),
        starts=len(opened_),
        writes=lines.total(),
        unknown=sum(run_id not in called_off for run_id in unheard),
        interrupted=sum(run_id in called_off for run_id in unheard),
        twice=(
            *(event for event, times in heard_by.items() if times > 1),
            *(line for line, times in lines.items() if times > 1),
        ),
        lost=tuple(f"{event}: {ends.get(event)}, {made.get(event)}" for event in gone),
        outcomes=Counter(one.outcome or one.state for one in opened_),
        parked=tuple(
            f"{one.run_id}: {one.reason}" for one in opened_ if one.state == RunState.PARKED
        ),
        behind=list(ends.values()).count(BEHIND),
        amiss=tuple(
            f"{one.run_id}: {one.outcome}: {one.reason or _states(one.run_id, made_calls)}"
            for one in opened_
            if one.outcome not in {None, *ASKED_FOR}
        ),
    )


async def delivered(home: House, patience: float | None = None) -> None:
    """Wait until the inbox has nothing more to do. Raises TimeoutError."""
    async with asyncio.timeout(patience):
        await _until(lambda: _at_most(home, 0))


async def rest(home: House, ids: Sequence[str], patience: float | None = None) -> None:
    """Wait until every conversation has ended or parked, and every start of these events is claimed or behind one.

    Raises TimeoutError.
    """
    async with asyncio.timeout(patience):
        await _until(lambda: _settled(home, ids))


async def _until(holds: Callable[[], Awaitable[bool]], every: float = LOOK) -> None:
    while not await holds():  # noqa: ASYNC110 - other processes can't set an Event
        await asyncio.sleep(every)


async def _at_most(home: House, waiting: int) -> bool:
    return await home.stores.inbox.waiting() <= waiting


async def _settled(home: House, ids: Sequence[str]) -> bool:
    if await home.stores.inbox.waiting():
        return False
    made = await _starts(home, ids)
    taken, heard, opened_, _ = await home.stores.ledger.read(_books)
    parked = {one.workflow_id for one in opened_ if one.state == RunState.PARKED}
    known = {event for event, _ in heard}
    return all(one.state in AT_AN_END for one in opened_) and all(
        # Claimed, it is not in its conversation yet.
        (start.id in taken and (taken[start.id] != Claim.CONSUMED or event in known))
        or start.workflow_id in parked
        for event, start in made.items()
    )


async def _mortal(home: House, part: str, doom: asyncio.Event, killed: Counter[str]) -> None:
    while True:
        async with home.worker(PART=part, COUNTED=str(home.counted)) as pid:
            await doom.wait()
            doom.clear()
            await kill(pid)
            killed[part] += 1


async def _reap(
    home: House, dooms: Sequence[asyncio.Event], dice: random.Random, every: int
) -> None:
    # By what was done, not by time: a slow machine must not kill everybody before they began.
    goal = 0
    while True:
        goal += dice.randint(1, 2 * every)
        await _until(partial(_have_ended, home, goal), every=LOOK / 10)
        dice.choice(dooms).set()


async def _have_ended(home: House, goal: int) -> bool:
    return await home.stores.ledger.read(_claims) >= goal


def _claims(connection: Transaction) -> int:
    return connection.execute(select(func.count()).select_from(claims)).scalar_one()


async def _starts(home: House, ids: Sequence[str]) -> dict[str, Decision]:
    """The start that each event's rule decided, by the event."""
    found: dict[str, Decision] = {}
    for first in range(0, len(ids), PAGE):
        page = await home.stores.inbox.decisions(ids[first : first + PAGE])
        for decisions in page.values():
            found |= {one.event_id: one for one in decisions if one.action is Action.START}
    return found


def _states(run_id: str, made: Sequence[tuple[str, str]]) -> str:
    states = ", ".join(state for one, state in made if one == run_id)
    return f"its calls: {states or 'none'}"


def _books(connection: Transaction) -> tuple[Any, ...]:
    taken = connection.execute(select(claims.c.decision_id, claims.c.how))
    heard = connection.execute(select(conversation_events.c.event_id, conversation_events.c.run_id))
    names = [conversations.c[name] for name in Opened.__slots__]
    begun = connection.execute(select(*names))
    made = connection.execute(select(calls.c.run_id, calls.c.state))
    return (
        {row.decision_id: row.how for row in taken},
        [tuple(row) for row in heard],
        [Opened(**row._mapping) for row in begun],
        [(row.run_id, row.state) for row in made],
    )
