"""The clock of a service in a test: its own door indoors, a real inbox, a real Temporal; rules as the test says.

async with clock(client, inbox, queue) as one:
    one.rules = [scheduled("nightly")]
    await one.clock.look()
    await one.tick("nightly")
"""

import asyncio
import inspect
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.client import (
    Client,
    ScheduleBackfill,
    ScheduleHandle,
    ScheduleOverlapPolicy,
    WorkflowExecutionStatus,
)

from orchestrator.doorbell.receive import door
from orchestrator.inbox.group_commit import GroupCommit, RefusalLog
from orchestrator.inbox.inbox import Inbox
from orchestrator.inbox.orders import Pausable, Pause
from orchestrator.recovery.indoors import Ring, indoors
from orchestrator.rules.cron import Cron
from orchestrator.rules.rule import Rule
from orchestrator.rules.schedule import Schedule
from orchestrator.schedules.clock import Clock, Means
from orchestrator.schedules.keeping import OURS, Schedules
from orchestrator.schedules.ringing import Ringing
from orchestrator.secrets import Secret
from orchestrator.sources.schedule import schedule_source, ticks_of
from orchestrator.sources.source import SCHEDULE
from tests.support.builders import Log, rule
from tests.support.told import told

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOVEMBER = "0 7 16-20 11 *"
YEARLY = "0 7 1 1 *"
"""Seldom, both: no tick of their own comes in the middle of a test."""


def now() -> datetime:
    return datetime.now(UTC)


def schedule(cron: str = YEARLY, zone: str = "Europe/Berlin") -> Schedule:
    return Schedule(cron=Cron.parse(cron), zone=zone)


def scheduled(name: str, cron: str = YEARLY, zone: str = "Europe/Berlin", **changes: Any) -> Rule:
    """A rule that the clock rings for."""
    values = {"on": (ticks_of(changes.get("id", name)),), "schedule": schedule(cron, zone)}
    return rule(name, **values | {"key": None} | changes)


@asynccontextmanager
async def ringing(inbox: Inbox, secret: str = SECRET) -> AsyncIterator[Ring]:
    """How to ring a door that has the source `schedule`, and no socket."""
    sources = {SCHEDULE: schedule_source(Secret("file:s", secret))}
    async with GroupCommit(inbox, lambda _source: None) as commit, RefusalLog(inbox) as refused:

        def at_the_door(keeps: Any) -> Any:
            return door(lambda: sources, keeps, refused.refuse, now, new_id, told(Log()))

        yield indoors(at_the_door, commit)


def new_id() -> str:
    return f"evt_{uuid.uuid4().hex[:16]}"


@dataclass
class Said:
    """What a clock is told: the rules in force, and what of them is paused."""

    rules: Sequence[Rule] = ()
    paused: list[Pause] = field(default_factory=list)

    async def pauses(self) -> list[Pause]:
        return self.paused


@dataclass(kw_only=True)
class Clocked:
    """A clock, and what a test does with it."""

    client: Client
    queue: str
    clock: Clock
    schedules: Schedules
    log: Log
    said: "Said"

    @property
    def rules(self) -> Sequence[Rule]:
        return self.said.rules

    @rules.setter
    def rules(self, rules: Sequence[Rule]) -> None:
        self.said.rules = rules

    def pause(self, *names: str) -> None:
        """`doorbell rules pause` of these, and of no others."""
        self.said.paused = [
            Pause(what=Pausable.RULE, name=name, by="ann", at=now()) for name in names
        ]

    def handle(self, rule_id: str) -> ScheduleHandle:
        return self.client.get_schedule_handle(f"{OURS}{self.queue}:{rule_id}")

    async def tick(self, rule_id: str) -> None:
        """Temporal's clock rings now."""
        await self.handle(rule_id).trigger()

    async def again(self, rule_id: str, first: datetime, last: datetime) -> None:
        """Temporal's clock rings for every time that the schedule names between two moments of the past."""
        every = ScheduleOverlapPolicy.ALLOW_ALL
        backfill = ScheduleBackfill(start_at=first, end_at=last, overlap=every)
        await self.handle(rule_id).backfill(backfill)

    async def ticked(self, count: int) -> list[Any]:
        """What came of so many ticks, once all of them have rung."""

        async def ended() -> list[Any] | None:
            query = f"TaskQueue = '{self.schedules.clock_queue}'"
            found = [one async for one in self.client.list_workflows(query)]
            if len(found) < count or any(
                one.status is not WorkflowExecutionStatus.COMPLETED for one in found
            ):
                return None
            return [
                await self.client.get_workflow_handle(one.id, run_id=one.run_id).result()
                for one in found
            ]

        return await until(ended)


async def until(look: Callable[[], Any], patience: float = 30) -> Any:
    """What `look` (awaitable or not) sees, as soon as that is true."""
    async with asyncio.timeout(patience):
        while True:
            seen = look()
            seen = await seen if inspect.isawaitable(seen) else seen
            if seen:
                return seen
            await asyncio.sleep(0.05)


def straight(ring: Ring) -> Ring:
    """Nothing stands between the clock and its door."""
    return ring


@asynccontextmanager
async def clock(
    client: Client,
    inbox: Inbox,
    queue: str,
    secret: str = SECRET,
    *,
    hearing: bool = True,
    through: Callable[[Ring], Ring] = straight,
) -> AsyncIterator[Clocked]:
    """A clock whose ticks are heard; what it keeps at Temporal is deleted afterwards."""
    schedules = Schedules(client, queue)
    async with ringing(inbox, secret) as ring:

        async def connect() -> Client:
            return client

        said, log = Said(), Log()
        means = Means(
            schedules=schedules,
            connect=connect,
            ringing=Ringing(through(ring), secret, now),
            rules=lambda: said.rules,
            inbox=said,
            log=log,
        )
        made = Clock(means, look_every=timedelta(milliseconds=100))
        one = Clocked(
            client=client, queue=queue, clock=made, schedules=schedules, log=log, said=said
        )
        task = asyncio.create_task(made.hear()) if hearing else None
        try:
            yield one
        finally:
            await schedules.keep({})
            if task is not None:
                task.cancel()
                await asyncio.wait([task], timeout=10)
