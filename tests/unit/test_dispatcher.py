"""The dispatcher over a real inbox and a real ledger, with a recording stand-in for Temporal."""

import asyncio
from contextlib import suppress

import pytest

from orchestrator.dispatch.decide import OTHERS, OURSELVES
from orchestrator.dispatch.delivering import MOST_ATTEMPTS
from orchestrator.dispatch.runs import Undeliverable, Unreachable
from orchestrator.inbox.inbox import Action, DecisionState, EntryState
from orchestrator.ledger import artifacts, claims, conversations
from orchestrator.rules.rulebook import pages_of
from tests.support.builders import AT, MARK, WORKFLOW, comment, opening, rule, source, word
from tests.support.roads import road_at, the, waiting


@pytest.fixture
def road(tmp_path):
    with road_at(tmp_path) as made:
        yield made


async def test_an_event_is_decided_and_delivered_once(road):
    await road.keep(comment("e1"))

    assert await road.dispatcher.decide_some() == 1
    assert await road.dispatcher.deliver_some() == 1
    assert (await the(road, "e1")).state is DecisionState.DELIVERED
    assert (await road.inbox.entry("e1")).state is EntryState.DECIDED

    assert await road.dispatcher.decide_some() == 0
    assert await road.dispatcher.deliver_some() == 0
    assert road.runs.arrived == [("e1", "github")]


async def test_r3_one_key_is_delivered_in_the_order_it_rang(road):
    await road.keep(*(comment(f"e{n}") for n in range(1, 6)), comment("o1", number=8))
    await road.dispatcher.decide_some()
    while await road.dispatcher.deliver_some():
        pass

    ours = [event_id for event_id, _ in road.runs.arrived if event_id != "o1"]
    assert ours == [f"e{n}" for n in range(1, 6)]
    assert ("o1", "github") in road.runs.arrived[:2]


async def test_r3_of_one_key_only_one_delivery_is_under_way(road):
    road.runs.slow = asyncio.Event()
    await road.keep(comment("e1"), comment("e2"))
    await road.dispatcher.decide_some()

    first = asyncio.create_task(road.dispatcher.deliver_some())
    await road.runs.asked.wait()
    assert await road.dispatcher.deliver_some() == 0
    road.runs.slow.set()

    assert await first == 1
    assert road.runs.arrived == [("e1", "github")]


async def test_d6_while_temporal_is_away_no_attempt_is_burnt_and_the_order_stays(road):
    await road.keep(comment("e1"), comment("e2"))
    await road.dispatcher.decide_some()
    road.runs.errors = [Unreachable("Temporal: UNAVAILABLE")] * 30

    while road.runs.errors:
        assert await road.dispatcher.deliver_some() == 0
        road.clock.pass_by(3)
    held = await the(road, "e1")
    assert (held.state, held.attempts) == (DecisionState.READY, 0)
    assert "UNAVAILABLE" in held.note

    assert await road.dispatcher.deliver_some() == 1
    assert await road.dispatcher.deliver_some() == 1
    assert road.runs.arrived == [("e1", "github"), ("e2", "github")]


async def test_what_is_refused_is_buried_with_the_reason_and_its_lane_goes_on(road):
    await road.keep(comment("e1"), comment("e2"))
    await road.dispatcher.decide_some()
    broken = (await the(road, "e1")).id
    road.runs.broken[broken] = Undeliverable("Temporal: INVALID_ARGUMENT: too long")

    for attempt in range(1, MOST_ATTEMPTS + 1):
        assert (await the(road, "e1")).state is DecisionState.READY
        assert await road.dispatcher.deliver_some() == 0
        assert (await the(road, "e1")).attempts == min(attempt, MOST_ATTEMPTS - 1)
        road.clock.pass_by(2 * 2**attempt)

    dead = await the(road, "e1")
    assert dead.state is DecisionState.DEAD
    assert dead.note == "Temporal: INVALID_ARGUMENT: too long"
    assert await road.dispatcher.deliver_some() == 1
    assert road.runs.arrived == [("e2", "github")]
    assert road.log.said.count("dispatch.buried") == 1


