"""A5: an event from before a wait, which its run turns away or never gets, ends the wait as one after it would."""

import pytest

from orchestrator.dispatch.decide import workflow_id_of
from orchestrator.inbox.inbox import Action, DecisionState
from orchestrator.ledger import waits
from tests.support.builders import KEY, NOW, comment, rule
from tests.support.roads import decided, delivered, road_at, taken, the, waiting
from workflows.flow import Mode

OWN = workflow_id_of("triage", KEY)


@pytest.fixture
def road(tmp_path):
    with road_at(tmp_path, rule(mode=Mode.SINGLE)) as made:
        yield made


async def resumed(road, event_id):
    """The wake-ups that this event is for the wait."""
    return [one for one in await decided(road, event_id) if one.action is Action.RESUME]


async def early(road):
    """An event that reaches the mailbox of a run before the run waits for it."""
    await delivered(road, comment("e1"), comment("e2"))
    await waiting(road, since=1, workflow_id=OWN)


async def test_a5_an_event_after_the_wait_wakes_a_run_whose_rule_turns_events_away(road):
    await delivered(road, comment("e1"))
    await waiting(road, workflow_id=OWN)
    await delivered(road, comment("e2"))

    assert len(await resumed(road, "e2")) == 1


async def test_a5_an_event_before_the_wait_wakes_it_too_when_the_run_has_turned_it_away(road):
    await early(road)
    await taken(road, await the(road, "e2"), "ignored")

    assert await road.dispatcher.look_back_some() == 1
    await delivered(road)
    assert len(await resumed(road, "e2")) == 1
    assert [event_id for event_id, _ in road.runs.arrived] == ["e1", "e2", "e2"]


async def test_a5_a_run_that_turns_it_away_after_the_first_look_is_looked_at_again(road):
    await early(road)
    for _ in range(2):
        assert await road.dispatcher.look_back_some() == 0
    assert await resumed(road, "e2") == []

    await taken(road, await the(road, "e2"), "ignored")
    assert await road.dispatcher.look_back_some() == 1
    assert len(await resumed(road, "e2")) == 1


async def test_r2_an_event_that_the_run_takes_after_the_first_look_reaches_it_once(road):
    await early(road)
    assert await road.dispatcher.look_back_some() == 0

    await taken(road, await the(road, "e2"))
    assert await road.dispatcher.look_back_some() == 1
    assert await resumed(road, "e2") == []


async def test_a5_a_start_that_was_buried_leaves_its_event_to_the_wait(road):
    await delivered(road, comment("e1"))
    await road.keep(comment("e2"))
    await road.dispatcher.decide_some()
    await waiting(road, since=1, workflow_id=OWN)
    assert await road.dispatcher.look_back_some() == 0, "it may be delivered yet"

    [lease] = await road.inbox.claim(road.clock.now(), NOW - NOW, 1)
    await road.inbox.bury(lease.decision.id, lease.fence, "refused ten times")
    assert await road.dispatcher.look_back_some() == 1
    assert [one.state for one in await decided(road, "e2")] == [
        DecisionState.DEAD,
        DecisionState.READY,
    ]


async def test_a5_many_waits_of_which_nothing_is_known_yet_keep_no_other_from_being_found(
    road, monkeypatch
):
    await early(road)
    for number in range(waits.PAGE):
        await waiting(road, since=1, workflow_id=OWN, wait_id=f"wait_{number:03d}")
    await waiting(road, since=1, wait_id="wait_of_another", workflow_id="another")

    assert await road.dispatcher.look_back_some() == 1
    [found] = await resumed(road, "e2")
    assert found.wait_id == "wait_of_another"
