"""What every inbox promises from the delivery of a decision to the word that its run has taken it."""

from datetime import timedelta

from orchestrator.inbox.inbox import DecisionState
from tests.conformance.inboxes import LEASE, NOW, decided, decision, delivered, one

LATER = NOW + timedelta(minutes=1)


async def state(inbox, known):
    return (await inbox.decision(known)).state


async def test_a_delivered_decision_is_named_until_it_is_closed(inbox):
    await decided(inbox, decision("c1", lane="a"), decision("c2", lane="b"))
    await delivered(inbox, "c1", at=NOW)

    assert [found.id for found in await inbox.delivered(LATER, 10)] == ["c1"]
    await inbox.close(["c1", "c2", "nobody"])

    assert await inbox.delivered(LATER, 10) == []
    assert await state(inbox, "c1") is DecisionState.SETTLED
    assert await state(inbox, "c2") is DecisionState.READY


async def test_the_longest_delivered_are_named_first_and_only_those_before_the_moment(inbox):
    await decided(inbox, *[decision(f"c{n}", lane=f"{n}") for n in range(4)])
    for n, at in enumerate([LATER, NOW, NOW + LEASE, LATER + LEASE]):
        await delivered(inbox, f"c{n}", at=at)

    overdue = await inbox.delivered(LATER + timedelta(seconds=1), 10)

    assert [found.id for found in overdue] == ["c1", "c2", "c0"]
    assert [found.id for found in await inbox.delivered(LATER, 1)] == ["c1"]
    assert await inbox.delivered(NOW, 10) == []


async def test_r3_unread_counts_what_of_a_lane_is_delivered_and_not_taken(inbox):
    await decided(inbox, *[decision(f"c{n}", lane="a\0") for n in range(3)])
    for known in ("c0", "c1"):
        await delivered(inbox, known)

    assert await inbox.unread("a\0") == 2
    assert await inbox.unread("b") == 0
    await inbox.close(["c0"])
    assert await inbox.unread("a\0") == 1


async def test_a1_a_reopened_decision_is_delivered_again_in_its_old_place(inbox):
    await decided(inbox, decision("c1", lane="a"), decision("c2", lane="a"))
    await delivered(inbox, "c1")

    await inbox.reopen("c1")

    assert await state(inbox, "c1") is DecisionState.READY
    assert await inbox.unread("a") == 0
    [again] = await inbox.claim(NOW, LEASE, 10)
    assert (again.decision.id, again.fence) == ("c1", 2)
    assert await inbox.settle("c1", again.fence, LATER)
    assert (await inbox.decision("c1")).delivered_at == LATER


async def test_only_a_delivered_decision_can_be_reopened(inbox):
    await decided(inbox, decision("c1"), decision("c2", lane="b"))
    await delivered(inbox, "c2")
    await inbox.close(["c2"])

    for known in ("c1", "c2", "nobody"):
        await inbox.reopen(known)

    assert await state(inbox, "c1") is DecisionState.READY
    assert await state(inbox, "c2") is DecisionState.SETTLED


async def test_closing_nothing_and_closing_twice_change_nothing(inbox):
    await decided(inbox, decision("c1"))
    await delivered(inbox, "c1")

    await inbox.close([])
    await inbox.close(["c1"])
    await inbox.close(["c1"])

    assert await state(inbox, "c1") is DecisionState.SETTLED


async def test_d5_the_backlog_of_a_source_is_what_it_left_to_be_worked_off(inbox):
    await decided(inbox, decision("c1", lane="a"), decision("c2", lane="b"), event_id="e1")
    await decided(inbox, decision("c3", "e2", lane="c"), event_id="e2")
    await one(inbox, "e3")
    await one(inbox, "e4", source="other")

    assert await inbox.backlog("github") == 3
    assert await inbox.backlog("other") == 1
    assert await inbox.backlog("nobody") == 0
    await delivered(inbox, "c1", "c3")
    assert await inbox.backlog("github") == 2
