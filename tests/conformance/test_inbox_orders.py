"""What every inbox promises about dead letters, pauses and redeliveries, whatever keeps it."""

from datetime import timedelta

import pytest

from orchestrator.inbox.inbox import FOLDED, UNFOLDED, Action, DecisionState, EntryState
from orchestrator.inbox.orders import Discard, Drain, Hold, Pausable, Pause, Retry
from tests.conformance.inboxes import LEASE, NOW, decided, decision, delivered, one

LATER = NOW + timedelta(minutes=1)
TRIAGE = {"what": Pausable.RULE, "name": "triage"}
GITHUB = {"what": Pausable.SOURCE, "name": "github"}


async def ordered(inbox, name, order, now=NOW):
    """A person's word, kept and carried out."""
    await one(inbox, name, source="operator")
    word = decision(f"of-{name}", name, None, action=Action.CONTROL, state=DecisionState.SETTLED)
    await inbox.decide(name, [word], now, order)


async def buried(inbox, known):
    (lease,) = [one for one in await inbox.claim(NOW, LEASE, 10) if one.decision.id == known]
    await inbox.bury(known, lease.fence, "it was refused")


async def claimed(inbox, now=NOW, actions=None):
    return [lease.decision.id for lease in await inbox.claim(now, LEASE, 10, actions)]


async def state(inbox, known):
    return (await inbox.decision(known)).state


def resume(known="wake", **changes):
    return decision(known, lane="w1", workflow_id="w1", action=Action.RESUME, **changes)


def folded(known="start", **changes):
    return decision(known, lane="w1", workflow_id="w1", state=DecisionState.FOLDED, **changes)


async def test_only_the_actions_that_are_asked_for_are_claimed(inbox):
    await decided(
        inbox,
        decision("c1", lane="a"),
        decision("c2", lane="b", action=Action.FORWARD),
        decision("c3", lane="b", action=Action.START),
    )

    assert await claimed(inbox, actions=[Action.RESUME]) == []
    assert await claimed(inbox, actions={Action.START}) == ["c1"]
    assert await claimed(inbox, actions={Action.FORWARD}) == ["c2"]


async def test_a_forward_ends_settled_and_leaves_nothing_unread(inbox):
    await decided(inbox, decision("c1", lane="a", action=Action.FORWARD))
    await delivered(inbox, "c1", at=LATER)

    found = await inbox.decision("c1")
    assert (found.state, found.delivered_at) == (DecisionState.SETTLED, LATER)
    assert await inbox.delivered(LATER + LEASE, 10) == []
    assert await inbox.unread("a") == 0


async def test_dead_letters_are_listed_oldest_first_with_the_reason(inbox):
    await decided(inbox, *(decision(f"c{n}", lane=f"{n}") for n in range(3)))
    for lease in reversed(await inbox.claim(NOW, LEASE, 10)):
        await inbox.bury(lease.decision.id, lease.fence, f"no {lease.decision.id}")

    assert [found.id for found in await inbox.dead(2)] == ["c0", "c1"]
    assert (await inbox.dead(1))[0].note == "no c0"


async def test_a_retried_dead_letter_is_ready_at_its_lanes_end_as_if_it_had_never_been_tried(inbox):
    await decided(inbox, decision("c1", attempts=9), decision("c2"))
    await buried(inbox, "c1")
    await ordered(inbox, "w1", Retry("c1"), LATER)

    found = await inbox.decision("c1")
    assert (found.state, found.attempts, found.note) == (DecisionState.READY, 0, None)
    assert found.due_at == LATER
    assert await claimed(inbox, LATER) == ["c2"]
    await inbox.settle("c2", 1, LATER)
    assert await claimed(inbox, LATER) == ["c1"]


async def test_a_discarded_dead_letter_is_settled_and_says_who_and_why(inbox):
    await decided(inbox, decision("c1"))
    await buried(inbox, "c1")
    await ordered(inbox, "w1", Discard("c1", "discarded by ann"))

    found = await inbox.decision("c1")
    assert (found.state, found.note) == (DecisionState.SETTLED, "discarded by ann")
    assert await inbox.dead(10) == []


@pytest.mark.parametrize("order", [Retry("c1"), Discard("c1", "no"), Retry("nobody")])
async def test_a_word_on_what_is_no_dead_letter_changes_nothing(inbox, order):
    await decided(inbox, decision("c1"))
    before = await inbox.decision("c1")
    await ordered(inbox, "w1", order)

    assert await inbox.decision("c1") == before
    assert (await inbox.entry("w1")).state is EntryState.DECIDED


async def test_r2_when_a_resume_is_buried_the_start_it_outranked_acts(inbox):
    await decided(inbox, resume(), folded())
    await buried(inbox, "wake")

    assert await state(inbox, "start") is DecisionState.READY
    assert await claimed(inbox) == ["start"]


async def test_r2_when_a_dead_resume_is_retried_its_start_is_folded_again(inbox):
    await decided(inbox, resume(), folded())
    await buried(inbox, "wake")
    await ordered(inbox, "w1", Retry("wake"))

    assert await state(inbox, "start") is DecisionState.FOLDED
    assert await claimed(inbox) == ["wake"]


async def test_r1_a_start_says_why_it_acts_and_folded_again_why_it_does_not(inbox):
    await decided(inbox, resume(), folded())
    await buried(inbox, "wake")
    assert (await inbox.decision("start")).reason == UNFOLDED

    await ordered(inbox, "w1", Retry("wake"))
    assert (await inbox.decision("start")).reason == FOLDED


