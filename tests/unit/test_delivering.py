"""Retries, dead letters, pauses and forwards, as the dispatcher works them off over a real inbox."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from typing_extensions import override

from orchestrator.dispatch import delivering
from orchestrator.dispatch.backoff import retry_at
from orchestrator.dispatch.decide import workflow_id_of
from orchestrator.dispatch.forwards import Finished, Forwards
from orchestrator.dispatch.runs import Undeliverable, Unreachable
from orchestrator.inbox.inbox import Action, DecisionState
from orchestrator.rules.rule import Destination
from tests.support.builders import KEY, comment, order, rule, word
from tests.support.roads import decided, delivered, road_at, the, waiting

OWN = workflow_id_of("triage", KEY)
BEYOND = Destination(
    url="https://example.com/in",
    label="https://example.com",
    secrets=(),
    timeout=timedelta(seconds=5),
)


@dataclass
class Beyond(Forwards):
    """Remembers what reached it; an event named in `broken` raises that, one in `slow` waits."""

    arrived: list[str] = field(default_factory=list)
    broken: dict[str, Exception] = field(default_factory=dict)
    slow: dict[str, asyncio.Event] = field(default_factory=dict)
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    @override
    async def forward(self, decision, entry):
        self.asked.set()
        if entry.id in self.slow:
            await self.slow[entry.id].wait()
        if entry.id in self.broken:
            raise self.broken[entry.id]
        self.arrived.append(entry.id)


@pytest.fixture
def road(tmp_path):
    with road_at(tmp_path) as made:
        made.dispatcher.jitter = lambda: 0.5
        yield made


@pytest.fixture
def beyond(road):
    road.rules[:] = [rule("onward", playbook=None, forward=BEYOND, key=None)]
    road.dispatcher.forwards = Beyond()
    return road.dispatcher.forwards


async def ordered(road, receipt, said, named):
    await delivered(road, order(receipt, said, named))
    return await the(road, receipt)


async def forwarded(road, *arrivals, until=None):
    """Forward all that can be, or until that holds."""
    await road.keep(*arrivals)
    await road.dispatcher.decide_some()
    async with asyncio.timeout(30):
        while await road.dispatcher.forward_some() or (
            not until() if until else road.dispatcher.under_way
        ):
            pass


async def dead_letter(road, event_id, found=None):
    """Refused until it is buried."""
    found = found or await the(road, event_id)
    road.runs.broken[found.id] = Undeliverable("Temporal: INVALID_ARGUMENT")
    while (await road.inbox.decision(found.id)).state is DecisionState.READY:
        await road.dispatcher.deliver_some()
        road.clock.pass_by(3_600)
    del road.runs.broken[found.id]
    return found.id


async def test_what_was_refused_is_due_again_later_and_later(road):
    await road.keep(comment("e1"))
    await road.dispatcher.decide_some()
    found = await the(road, "e1")
    road.runs.broken[found.id] = Undeliverable("no")

    for attempts in range(delivering.MOST_ATTEMPTS - 1):
        await road.dispatcher.deliver_some()
        found = await the(road, "e1")
        assert (found.attempts, found.note) == (attempts + 1, "no")
        assert found.due_at == retry_at(attempts, road.clock.now(), lambda: 0.5)
        road.clock.time = found.due_at


async def test_whoever_refuses_for_a_time_is_left_alone_so_long(road):
    await road.keep(comment("e1"))
    await road.dispatcher.decide_some()
    wait = timedelta(minutes=7)
    road.runs.errors = [Undeliverable("busy", retry_after=wait)]
    await road.dispatcher.deliver_some()

    assert (await the(road, "e1")).due_at == road.clock.now() + wait


async def test_d6_whoever_is_away_until_a_moment_is_asked_then_and_no_attempt_is_burnt(road):
    await road.keep(comment("e1"))
    await road.dispatcher.decide_some()
    until = road.clock.now() + timedelta(minutes=3)
    road.runs.errors = [Unreachable("away", until=until)]
    await road.dispatcher.deliver_some()

    found = await the(road, "e1")
    assert (found.due_at, found.attempts, found.note) == (until, 0, "away")


async def test_a_dead_letter_that_is_retried_is_delivered_after_all(road):
    await road.keep(comment("e1"))
    await road.dispatcher.decide_some()
    known = await dead_letter(road, "e1")
    done = await ordered(road, "w1", "decision.retry", known)
    await delivered(road)

    assert done.reason == "decision.retry by ann"
    assert road.runs.arrived == [("e1", "github")]


async def test_a_dead_letter_that_is_discarded_is_never_delivered_and_says_who_wanted_that(road):
    await road.keep(comment("e1"))
    await road.dispatcher.decide_some()
    known = await dead_letter(road, "e1")
    await ordered(road, "w1", "decision.discard", known)
    again = await ordered(road, "w2", "decision.retry", known)
    await delivered(road)

    assert (await the(road, "e1")).note == (
        "discarded by ann; it was dead: Temporal: INVALID_ARGUMENT"
    )
    assert (again.action, road.runs.arrived) == (Action.IGNORE, [])


async def test_r2_when_a_wake_up_is_buried_its_rule_acts_in_its_place(road):
    await delivered(road, comment("e1"))
    await waiting(road, workflow_id=OWN)
    await road.keep(comment("e2"))
    await road.dispatcher.decide_some()
    woken, start = await decided(road, "e2")
    assert start.state is DecisionState.FOLDED

    await dead_letter(road, "e2", woken)
    await delivered(road)
    assert road.runs.decisions[-1].id == start.id


@pytest.mark.parametrize(("what", "name"), [("rule", "triage"), ("source", "github")])
async def test_what_is_paused_waits_and_is_delivered_in_order_when_it_goes_on(road, what, name):
    await ordered(road, "w1", f"{what}.pause", name)
    await delivered(road, *(comment(f"e{n}") for n in range(1, 4)))
    assert road.runs.arrived == []
    assert (await the(road, "e1")).state is DecisionState.READY

    await ordered(road, "w2", f"{what}.unpause", name)
    await delivered(road)
    assert [event_id for event_id, _ in road.runs.arrived] == ["e1", "e2", "e3"]


@pytest.mark.parametrize(("what", "name"), [("rule", "triage"), ("source", "github")])
async def test_a5_a_pause_holds_what_wakes_runs_and_lets_a_persons_word_pass(road, what, name):
    await delivered(road, comment("e1"))
    waits = await waiting(road, workflow_id=OWN)
    await ordered(road, "w1", f"{what}.pause", name)
    await delivered(road, comment("e2"), word("w2", "cancel", waits.run_id))

    assert [event_id for event_id, _ in road.runs.arrived] == ["e1", "w2"]
    await ordered(road, "w3", f"{what}.unpause", name)
    await delivered(road)
    assert road.runs.decisions[-1].wait_id == waits.wait_id


async def test_a_pause_of_nobody_is_refused_on_the_record(road):
    assert (await ordered(road, "w1", "rule.pause", "triaje")).action is Action.IGNORE
    assert await road.inbox.pauses() == []


async def test_a_rule_that_is_gone_from_the_files_can_still_be_paused_while_it_has_something_waiting(
    road,
):
    await road.keep(comment("e1"))
    await road.dispatcher.decide_some()
    road.rules.clear()
    await ordered(road, "w1", "rule.pause", "triage")

    assert [pause.name for pause in await road.inbox.pauses()] == ["triage"]
    assert road.runs.arrived == []


async def test_a_forwarded_event_is_settled_at_once(road, beyond):
    await forwarded(road, comment("e1"))

    found = await the(road, "e1")
    assert (found.action, found.state) == (Action.FORWARD, DecisionState.SETTLED)
    assert (beyond.arrived, road.runs.arrived) == (["e1"], [])


async def test_without_a_way_to_forward_what_must_be_forwarded_waits(road, beyond):
    road.dispatcher.forwards = None
    await forwarded(road, comment("e1"))
    await road.dispatcher.deliver_some()

    assert (await the(road, "e1")).state is DecisionState.READY


async def test_what_no_attempt_can_bring_there_is_buried_at_once(road, beyond):
    beyond.broken["e1"] = Finished("410: it is gone for good")
    await forwarded(road, comment("e1"))

    found = await the(road, "e1")
    assert (found.state, found.note) == (DecisionState.DEAD, "410: it is gone for good")


async def test_a_failing_destination_is_given_hours_and_then_up(road, beyond):
    beyond.broken["e1"] = Undeliverable("503")
    await forwarded(road, comment("e1"))
    began, tries = road.clock.now(), 1
    while (found := await the(road, "e1")).state is DecisionState.READY:
        road.clock.time = found.due_at
        tries += 1
        await forwarded(road)

    assert (found.state, tries) == (DecisionState.DEAD, delivering.MOST_FORWARDS)
    assert road.clock.now() - began > timedelta(hours=2)


async def test_a_slow_destination_holds_neither_runs_nor_other_forwards(road, beyond):
    road.rules.append(rule("triage"))
    beyond.slow["e1"] = asyncio.Event()
    events = (comment("e1", number=1), comment("e2", number=2))
    await forwarded(road, *events, until=lambda: beyond.arrived)
    await delivered(road)

    assert beyond.arrived == ["e2"]
    assert len(road.runs.arrived) == 2
    beyond.slow["e1"].set()
    await forwarded(road)
    assert beyond.arrived == ["e2", "e1"]


async def test_s2_a_forward_that_is_under_way_has_its_answer_before_the_dispatcher_leaves(
    road, beyond
):
    """Cut off, it would reach its destination once more after the restart."""
    beyond.slow["e1"] = asyncio.Event()
    await road.keep(comment("e1"))
    working = asyncio.create_task(road.dispatcher.work())
    await beyond.asked.wait()
    working.cancel()
    for _ in range(20):
        await asyncio.sleep(0)
    beyond.slow["e1"].set()

    with pytest.raises(asyncio.CancelledError):
        await working
    assert beyond.arrived == ["e1"]
    assert (await the(road, "e1")).state is DecisionState.SETTLED


async def test_no_more_than_sixteen_forwards_are_under_way(road, beyond):
    beyond.slow = {f"e{n}": asyncio.Event() for n in range(20)}
    events = (comment(f"e{n}", number=n) for n in range(20))
    await forwarded(road, *events, until=lambda: road.dispatcher.under_way)
    await road.dispatcher.forward_some()

    assert len(road.dispatcher.under_way) == delivering.AT_ONCE
    for gate in beyond.slow.values():
        gate.set()
    await forwarded(road)
    assert sorted(beyond.arrived) == sorted(beyond.slow)


async def test_a_bug_in_one_forward_is_logged_and_stops_no_other(road, beyond):
    beyond.broken["e1"] = KeyError("a bug")
    await forwarded(road, comment("e1", number=1), comment("e2", number=2))

    assert beyond.arrived == ["e2"]
    assert "loop.failed" in road.log.said


async def test_s2_stopping_leaves_no_forward_behind_and_its_event_is_sent_after_the_restart(
    road, beyond
):
    beyond.slow["e1"] = asyncio.Event()
    await road.keep(comment("e1"))
    working = asyncio.create_task(road.dispatcher.work())
    async with asyncio.timeout(20):
        await beyond.asked.wait()
    (left,) = road.dispatcher.under_way
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working

    assert left.cancelled()
    await road.inbox.free_leases()
    beyond.slow["e1"].set()
    road.dispatcher.under_way.clear()
    await forwarded(road)
    assert beyond.arrived == ["e1"]