async def test_a_refused_delivery_is_tried_again_later_not_at_once(road):
    await road.keep(comment("e1"))
    await road.dispatcher.decide_some()
    road.runs.errors = [Undeliverable("no")]
    await road.dispatcher.deliver_some()

    assert await road.dispatcher.deliver_some() == 0
    road.clock.pass_by(3)
    assert await road.dispatcher.deliver_some() == 1


async def test_r1_an_entry_whose_source_is_gone_is_ignored_on_the_record(road):
    await road.keep(comment("e1"), comment("e2", number=8))
    del road.sources["github"]
    await road.dispatcher.decide_some()

    found = await the(road, "e1")
    assert (found.action, found.state) == (Action.IGNORE, DecisionState.SETTLED)
    assert found.reason == "source 'github' is no longer configured"
    assert await road.inbox.undecided(10) == []
    assert await road.dispatcher.deliver_some() == 0


async def test_r1_an_entry_that_can_no_longer_be_read_is_ignored_on_the_record(road):
    await road.keep(comment("e1"))
    road.sources["github"] = source("standard-webhooks")
    await road.dispatcher.decide_some()

    assert (await the(road, "e1")).reason.startswith("the payload can't be read: ")


async def test_r1_what_was_not_asked_is_named_by_pages_that_are_on_disk_before_the_decision(road):
    road.rules[:] = [rule("sales", on=("stripe/*",)), rule("ops", on=("sentry/*", "x"))]
    await road.keep(comment("e1"), comment("e2"))
    await road.dispatcher.decide_some()

    for name in ("e1", "e2"):
        decision = await the(road, name)
        assert (decision.cause, decision.reason) == (OTHERS, "no match: on (2 rules)")
        kept = await road.ledger.read(artifacts.get, decision.with_["pages"])
        assert [(page.name, page.on) for page in pages_of(kept.body)] == [
            ("sales", ("stripe/*",)),
            ("ops", ("sentry/*", "x")),
        ]


async def test_r4_our_own_comment_is_skipped_on_the_record(road):
    await road.ledger.write(conversations.begin, opening(event_id="e0"), AT)
    await road.keep(comment("e1", login="our-bot"), comment("e2", text=f"Hello\n\n{MARK}"))
    await road.dispatcher.decide_some()
    assert await road.dispatcher.deliver_some() == 0

    for event_id in ("e1", "e2"):
        found = (await road.inbox.decisions([event_id]))[event_id]
        assert {each.action for each in found} == {Action.IGNORE}
        assert found[-1].cause == OURSELVES


async def test_a5_an_event_wakes_the_run_that_waits_for_it(road):
    await road.keep(comment("e1"))
    await road.dispatcher.decide_some()
    wanted = await waiting(road)
    await road.keep(comment("e2"))
    await road.dispatcher.decide_some()

    woken = (await road.inbox.decisions(["e2"]))["e2"][0]
    assert (woken.action, woken.wait_id) == (Action.RESUME, wanted.wait_id)
    assert (woken.workflow_id, woken.rule) == (WORKFLOW, "triage")


async def test_a5_an_event_that_came_before_its_wait_is_found_exactly_once(road):
    await road.keep(comment("e1"), comment("e2"))
    await road.dispatcher.decide_some()
    wanted = await waiting(road, since=1)

    assert await road.dispatcher.look_back_some() == 1
    assert await road.dispatcher.look_back_some() == 0

    found = (await road.inbox.decisions(["e2"]))["e2"]
    assert [each.action for each in found] == [Action.START, Action.RESUME]
    assert found[1].wait_id == wanted.wait_id


async def test_a5_whoever_finds_it_first_there_is_one_decision(road):
    await road.keep(comment("e1"))
    await waiting(road)
    await road.keep(comment("e2"))
    await road.dispatcher.decide_some()
    await road.dispatcher.look_back_some()

    found = (await road.inbox.decisions(["e2"]))["e2"]
    assert [each.action for each in found].count(Action.RESUME) == 1


