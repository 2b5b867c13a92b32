"""What every inbox promises a dispatcher that pages, starts anew, or finds that a run was gone, whatever keeps it."""

from datetime import timedelta
from itertools import chain

import pytest

from orchestrator.inbox.inbox import FOLDED, UNFOLDED, Action, DecisionState
from tests.conformance.inboxes import LEASE, NOW, decided, decision, delivered

LATER = NOW + timedelta(minutes=1)


async def pages(inbox, size, between=None):
    """The ids of everything delivered, page by page; `between` happens after each page."""
    found, last = [], None
    while page := await inbox.delivered(LATER, size, after=last):
        found.append([one.id for one in page])
        last = page[-1]
        if between is not None:
            await between(page)
    return found


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
async def test_a1_page_after_page_names_every_delivered_decision_once_and_oldest_first(inbox, size):
    await decided(inbox, *[decision(f"c{n}", lane=f"{n}") for n in range(7)])
    for n, second in enumerate([5, 1, 1, 9, 1, 0, 5]):
        await delivered(inbox, f"c{n}", at=NOW + timedelta(seconds=second))

    named = await pages(inbox, size)

    assert list(chain(*named)) == ["c5", "c1", "c2", "c4", "c0", "c6", "c3"]
    assert all(len(page) <= size for page in named)


@pytest.mark.parametrize("change", ["close", "reopen"])
async def test_a1_what_is_closed_or_reopened_meanwhile_hides_nothing_from_the_next_page(
    inbox, change
):
    await decided(inbox, *[decision(f"c{n}", lane=f"{n}") for n in range(5)])
    await delivered(inbox, *[f"c{n}" for n in range(5)])

    async def changed(page):
        if change == "close":
            await inbox.close([one.id for one in page])
        else:
            await inbox.reopen(page[0].id)

    named = await pages(inbox, 2, changed)
    assert list(chain(*named)) == [f"c{n}" for n in range(5)]


async def test_a1_at_the_start_of_the_only_process_every_lease_of_the_one_before_is_free(inbox):
    await decided(inbox, decision("c1", lane="a"), decision("c2", lane="b"))
    old = await inbox.claim(NOW, LEASE, 10)
    assert await inbox.claim(NOW, LEASE, 10) == []

    await inbox.free_leases()

    assert not await inbox.settle("c1", old[0].fence, NOW)
    again = await inbox.claim(NOW, LEASE, 10)
    assert [(lease.decision.id, lease.fence) for lease in again] == [("c1", 2), ("c2", 2)]


async def test_freeing_leases_brings_nothing_forward_that_is_held(inbox):
    await decided(inbox, decision("c1"), decision("c2", lane="b"))
    [lease, _] = await inbox.claim(NOW, LEASE, 10)
    await inbox.release("c1", lease.fence, LATER, "held", count=False)

    await inbox.free_leases()

    assert [lease.decision.id for lease in await inbox.claim(NOW, LEASE, 10)] == ["c2"]


def folded(known="start", lane="w1", **changes):
    return decision(
        known, lane=lane, workflow_id=lane, state=DecisionState.FOLDED, cause="rule", **changes
    )


async def test_r2_a_folded_start_is_not_delivered_and_holds_nobody_up(inbox):
    await decided(inbox, folded(), decision("c1", lane="w1"))

    assert [lease.decision.id for lease in await inbox.claim(NOW, LEASE, 10)] == ["c1"]
    assert (await inbox.decision("start")).state is DecisionState.FOLDED
    assert await inbox.waiting() == 1
    assert await inbox.unread("w1") == 0


async def test_r2_a_start_that_is_unfolded_stands_at_the_end_of_its_lane(inbox):
    await decided(inbox, folded(), event_id="e1")
    await decided(inbox, decision("c2", "e2", lane="w1"), event_id="e2")

    await inbox.unfold("e1", "w1")

    assert (await inbox.decision("start")).state is DecisionState.READY
    assert [lease.decision.id for lease in await inbox.claim(NOW, LEASE, 10)] == ["c2"]
    assert await inbox.settle("c2", 1, NOW)
    assert [lease.decision.id for lease in await inbox.claim(NOW, LEASE, 10)] == ["start"]


async def test_r1_a_start_that_is_unfolded_does_not_say_any_more_that_it_wakes_a_run(inbox):
    await decided(inbox, folded(reason=FOLDED))
    await inbox.unfold("e1", "w1")

    assert (await inbox.decision("start")).reason == UNFOLDED


async def test_r2_unfolding_again_does_not_deliver_again(inbox):
    await decided(inbox, folded())
    await inbox.unfold("e1", "w1")
    await delivered(inbox, "start")

    await inbox.unfold("e1", "w1")

    assert (await inbox.decision("start")).state is DecisionState.DELIVERED
    assert await inbox.claim(NOW, LEASE, 10) == []


async def test_r2_only_the_start_of_this_event_and_run_is_unfolded(inbox):
    await decided(
        inbox,
        folded("a", lane="w1"),
        folded("b", lane="w2"),
        decision("c", action=Action.IGNORE, lane=None, workflow_id="w1"),
        event_id="e1",
    )
    await decided(inbox, folded("d", lane="w1", event_id="e2"), event_id="e2")

    await inbox.unfold("e1", "w1")
    await inbox.unfold("e1", "nobody")

    found = {name: (await inbox.decision(name)).state for name in "abcd"}
    assert found == {
        "a": DecisionState.READY,
        "b": DecisionState.FOLDED,
        "c": DecisionState.SETTLED,
        "d": DecisionState.FOLDED,
    }


async def test_r3_what_was_reopened_stands_before_what_came_after_it(inbox):
    await decided(inbox, *[decision(f"c{n}", lane="a") for n in range(3)])
    await delivered(inbox, "c0")
    await delivered(inbox, "c1")
    await inbox.reopen("c0")
    await inbox.reopen("c1")

    order = []
    while leases := await inbox.claim(NOW, LEASE, 10):
        (lease,) = leases
        order.append(lease.decision.id)
        await inbox.settle(lease.decision.id, lease.fence, NOW)
    assert order == ["c0", "c1", "c2"]
