"""Only so many runs of a rule are open: the others are held in the inbox, in order, and go on as runs end."""

from datetime import timedelta

import pytest

from orchestrator.dispatch import holding
from orchestrator.dispatch.runs import Undeliverable
from orchestrator.inbox.inbox import Action, DecisionState
from orchestrator.inbox.sought import Sought, Stand
from orchestrator.ledger import claims, conversations, slots, waits
from orchestrator.ledger.calls import APPLIED
from orchestrator.ledger.conversations import Opening
from orchestrator.rules.limits import Limits
from tests.support.builders import comment, kept_rules, rule, wait
from tests.support.roads import decided, delivered, road_at, the
from workflows.flow import Mode
from workflows.messages import Claim, Outcome, RunState

KEY = "issue:{{ event.issue.number }}"


def limited(name="triage", concurrent=2, **changes):
    return rule(name, key=KEY, limits=Limits(concurrent=concurrent), **changes)


@pytest.fixture
def road(tmp_path):
    with road_at(tmp_path, limited()) as made:
        yield made


async def ring(road, *numbers):
    """A comment on each of these issues, delivered as far as may be."""
    await delivered(road, *(comment(f"e{n}", number=n) for n in numbers))


def arrived(road):
    """What reached a run; lanes are delivered side by side."""
    return sorted(event_id for event_id, _ in road.runs.arrived)


async def begun(road, event_id, how=Claim.CONSUMED):
    """The run has taken its delivery, and opened a conversation for it."""
    (decision,) = [one for one in await decided(road, event_id) if one.action is Action.START]
    await claimed(road, decision, how)
    opening = Opening(
        workflow_id=decision.workflow_id,
        decision_id=decision.id,
        event_id=event_id,
        position=1,
        rule=decision.rule,
        playbook="triage",
        key=decision.key,
        source="github",
        stage="live",
        scripted=True,
        configuration="sha",
    )
    return await road.ledger.write(conversations.begin, opening, road.clock.now().timestamp())


async def claimed(road, decision, how=Claim.CONSUMED):
    at = road.clock.now().timestamp()
    await road.ledger.write(
        claims.claim, decision.id, f"token of {decision.id}", how, decision.workflow_id, at
    )


async def comes_to(road, conversation, state):
    outcome = Outcome.COMPLETED if state is RunState.ENDED else None
    at = road.clock.now().timestamp()
    await road.ledger.write(
        conversations.record, conversation.run_id, state, "so it is", outcome, at
    )


async def again(road):
    """The dispatcher looks until nothing moves."""
    while await road.dispatcher.deliver_some():
        pass


async def holds(road):
    return len(await road.ledger.read(slots.holders))


async def test_what_is_too_many_is_held_in_the_inbox_and_says_why(road):
    await ring(road, 1, 2, 3, 4)

    assert arrived(road) == ["e1", "e2"]
    held = await the(road, "e3")
    assert (held.state, held.attempts) == (DecisionState.READY, 0)
    assert held.note == "held: 2 runs of triage are open"
    found = await road.inbox.entries(10, Sought(state=Stand.HELD))
    assert [entry.id for entry in found] == ["e4", "e3"]


@pytest.mark.parametrize("state", [RunState.ENDED, RunState.WAITING, RunState.PARKED])
async def test_as_soon_as_a_run_ends_waits_or_parks_the_oldest_goes_on(road, state):
    await ring(road, 1, 2, 3, 4)
    conversation = await begun(road, "e1")
    await begun(road, "e2")
    await again(road)
    assert arrived(road) == ["e1", "e2"]

    await comes_to(road, conversation, state)
    road.clock.pass_by(0.3)
    await again(road)

    assert arrived(road) == ["e1", "e2", "e3"]


async def test_a_newer_event_does_not_overtake_those_that_are_held(road):
    await ring(road, 1, 2, 3)
    conversation = await begun(road, "e1")
    await comes_to(road, conversation, RunState.ENDED)
    await road.keep(comment("e9", number=9))
    await road.dispatcher.decide_some()

    await again(road)

    assert arrived(road) == ["e1", "e2", "e3"]
    assert (await the(road, "e9")).note.startswith("held: ")


async def test_other_rules_are_not_blocked(tmp_path):
    free = rule("free", key=KEY)
    with road_at(tmp_path, limited(concurrent=1), free) as road:
        await ring(road, 1, 2, 3)

        rules = [decision.rule for decision in road.runs.decisions]
        assert sorted(rules) == ["free", "free", "free", "triage"]


