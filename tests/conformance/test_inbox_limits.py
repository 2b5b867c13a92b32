"""What every inbox promises about limits: counted and written at once, and what is held goes on in its order."""

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace

from orchestrator.inbox.inbox import Action, DecisionState
from orchestrator.inbox.orders import Hold, Pausable, Retry
from orchestrator.inbox.tallies import Tallied, Tally
from tests.conformance.inboxes import LEASE, NOW, at, decision, delivered, one

HOUR = timedelta(hours=1)
LATER = NOW + timedelta(minutes=1)
FULL = "held: 1 run of triage is open"


def tally(when=NOW, most=2, bucket="ann", what=Tallied.ACTOR):
    return Tally(
        what=what, bucket=bucket, who="actor ann", said="2/h", at=when, most=most, window=HOUR
    )


async def rung(inbox, name, *tallies, now=NOW, **changes):
    """Keep an event and decide that it starts something under these limits; what was written."""
    await one(inbox, name)
    wanted = decision(f"of-{name}", name, lane=f"lane-{name}", tallies=tallies, **changes)
    return await inbox.decide(name, [wanted], now)


async def test_what_is_over_its_limit_is_ignored_on_the_record(inbox):
    for name in ("e1", "e2", "e3"):
        (written,) = await rung(inbox, name, tally())

    found = await inbox.decision("of-e3")
    assert (found.action, found.state) == (Action.IGNORE, DecisionState.SETTLED)
    assert found.reason == written.reason == "over the limit: 2/h for actor ann (3rd)"
    assert (found.lane, found.workflow_id) == (None, None)
    assert found.trace[-1].path == "limits.per_actor"
    assert not found.trace[-1].held
    assert found.trace[-1].actual == 3
    claimed = [lease.decision.id for lease in await inbox.claim(NOW, LEASE, 10)]
    assert claimed == ["of-e1", "of-e2"]


async def test_what_is_ignored_counts_under_nothing(inbox):
    await rung(inbox, "e1", tally(most=1, bucket="key"), tally(bucket="ann"))
    await rung(inbox, "e2", tally(most=1, bucket="key"), tally(bucket="ann"))
    await rung(inbox, "e3", tally(bucket="ann"))
    await rung(inbox, "e4", tally(bucket="ann"), action=Action.IGNORE)

    assert (await inbox.decision("of-e2")).action is Action.IGNORE
    assert (await inbox.decision("of-e3")).action is Action.START


async def test_the_window_slides_by_when_events_came(inbox):
    await rung(inbox, "e1", tally(NOW, most=1))
    await rung(inbox, "e2", tally(NOW + HOUR - timedelta(microseconds=1), most=1))
    await rung(inbox, "e3", tally(NOW + HOUR, most=1))
    await rung(inbox, "e4", tally(NOW + timedelta(seconds=1), most=1))

    actions = [(await inbox.decision(f"of-e{n}")).action for n in range(1, 5)]
    assert actions == [Action.START, Action.IGNORE, Action.START, Action.IGNORE]


async def test_deciding_again_counts_nothing(inbox):
    await rung(inbox, "e1", tally())
    again = await inbox.decide("e1", [decision("of-e1", tallies=(tally(),))], NOW)
    await rung(inbox, "e2", tally())

    assert again == []
    assert (await inbox.decision("of-e2")).action is Action.START


async def test_what_was_counted_is_forgotten_when_it_can_count_no_more(inbox):
    await rung(inbox, "e1", tally(most=1))
    old = NOW + HOUR + timedelta(days=1, seconds=1)
    await rung(inbox, "e2", tally(old, most=1), now=old)
    await rung(inbox, "e3", tally(NOW, most=1), now=old)

    # A day late, its window is gone: it is let through rather than kept for ever.
    assert (await inbox.decision("of-e3")).action is Action.START


async def folded(inbox, name, *tallies):
    await rung(inbox, name, *tallies, workflow_id="w", state=DecisionState.FOLDED)


async def test_what_is_folded_counts_under_nothing_until_it_acts_after_all(inbox):
    await folded(inbox, "e1", tally(most=1))
    await rung(inbox, "e2", tally(most=1, when=NOW + 2 * HOUR))
    assert (await inbox.decision("of-e1")).state is DecisionState.FOLDED

    await inbox.unfold("e1", "w")
    await rung(inbox, "e3", tally(most=1))

    assert (await inbox.decision("of-e1")).state is DecisionState.READY
    assert (await inbox.decision("of-e2")).action is Action.START
    assert (await inbox.decision("of-e3")).reason.startswith("over the limit")


async def test_what_acts_after_all_is_held_against_what_acted_meanwhile(inbox):
    await folded(inbox, "e1", tally(most=1))
    await rung(inbox, "e2", tally(most=1))

    await inbox.unfold("e1", "w")

    found = await inbox.decision("of-e1")
    assert (found.action, found.state) == (Action.IGNORE, DecisionState.SETTLED)
    assert found.reason == "over the limit: 2/h for actor ann (2nd)"
    assert (found.lane, found.workflow_id, found.place) == (None, None, 0)
    assert not found.trace[-1].held
    assert [lease.decision.id for lease in await inbox.claim(NOW, LEASE, 10)] == ["of-e2"]


