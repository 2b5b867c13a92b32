"""The clock's look at the rules, without Temporal: what it asks for, and when it asks at all."""

import asyncio
from dataclasses import dataclass, field

import pytest
from temporalio.service import RPCError, RPCStatusCode

from orchestrator.inbox.orders import Pausable, Pause
from orchestrator.schedules.clock import LOOK_AFRESH, LOOK_EVERY, Clock, Means
from orchestrator.schedules.keeping import Changes, Wanted
from tests.support.builders import NOW, Log, rule
from tests.support.clocks import Said, schedule, scheduled, until


@dataclass
class Kept:
    """Where the clock's wishes go: remembers them; `away` is raised instead, one for each time."""

    wishes: list = field(default_factory=list)
    away: list = field(default_factory=list)
    clock_queue: str = "queue-clock"

    async def keep(self, wanted):
        if self.away:
            raise self.away.pop()
        self.wishes.append(dict(wanted))
        return Changes(made=tuple(wanted))


async def nobody():
    raise RuntimeError("nobody there")


@pytest.fixture
def said():
    return Said()


@pytest.fixture
def kept():
    return Kept()


@pytest.fixture
def log():
    return Log()


@pytest.fixture
def clock(said, kept, log):
    means = Means(
        schedules=kept,
        connect=nobody,
        ringing=None,
        rules=lambda: said.rules,
        inbox=said,
        log=log,
    )
    return Clock(means)


async def test_what_nobody_changed_is_asked_for_once(clock, said, kept, log):
    said.rules = [scheduled("nightly"), rule("triage")]

    assert [await clock.look() for _ in range(3)] == [1, 0, 0]
    assert kept.wishes == [{"nightly": Wanted(schedule=schedule())}]
    assert log.said == ["schedules.kept"]


async def test_without_a_schedule_it_asks_once_all_the_same_for_one_may_be_left_over(clock, kept):
    assert [await clock.look() for _ in range(3)] == [0, 0, 0]
    assert kept.wishes == [{}]


async def test_a_reload_is_seen_at_the_next_look(clock, said, kept):
    said.rules = [scheduled("nightly")]
    await clock.look()
    said.rules = [scheduled("nightly", "0 8 1 1 *"), scheduled("weekly")]
    await clock.look()
    said.rules = []
    await clock.look()

    assert [sorted(wish) for wish in kept.wishes] == [["nightly"], ["nightly", "weekly"], []]


async def test_a_paused_rule_is_asked_for_paused_and_a_paused_source_is_not(clock, said, kept):
    said.rules = [scheduled("nightly")]
    said.paused = [
        Pause(what=Pausable.SOURCE, name="nightly", by="ann", at=NOW),
        Pause(what=Pausable.RULE, name="weekly", by="ann", at=NOW),
    ]
    await clock.look()
    said.paused = [Pause(what=Pausable.RULE, name="nightly", by="ann", at=NOW)]
    await clock.look()

    assert [wish["nightly"].paused for wish in kept.wishes] == [False, True]


async def test_d6_an_absence_is_told_once_and_asked_again_each_time(clock, said, kept, log):
    gone = RPCError("away", RPCStatusCode.UNAVAILABLE, b"")
    said.rules = [scheduled("nightly")]
    kept.away = [gone, RuntimeError("away"), gone]

    assert [await clock.look() for _ in range(5)] == [0, 0, 0, 1, 0]
    assert log.said == ["schedules.unreachable", "schedules.kept"]


async def test_once_in_a_while_it_asks_although_nothing_changed(clock, said, kept):
    said.rules = [scheduled("nightly")]
    looks = int(LOOK_AFRESH / LOOK_EVERY) + 2
    for _ in range(looks):
        await clock.look()

    assert len(kept.wishes) == 2


async def test_nobody_hears_ticks_before_there_is_a_schedule(clock, said, log):
    hearing = asyncio.create_task(clock.hear())
    await clock.look()
    await asyncio.sleep(0)
    assert log.said == []

    said.rules = [scheduled("nightly")]
    await clock.look()
    await until(lambda: "schedules.unreachable" in log.said)
    hearing.cancel()
    await asyncio.wait([hearing])
