"""The road without Temporal: a dispatcher over a real inbox and a real ledger, on a clock that a test moves."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from orchestrator.database import Database
from orchestrator.dispatch.dispatcher import Dispatcher
from orchestrator.inbox.inbox import Arrival, Decision
from orchestrator.inbox.sql import SqlInbox
from orchestrator.ledger import claims, conversations, waits
from orchestrator.ledger.waits import Wait
from orchestrator.rules.rule import Rule
from orchestrator.sources.source import OPERATOR, Source
from tests.support.builders import (
    AT,
    NOW,
    OPERATOR_SOURCE,
    WORKFLOW,
    Log,
    configuration,
    inbox_at,
    ledger_at,
    opening,
    rule,
    source,
    wait,
)


@dataclass
class Clock:
    time: datetime = NOW

    def now(self) -> datetime:
        return self.time

    def pass_by(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@dataclass
class RecordingRuns:
    """The `Runs` protocol: remembers what reached which run; `errors` are raised instead, one for each delivery.

    `broken` maps a decision id to what its every delivery raises; `gone` are runs that are no longer there;
    `away` is raised by `prepare`, one for each time, and `silent` by `running`; `last_act` is what a run still does
    while somebody looks for it.
    """

    arrived: list[tuple[str, str]] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    broken: dict[str, Exception] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    slow: asyncio.Event | None = None
    away: list[Exception] = field(default_factory=list)
    silent: Exception | None = None
    last_act: Callable[[], Awaitable[None]] | None = None
    prepared: int = 0

    async def prepare(self) -> None:
        if self.away:
            raise self.away.pop(0)
        self.prepared += 1

    async def deliver(self, decision: Decision, source: str) -> None:
        self.asked.set()
        if self.slow is not None:
            await self.slow.wait()
        if decision.id in self.broken:
            raise self.broken[decision.id]
        if self.errors:
            raise self.errors.pop(0)
        self.decisions.append(decision)
        self.arrived.append((decision.event_id, source))

    async def running(self, workflow_id: str) -> bool:
        if self.silent is not None:
            raise self.silent
        if self.last_act is not None:
            await self.last_act()
        return workflow_id not in self.gone


@dataclass
class Road:
    """A dispatcher with everything it works on."""

    inbox: SqlInbox
    ledger: Database
    runs: RecordingRuns
    clock: Clock
    log: Log
    rules: list[Rule]
    sources: dict[str, Source]
    dispatcher: Dispatcher

    async def keep(self, *arrivals: Arrival) -> None:
        await self.inbox.keep(arrivals)


@contextmanager
def road_at(directory: Path, *rules: Rule) -> Iterator[Road]:
    runs, clock, log = RecordingRuns(), Clock(), Log()
    in_force = list(
        rules or [rule(key="issue:{{ event.repository.full_name }}#{{ event.issue.number }}")]
    )
    sources = {"github": source(own_actors=frozenset({"our-bot"})), OPERATOR: OPERATOR_SOURCE}
    with inbox_at(directory) as inbox, ledger_at(directory) as ledger:
        dispatcher = Dispatcher(
            inbox=inbox,
            ledger=ledger,
            runs=runs,
            configuration=lambda: configuration(*in_force),
            sources=lambda: sources,
            now=clock.now,
            log=log,
        )
        yield Road(inbox, ledger, runs, clock, log, in_force, sources, dispatcher)


async def decided(road: Road, event_id: str) -> list[Decision]:
    """All decisions about an event."""
    return (await road.inbox.decisions([event_id]))[event_id]


async def the(road: Road, event_id: str) -> Decision:
    """The only decision about an event."""
    (found,) = await decided(road, event_id)
    return found


async def delivered(road: Road, *arrivals: Arrival) -> None:
    """Keep these, decide about them, and deliver all that can be delivered now."""
    await road.keep(*arrivals)
    await road.dispatcher.decide_some()
    while await road.dispatcher.deliver_some():
        pass


async def taken(road: Road, decision: Decision, how: str = "consumed") -> None:
    """Its run has claimed it."""
    claimed = (decision.id, f"token of {decision.id}", how, decision.workflow_id, AT)
    await road.ledger.write(claims.claim, *claimed)


async def waiting(
    road: Road, since: int | None = None, workflow_id: str = WORKFLOW, **changes: Any
) -> Wait:
    """A conversation, opened by the event at `since` (the newest one), that waits for later ones."""
    since = since or await road.inbox.head()
    begun = opening(f"dec_{since}", event_id=f"e{since}", position=since, workflow_id=workflow_id)
    conversation = await road.ledger.write(conversations.begin, begun, AT)
    wanted = wait(run_id=conversation.run_id, since=since, workflow_id=workflow_id, **changes)
    return await road.ledger.write(waits.begin, wanted)