async def test_r2_what_is_on_its_way_is_not_folded_again(inbox):
    await decided(inbox, resume(), folded())
    await buried(inbox, "wake")
    assert await claimed(inbox) == ["start"]
    await ordered(inbox, "w1", Retry("wake"))

    assert await inbox.settle("start", 1, NOW)
    assert await state(inbox, "start") is DecisionState.DELIVERED


async def test_r2_a_start_that_is_still_folded_acts_when_its_dead_resume_is_discarded(inbox):
    """A version before this one left it folded when it buried the resume."""
    await decided(inbox, resume(state=DecisionState.DEAD), folded())
    await ordered(inbox, "w1", Discard("wake", "no"))

    assert await state(inbox, "start") is DecisionState.READY


async def test_r2_only_the_start_of_the_same_redelivery_is_unfolded(inbox):
    await decided(inbox, folded("first"), folded("second", again=9))

    await inbox.unfold("e1", "w1", 9)
    assert await state(inbox, "first") is DecisionState.FOLDED
    assert await state(inbox, "second") is DecisionState.READY
    await inbox.unfold("e1", "w1")
    assert await state(inbox, "first") is DecisionState.READY
    assert (await inbox.decision("second")).again == 9


@pytest.mark.parametrize("action", [Action.START, Action.RESUME, Action.FORWARD])
@pytest.mark.parametrize("what", [TRIAGE, GITHUB])
async def test_what_is_paused_is_kept_and_not_claimed_and_then_drained_in_order(
    inbox, what, action
):
    await decided(inbox, *(decision(f"c{n}", action=action) for n in range(2)))
    await ordered(inbox, "w1", Hold(**what, by="ann"), LATER)

    assert await inbox.pauses() == [Pause(**what, by="ann", at=LATER)]
    assert await claimed(inbox, LATER) == []
    assert await inbox.waiting() == 2
    await ordered(inbox, "w2", Drain(**what))
    assert await inbox.pauses() == []
    assert await claimed(inbox, LATER) == ["c0"]
    await inbox.settle("c0", 1, LATER)
    assert await claimed(inbox, LATER) == ["c1"]


async def test_a_pause_holds_nobody_else_and_no_word_to_a_run(inbox):
    word = decision("c3", "e3", "w!person", rule="", cause="operator", action=Action.CONTROL)
    await decided(inbox, decision("c1", lane="a"), event_id="e1")
    await decided(inbox, decision("c2", "e2", "b", rule="other"), event_id="e2", source="billing")
    await decided(inbox, word, event_id="e3", source="operator")
    for n, what in enumerate((TRIAGE, GITHUB)):
        await ordered(inbox, f"w{n}", Hold(**what, by="ann"))

    assert await claimed(inbox) == ["c2", "c3"]
    assert [pause.what for pause in await inbox.pauses()] == [Pausable.RULE, Pausable.SOURCE]


async def test_a_lease_taken_before_a_pause_still_settles(inbox):
    await decided(inbox, decision())
    [lease] = await inbox.claim(NOW, LEASE, 1)
    await ordered(inbox, "w1", Hold(**TRIAGE, by="ann"))

    assert await inbox.settle("c1", lease.fence, NOW)


async def test_the_newest_word_on_a_pause_counts(inbox):
    await ordered(inbox, "w1", Hold(**TRIAGE, by="ann"))
    await ordered(inbox, "w2", Hold(**TRIAGE, by="bob"), LATER)

    assert await inbox.pauses() == [Pause(**TRIAGE, by="bob", at=LATER)]


async def test_a_word_is_carried_out_once_however_often_it_is_decided(inbox):
    await ordered(inbox, "w1", Hold(**TRIAGE, by="ann"))
    await ordered(inbox, "w2", Drain(**TRIAGE))
    await inbox.decide("w1", [], LATER, Hold(**TRIAGE, by="ann"))

    assert await inbox.pauses() == []


async def test_an_older_word_that_is_decided_later_changes_nothing_of_a_newer_one(inbox):
    await one(inbox, "w1", source="operator")
    await ordered(inbox, "w2", Drain(**TRIAGE))
    await inbox.decide("w1", [], LATER, Hold(**TRIAGE, by="ann"))

    assert await inbox.pauses() == []


async def test_d3_a_redelivery_is_decisions_about_another_event_and_both_stand_beside_each_other(
    inbox,
):
    await decided(inbox, decision("c1"))
    await one(inbox, "w1", source="operator")
    word = decision("of-w1", "w1", None, action=Action.CONTROL, state=DecisionState.SETTLED)
    for _ in range(2):
        await inbox.decide("w1", [word, decision("c2", again=2)], LATER)

    found = (await inbox.decisions(["e1", "w1"]))["e1"]
    assert [(each.id, each.again) for each in found] == [("c1", None), ("c2", 2)]
    assert (await inbox.decision("of-w1")).state is DecisionState.SETTLED
    assert await claimed(inbox, LATER) == ["c1"]


async def test_d3_what_was_pruned_in_the_meantime_is_not_decided_about(inbox):
    await decided(inbox, decision("c1", action=Action.IGNORE, lane=None))
    await one(inbox, "w1", source="operator")
    assert await inbox.prune(["e1"]) == 1
    word = decision("of-w1", "w1", None, action=Action.CONTROL, state=DecisionState.SETTLED)
    await inbox.decide("w1", [word, decision("c2")], LATER)

    assert await inbox.decision("c2") is None
    assert await inbox.decision("of-w1") is not None


async def test_what_is_to_be_delivered_is_counted_for_each_rule(inbox):
    await decided(
        inbox,
        decision("c1", lane="a"),
        decision("c2", lane="b"),
        decision("c3", lane="c", rule="other"),
        decision("c4", action=Action.IGNORE, lane=None, rule="quiet"),
    )
    await delivered(inbox, "c2")

    assert await inbox.undelivered() == {"triage": 1, "other": 1}