async def test_an_event_for_a_run_that_holds_a_slot_passes(road):
    await ring(road, 1, 2)
    await delivered(road, comment("e5", number=1))

    assert arrived(road) == ["e1", "e2", "e5"]
    assert await holds(road) == 2


async def test_what_stands_in_the_mailbox_of_an_ended_run_keeps_no_slot_from_others(road):
    await ring(road, 1, 2)
    conversation = await begun(road, "e1")
    await delivered(road, comment("e5", number=1), comment("e6", number=6))
    await again(road)
    assert "e6" not in arrived(road)

    await comes_to(road, conversation, RunState.ENDED)
    await again(road)

    assert "e6" in arrived(road)


async def test_an_event_for_a_run_that_waits_is_not_held(road):
    await ring(road, 1, 2)
    conversation = await begun(road, "e1")
    await comes_to(road, conversation, RunState.WAITING)
    await ring(road, 3, 4)
    await delivered(road, comment("e5", number=1))

    assert arrived(road) == ["e1", "e2", "e3", "e5"]
    assert (await the(road, "e4")).note.startswith("held: ")


async def test_a_run_that_goes_on_takes_its_slot_again_above_the_number_if_it_must(road):
    await ring(road, 1, 2)
    first, second = await begun(road, "e1"), await begun(road, "e2")
    await comes_to(road, first, RunState.WAITING)
    await ring(road, 3, 4)
    third = await begun(road, "e3")

    await comes_to(road, first, RunState.RUNNING)
    assert await holds(road) == 3
    await comes_to(road, second, RunState.ENDED)
    await again(road)
    assert "e4" not in arrived(road)
    await comes_to(road, third, RunState.ENDED)
    await again(road)

    assert "e4" in arrived(road)
    assert await holds(road) == 2


async def test_a_slot_of_a_run_that_is_gone_is_freed_by_the_reconciler(road):
    await ring(road, 1, 2, 3)
    await begun(road, "e1")
    await begun(road, "e2")
    road.runs.gone.add((await the(road, "e1")).workflow_id)
    road.clock.pass_by(31)

    await road.dispatcher.reconcile()
    await again(road)

    assert arrived(road) == ["e1", "e2", "e3"]


async def test_a_slot_of_what_is_on_its_way_to_a_run_that_is_gone_is_kept(road):
    await ring(road, 1, 2, 3)
    for event_id in ("e1", "e2"):
        road.runs.gone.add((await the(road, event_id)).workflow_id)
    road.clock.pass_by(31)

    await road.dispatcher.reconcile()
    await again(road)

    assert arrived(road) == ["e1", "e1", "e2", "e2"]


async def test_what_a_run_took_without_opening_anything_gives_its_slot_back(road):
    await ring(road, 1, 2, 3)
    for event_id in ("e1", "e2"):
        await claimed(road, await the(road, event_id), Claim.LATE)
    road.clock.pass_by(31)

    assert await holding.reconcile(road.dispatcher) == 2
    await again(road)

    assert arrived(road) == ["e1", "e2", "e3"]


async def test_a1_a_slot_outlives_a_worker_that_died_between_its_claim_and_its_conversation(road):
    await ring(road, 1, 2, 3)
    for event_id in ("e1", "e2"):
        await claimed(road, await the(road, event_id))
    road.clock.pass_by(31)

    for _ in range(2):
        await road.dispatcher.reconcile()
        await again(road)
    assert (await the(road, "e1")).state is DecisionState.SETTLED
    assert arrived(road) == ["e1", "e2"]

    road.runs.gone.add((await the(road, "e1")).workflow_id)
    await road.dispatcher.reconcile()
    await again(road)
    assert arrived(road) == ["e1", "e2", "e3"]


async def test_a_slot_is_free_again_when_its_start_is_buried(tmp_path):
    with road_at(tmp_path, limited(concurrent=1)) as road:
        await road.keep(*(comment(f"e{n}", number=n) for n in (1, 2)))
        await road.dispatcher.decide_some()
        broken = (await the(road, "e1")).id
        road.runs.broken[broken] = Undeliverable("Temporal: INVALID_ARGUMENT: too long")
        for _ in range(10):
            await road.dispatcher.deliver_some()
            road.clock.pass_by(4000)
        await again(road)

        assert (await the(road, "e1")).state is DecisionState.DEAD
        assert arrived(road) == ["e2"]


