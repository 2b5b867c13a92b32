"""Design, mechanics 14: who stood still for a pause goes on when it is over: in order, a few at a time, by one row."""

from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.inbox.orders import Pausable, Pause, holding
from orchestrator.ledger import conversations, notices, standstills
from orchestrator.ledger.standstills import Standstill
from orchestrator.tending import resuming
from orchestrator.tending.unpausing import AT_ONCE, BY, UNDER_WAY, chosen, go_on_some, identity
from tests.support.builders import AT, NOW, Log, inbox_at, ledger_at, opening, order
from tests.support.roads import delivered, road_at
from workflows.messages import Outcome, RunState

RULE = Pause(what=Pausable.RULE, name="triage", by="ann", at=NOW)
SOURCE = Pause(what=Pausable.SOURCE, name="github", by="ann", at=NOW)


def held(run_id="r1", act="turn 1", **changes):
    values = {
        "run_id": run_id,
        "act": act,
        "number": 1,
        "since": AT,
        "released": 0,
        "released_at": None,
        "parked": True,
    }
    return Standstill(**values | changes)


def names(*found):
    return [of_run[0].run_id for of_run in chosen(found)]


MANY = [held(f"r{number}") for number in range(AT_ONCE + 2)]


def test_a_pause_holds_the_runs_of_its_rule_or_source_and_no_others():
    both = [SOURCE, RULE]

    assert holding(both, rule="triage", source="github") is SOURCE
    assert holding([RULE], rule="triage", source="stripe") is RULE
    assert holding(both, rule="github", source="triage") is None
    assert [one.ends_with for one in both] == [
        "doorbell rules unpause source:github",
        "doorbell rules unpause triage",
    ]


def test_a_few_go_on_at_once_in_the_order_in_which_they_were_held():
    assert names(*MANY) == [f"r{number}" for number in range(AT_ONCE)]


def test_the_next_go_on_when_those_have_begun_something():
    going = [replace(one, released=1, released_at=AT, parked=False) for one in MANY[:2]]

    assert names(*going, *MANY[2:]) == [f"r{number}" for number in range(2, AT_ONCE)]


def test_what_has_not_parked_yet_is_left_alone():
    assert names(held(parked=False)) == []


def test_a_run_goes_on_once_for_all_that_was_held_of_it():
    first, second = held(act="1.0"), held(act="1.1", number=3)
    (of_run,) = chosen([first, held("r2"), second])[:1]

    assert of_run == [first, second]
    assert names(first, held("r2"), second) == ["r1", "r2"]


def test_the_row_is_another_one_as_soon_as_anything_is_held_once_more():
    first, second = held(act="1.0"), held(act="1.1")
    every = [[first], [second], [first, second], [first, replace(second, number=2)]]

    assert identity([first, second]) == identity([second, first])
    assert len({identity(one) for one in every}) == len(every)


@pytest.fixture
async def stores(tmp_path):
    with ledger_at(tmp_path) as ledger, inbox_at(tmp_path) as inbox:
        yield ledger, inbox


async def begun(ledger, number=1, state=RunState.PARKED, act="turn 1"):
    ref = await ledger.write(
        conversations.begin, opening(f"dec_{number}", workflow_id=f"work-{number}"), AT
    )
    await ledger.write(standstills.hold, ref.run_id, act, AT + number)
    outcome = Outcome.CANCELLED if state is RunState.ENDED else None
    await ledger.write(conversations.record, ref.run_id, state, "", outcome, AT)
    return ref.run_id


async def look(stores, seconds=0.0, log=None):
    ledger, inbox = stores
    now = NOW + timedelta(seconds=seconds)
    return await go_on_some(inbox, ledger, now, lambda: None, log or Log())


async def resumed(inbox):
    """The runs that are let go on by what stands in the inbox, and by whom."""
    entries = await inbox.undecided(99)
    return [(one.subject, one.actor.login) for one in entries if one.type == "run.resume"]


async def test_a_parked_run_gets_one_row_for_each_time_it_was_held(stores):
    ledger, inbox = stores
    run_id, log = await begun(ledger), Log()
    await begun(ledger, 2, RunState.ENDED)
    await begun(ledger, 3, RunState.RUNNING)

    assert [await look(stores, at, log) for at in (0, 2, 2 * UNDER_WAY)] == [1, 0, 0]
    # It went on, and was held a second time.
    await ledger.write(standstills.hold, run_id, "turn 1", AT + 300)
    assert [await look(stores, at, log) for at in (300, 302)] == [1, 0]
    assert await resumed(inbox) == [(run_id, BY)] * 2
    assert log.said == ["pause.released"] * 2


async def test_a1_a_service_killed_before_it_wrote_that_down_lets_nobody_go_on_twice(stores):
    ledger, inbox = stores
    run_id = await begun(ledger)
    (found,) = await ledger.read(standstills.standing, [], [], 0.0, 9)
    await inbox.keep([resuming.row(identity([found]), run_id, BY, NOW)])
    await look(stores)

    assert len(await resumed(inbox)) == 1


async def test_a1_one_that_was_held_again_before_that_was_written_down_goes_on_again(stores):
    ledger, inbox = stores
    run_id = await begun(ledger)
    (found,) = await ledger.read(standstills.standing, [], [], 0.0, 9)
    await inbox.keep([resuming.row(identity([found]), run_id, BY, NOW)])
    await ledger.write(standstills.hold, run_id, "turn 1", AT + 9)

    assert await look(stores) == 1
    assert len(await resumed(inbox)) == 2


async def test_a_run_whose_act_has_begun_since_is_left_alone(stores):
    ledger, _ = stores
    run_id = await begun(ledger)
    await ledger.write(standstills.begin, run_id, "turn 1")

    assert await look(stores) == 0


async def test_one_that_begins_does_not_forget_another_that_is_held(stores):
    """Two calls of a turn: one was held before the pause was over, the other one came after it."""
    ledger, _ = stores
    run_id = await begun(ledger, act="1.0")
    await ledger.write(standstills.begin, run_id, "1.1")

    assert await look(stores) == 1


async def test_nobody_is_told_of_a_run_that_somebody_paused_and_of_its_next_reason_people_are(
    stores,
):
    ledger, _ = stores
    run_id = await begun(ledger)

    async def told_of(reason):
        await ledger.write(conversations.record, run_id, RunState.PARKED, reason, None, AT)
        found = await ledger.read(notices.parked, "doorbell", 9)
        return [run.run_id for run, _ in found]

    paused = f"rule 'triage' is paused; {standstills.GOES_ON}"
    assert await told_of(paused) == []
    assert await told_of("its budget is spent") == [run_id]
    await ledger.write(standstills.begin, run_id, "turn 1")
    assert await told_of(paused) == [run_id]


async def test_nobody_goes_on_under_another_pause_and_nobody_waits_behind_such_a_run(tmp_path):
    with road_at(tmp_path) as road:
        stores = road.ledger, road.inbox
        await begun(road.ledger)
        await delivered(road, order("w1", "rule.pause", "triage"))
        await delivered(road, order("w2", "source.pause", "github"))
        assert await look(stores) == 0
        await delivered(road, order("w3", "rule.unpause", "triage"))
        assert await look(stores) == 0
        await delivered(road, order("w4", "source.unpause", "github"))
        assert await look(stores) == 1