async def test_what_is_folded_again_is_not_held_against_itself(inbox):
    await one(inbox, "e1")
    resume = decision("woken", "e1", lane="w", workflow_id="w", action=Action.RESUME)
    start = decision("start", "e1", lane="w", workflow_id="w", state=DecisionState.FOLDED)
    await inbox.decide("e1", [resume, replace(start, tallies=(tally(most=1),))], NOW)
    for round_ in (1, 2):
        (lease,) = await inbox.claim(NOW, LEASE, 1, {Action.RESUME})
        assert await inbox.bury("woken", lease.fence, "refused")
        assert (await inbox.decision("start")).state is DecisionState.READY
        await one(inbox, f"word{round_}")
        await inbox.decide(f"word{round_}", [], NOW, Retry("woken"))
        assert (await inbox.decision("start")).state is DecisionState.FOLDED


async def held(inbox, *names, cause="triage", until=LATER, note=FULL):
    for name in names:
        await rung(inbox, name, cause=cause)
    for lease in await inbox.claim(NOW, LEASE, 100):
        if lease.decision.event_id in names:
            await inbox.release(lease.decision.id, lease.fence, until, note, count=False)


async def due(inbox, now=NOW):
    return [lease.decision.event_id for lease in await inbox.claim(now, LEASE, 100)]


async def test_what_is_held_goes_on_oldest_first_as_many_as_are_asked_for(inbox):
    await held(inbox, "e1", "e2", "e3")

    assert await due(inbox) == []
    assert await inbox.hasten("triage", 2, NOW) == 2
    assert await due(inbox) == ["e1", "e2"]
    assert (await inbox.decision("of-e1")).attempts == 0


async def test_only_what_waits_for_runs_of_this_rule_is_hastened(inbox):
    await held(inbox, "e1", cause="other")
    await held(inbox, "e2", note="Temporal: UNAVAILABLE")
    await held(inbox, "e3", note="held: 500 deliveries stand unread in the run's mailbox")
    await rung(inbox, "e4")

    assert await inbox.hasten("triage", 10, NOW) == 0
    assert await due(inbox) == ["e4"]


async def test_what_is_leased_or_paused_is_not_hastened(inbox):
    await held(inbox, "e1", "e2", until=NOW)
    (lease,) = await inbox.claim(NOW, LEASE, 1)
    assert await inbox.hasten("triage", 10, NOW) == 1
    await inbox.release(lease.decision.id, lease.fence, LATER, FULL, count=False)
    await one(inbox, "w1", source="operator")
    pause = Hold(what=Pausable.RULE, name="triage", by="ann")
    await inbox.decide("w1", [decision("word", "w1", None, action=Action.CONTROL)], NOW, pause)

    assert await inbox.hasten("triage", 10, NOW) == 0


async def behind(inbox, *words, note=FULL):
    """A start that is held, and these behind it in its lane; ids in the order in which they come then."""
    lane = "one lane"
    await one(inbox, "e0")
    await inbox.decide("e0", [decision("head", "e0", lane=lane)], NOW)
    (lease,) = await inbox.claim(NOW, LEASE, 1)
    await inbox.release("head", lease.fence, LATER, note, count=False)
    for number, action in enumerate(words, 1):
        name = f"e{number}"
        await one(inbox, name)
        await inbox.decide(name, [decision(name, name, lane=lane, action=action)], NOW)
    came = []
    while leases := await inbox.claim(NOW, LEASE, 9):
        for lease in leases:
            came.append(lease.decision.id)
            assert await inbox.settle(lease.decision.id, lease.fence, NOW)
    return came


async def test_a5_a_wake_up_passes_the_starts_that_a_limit_holds_and_no_other_wake_up(inbox):
    start, wakes = Action.START, Action.RESUME
    assert await behind(inbox, start, wakes, start, wakes) == ["e2", "e4"]
    # What passes says so; what can't says what it is behind.
    assert {name: one.decision.id for name, one in (await inbox.ahead(["e1", "e3"])).items()} == {
        "e1": "head",
        "e3": "head",
    }
    await one(inbox, "e5")
    await inbox.decide("e5", [decision("e5", "e5", lane="one lane", action=wakes)], NOW)
    assert await inbox.ahead(["e5"]) == {}
    await delivered(inbox, "e5")
    assert [lease.decision.id for lease in await inbox.claim(LATER, LEASE, 9)] == ["head"]


@pytest.mark.parametrize(
    "note", ["Temporal: UNAVAILABLE", "held: 500 deliveries stand unread in the run's mailbox"]
)
async def test_a5_a_wake_up_keeps_its_place_where_no_limit_holds_what_is_before_it(inbox, note):
    assert await behind(inbox, Action.RESUME, note=note) == []


async def test_two_doorbells_on_one_database_never_let_more_through(postgres):
    with postgres.database() as url, at(url) as first, at(url) as second:
        names = [f"e{n}" for n in range(24)]
        for name in names:
            await one(first, name)
        wanted = {
            name: [decision(f"of-{name}", name, lane=name, tallies=(tally(), tally(bucket=name)))]
            for name in names
        }
        await asyncio.gather(
            *(inbox.decide(name, wanted[name], NOW) for name in names for inbox in (first, second))
        )

        claimed = await first.claim(NOW, LEASE, 100)
        assert len(claimed) == 2