async def test_a5_looking_back_leaves_what_is_still_to_be_decided_to_its_decision(road):
    await road.keep(comment("e1"))
    await road.dispatcher.decide_some()
    wanted = await waiting(road)
    await road.keep(comment("e2"))

    assert await road.dispatcher.look_back_some() == 0
    assert (await road.inbox.decisions(["e2"]))["e2"] == []

    await road.dispatcher.decide_some()
    assert await road.dispatcher.look_back_some() == 1
    woken = (await road.inbox.decisions(["e2"]))["e2"][0]
    assert (woken.action, woken.wait_id) == (Action.RESUME, wanted.wait_id)


async def test_a5_looking_back_skips_ourselves_and_what_was_heard(road):
    await road.keep(comment("e1"), comment("e2", login="our-bot"), comment("e3"), comment("e4"))
    await road.dispatcher.decide_some()
    opened = await waiting(road, since=1)
    await road.ledger.write(conversations.hear, opened.run_id, "e3", 3, "handed in", AT)
    await road.dispatcher.look_back_some()

    decided = await road.inbox.decisions(["e1", "e2", "e3", "e4"])
    woken = [each.event_id for found in decided.values() for each in found if each.wait_id]
    assert woken == ["e4"]


async def test_a5_an_event_after_the_deadline_is_not_found_by_looking_back(road):
    await road.keep(comment("e1"), comment("e2"))
    await road.dispatcher.decide_some()
    await waiting(road, since=1, deadline_at=AT - 1)

    assert await road.dispatcher.look_back_some() == 1
    assert (await the(road, "e2")).action is Action.START


async def test_what_runs_have_taken_is_settled(road):
    await road.keep(comment("e1"))
    await road.dispatcher.decide_some()
    await road.dispatcher.deliver_some()
    decided = await the(road, "e1")
    await road.ledger.write(claims.claim, decided.id, "t", "consumed", WORKFLOW, AT)

    road.clock.pass_by(29)
    await road.dispatcher.reconcile()
    assert (await the(road, "e1")).state is DecisionState.DELIVERED

    road.clock.pass_by(2)
    await road.dispatcher.reconcile()
    assert (await the(road, "e1")).state is DecisionState.SETTLED


async def test_a1_what_a_lost_run_never_took_is_sent_again(road):
    await road.keep(comment("e1"))
    await road.dispatcher.decide_some()
    await road.dispatcher.deliver_some()
    road.clock.pass_by(31)

    await road.dispatcher.reconcile()
    assert (await the(road, "e1")).state is DecisionState.DELIVERED

    road.runs.gone.add((await the(road, "e1")).workflow_id)
    await road.dispatcher.reconcile()
    assert await road.dispatcher.deliver_some() == 1
    assert road.runs.arrived == [("e1", "github")] * 2
    assert road.log.said.count("dispatch.sent_again") == 1


async def test_a_persons_word_reaches_a_run_the_ledger_knows(road):
    await road.keep(comment("e1"))
    await road.dispatcher.decide_some()
    conversation = await road.ledger.write(conversations.begin, opening(), AT)
    await road.keep(word("w1", "cancel", conversation.run_id), word("w2", "cancel", "nobody.1"))
    await road.dispatcher.decide_some()

    assert (await the(road, "w1")).action is Action.CONTROL
    assert (await the(road, "w1")).workflow_id == WORKFLOW
    assert (await the(road, "w2")).action is Action.IGNORE


async def test_it_works_the_inbox_off_by_itself_and_a_failure_does_not_stop_it(road):
    failed, real = [], road.dispatcher.configuration

    def configuration():
        if not failed:
            failed.append(1)
            raise OSError("a file is being written")
        return real()

    road.dispatcher.configuration = configuration
    await road.keep(comment("e1"))
    working = asyncio.create_task(road.dispatcher.work())
    try:
        async with asyncio.timeout(20):
            while not road.runs.arrived:
                road.dispatcher.poke()
                await asyncio.sleep(0.01)
    finally:
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working

    assert road.runs.arrived == [("e1", "github")]
    assert "loop.failed" in road.log.said