async def test_a_slot_of_a_start_that_died_unnoticed_is_freed_by_the_reconciler(tmp_path):
    with road_at(tmp_path, limited(concurrent=1)) as road:
        await road.keep(*(comment(f"e{n}", number=n) for n in (1, 2)))
        await road.dispatcher.decide_some()
        (lease,) = await road.inbox.claim(road.clock.now(), timedelta(seconds=30), 1)
        assert await holding.let_in(road.dispatcher, [lease]) == [lease]
        # Here the process died, but for the row.
        await road.inbox.bury(lease.decision.id, lease.fence, "refused")
        road.clock.pass_by(31)

        await road.dispatcher.reconcile()
        await again(road)

        assert arrived(road) == ["e2"]


async def test_a_limit_that_is_lifted_or_raised_lets_go_what_was_held(road):
    await ring(road, 1, 2, 3, 4, 5)
    road.rules[:] = [limited(concurrent=3)]
    await again(road)
    assert arrived(road) == ["e1", "e2", "e3"]

    road.rules[:] = [rule(key=KEY)]
    await again(road)

    assert arrived(road) == ["e1", "e2", "e3", "e4", "e5"]


@pytest.mark.parametrize("restarted", [False, True])
async def test_r5_a_rule_that_left_the_files_keeps_its_limit_and_what_is_held_says_so(
    road, restarted
):
    await kept_rules(road.ledger, "triage: {limits: {concurrent: 2}}")
    await ring(road, 1, 2, 3, 4)
    first = await begun(road, "e1")
    road.rules[:] = [rule("other")]
    if restarted:
        road.dispatcher.holding.clear()
        road.dispatcher.prepared = False
    for _ in range(3):
        road.clock.pass_by(31)
        await again(road)

    assert arrived(road) == ["e1", "e2"]
    gone = "rule triage is gone from the files or broken there, and keeps the limit it had"
    assert (await the(road, "e3")).note == f"held: {gone}: 2 runs of it are open"

    await comes_to(road, first, RunState.ENDED)
    await again(road)
    assert arrived(road) == ["e1", "e2", "e3"], "it goes on as runs end"


async def test_r5_a_start_that_no_limit_held_when_its_rule_left_the_files_is_held_by_it(tmp_path):
    with road_at(tmp_path, limited(concurrent=1)) as road:
        await kept_rules(road.ledger, "triage: {limits: {concurrent: 1}}")
        await road.keep(*(comment(f"e{n}", number=n) for n in range(1, 6)))
        await road.dispatcher.decide_some()
        road.rules.clear()
        await again(road)

        assert len(arrived(road)) == 1


async def test_a_limit_that_is_lowered_counts_from_the_next_start_on(road):
    await ring(road, 1, 2)
    road.rules[:] = [limited(concurrent=1)]
    first, second = await begun(road, "e1"), await begun(road, "e2")
    await ring(road, 3)
    await comes_to(road, first, RunState.ENDED)
    await again(road)
    assert "e3" not in arrived(road)

    await comes_to(road, second, RunState.ENDED)
    await again(road)

    assert "e3" in arrived(road)


async def test_runs_of_their_own_take_a_slot_each(tmp_path):
    with road_at(tmp_path, limited(mode=Mode.PARALLEL)) as road:
        await delivered(road, *(comment(f"e{n}") for n in range(5)))

        assert len(arrived(road)) == 2


async def test_after_a_restart_what_is_held_is_still_first(road):
    await ring(road, 1, 2, 3)
    conversation = await begun(road, "e1")
    await comes_to(road, conversation, RunState.ENDED)
    road.dispatcher.holding.clear()
    road.dispatcher.prepared = False
    await road.keep(comment("e9", number=9))
    await road.dispatcher.decide_some()

    await again(road)

    assert arrived(road) == ["e1", "e2", "e3"]


async def test_a5_a_limit_holds_no_wake_up_behind_a_start_of_its_key(tmp_path):
    """A person applied a call after its run had ended: it listens without a slot, and the next start waits for one."""
    with road_at(tmp_path, limited(concurrent=1)) as road:
        await ring(road, 1)
        ended = await begun(road, "e1")
        await comes_to(road, ended, RunState.ENDED)
        listens = wait(
            run_id=ended.run_id,
            workflow_id=ended.workflow_id,
            call_id=f"1.0{APPLIED}",
            state="left",
            key="issue:acme/api#1",
            cel="event.comment.body == 'done'",
        )
        await road.ledger.write(waits.begin, listens)
        await ring(road, 2)
        await begun(road, "e2")
        await delivered(road, comment("e3", number=1))
        assert arrived(road) == ["e1", "e2"], "its start is held"

        await delivered(road, comment("e4", number=1, text="done"))
        assert arrived(road) == ["e1", "e2", "e4"]
