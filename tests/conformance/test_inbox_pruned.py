"""What every inbox promises about forgetting, whatever keeps it."""

from datetime import timedelta

from orchestrator.inbox.inbox import (
    Action,
    DecisionState,
    Duplicate,
    EntryState,
    Kept,
    Quarantined,
)
from tests.conformance.inboxes import (
    LEASE,
    NOW,
    arrival,
    decided,
    decision,
    delivered,
    one,
)

LATER = NOW + timedelta(days=30)


def ids(found):
    return [entry.id for entry in found]


async def settled(inbox, *event_ids, **changes):
    for event_id in event_ids:
        ignored = decision(f"c-{event_id}", event_id, action=Action.IGNORE, lane=None)
        await decided(inbox, ignored, event_id=event_id, **changes)


async def test_only_what_has_nothing_left_to_do_can_be_pruned(inbox):
    for n, known in enumerate(("ready", "delivered", "settled", "dead"), 1):
        await decided(inbox, decision(known, f"e{n}", lane=known), event_id=f"e{n}")
    await delivered(inbox, "delivered", "settled")
    await inbox.close(["settled"])
    for lease in await inbox.claim(NOW, LEASE, 10):
        if lease.decision.id == "dead":
            await inbox.bury("dead", lease.fence, "no such playbook")
    await one(inbox, "undecided")
    everything = [*(f"e{n}" for n in range(1, 5)), "undecided"]

    assert ids(await inbox.prunable("github", LATER, 10)) == ["e3", "e4"]
    assert await inbox.prune(everything) == 2
    assert [(await inbox.entry(known)).state for known in everything] == [
        EntryState.DECIDED,
        EntryState.DECIDED,
        EntryState.PRUNED,
        EntryState.PRUNED,
        EntryState.RECEIVED,
    ]
    assert await inbox.prunable("github", LATER, 10) == []


async def test_prunable_entries_come_oldest_first_page_by_page_without_bodies(inbox):
    for n, days in enumerate([3, 1, 2, 2, 9]):
        await settled(inbox, f"e{n}", received_at=NOW + timedelta(days=days))
    before = NOW + timedelta(days=9)

    first = await inbox.prunable("github", before, 2)
    second = await inbox.prunable("github", before, 2, first[-1])

    assert ids(first) == ["e1", "e2"]
    assert ids(second) == ["e3", "e0"]
    assert await inbox.prunable("github", before, 2, second[-1]) == []
    assert first[0].body == b""
    assert first[0].keys == ("issue:acme/api#7",)


async def test_each_source_is_pruned_for_itself(inbox):
    await settled(inbox, "e1", source="b")
    await settled(inbox, "e2", source="a")
    await one(inbox, "e3", source="nothing decided")

    assert await inbox.sources() == ["a", "b"]
    assert ids(await inbox.prunable("a", LATER, 10)) == ["e2"]


async def test_a_tombstone_says_nothing_of_what_the_delivery_said(inbox):
    await settled(inbox, "e1")

    assert await inbox.prune(["e1"]) == 1

    entry = await inbox.entry("e1")
    assert (entry.body, entry.headers, entry.keys) == (b"", {}, ())
    assert (entry.subject, entry.actor) == (None, None)
    assert (entry.source, entry.type, entry.delivery_id) == ("github", "issues.opened", "d-e1")
    assert (entry.received_at, entry.state) == (NOW, EntryState.PRUNED)
    assert await inbox.decisions(["e1"]) == {"e1": []}
    assert await inbox.look_back("*", "issue:acme/api#7", 0, 10) == []
    assert ids(await inbox.find("d-e1")) == ["e1"]


async def test_d3_a_pruned_delivery_is_still_a_duplicate(inbox):
    await inbox.keep([arrival("e1", "d1", b"1")])
    await inbox.decide("e1", [], NOW)
    await inbox.prune(["e1"])

    assert await inbox.keep([arrival("e2", "d1", b"1")]) == [Duplicate("e1")]
    assert await inbox.keep([arrival("e3", "d9", b"1")]) == [Duplicate("e1")]
    assert await inbox.keep([arrival("e4", "d1", b"other")]) == [Quarantined("e4", "e1")]
    assert (await inbox.entry("e1")).duplicates == 2


async def test_of_a_quarantined_delivery_nothing_stays(inbox):
    await inbox.keep([arrival("e1", "d1", b"1"), arrival("e2", "d1", b"other")])

    assert ids(await inbox.prunable("github", LATER, 10)) == ["e2"]
    assert await inbox.prune(["e2", "e2", "nobody"]) == 1
    assert await inbox.entry("e2") is None
    assert ids(await inbox.undecided(10)) == ["e1"]


async def test_a_lane_that_was_pruned_and_one_in_use_keep_their_order(inbox):
    for n, lane in enumerate(("a", "b", "b"), 1):
        await decided(inbox, decision(f"c{n}", f"e{n}", lane=lane), event_id=f"e{n}")
    await delivered(inbox, "c1", "c2")
    await inbox.close(["c1", "c2"])

    assert await inbox.prune(["e1", "e2"]) == 2

    for n, lane in enumerate(("a", "b", "a"), 4):
        await decided(inbox, decision(f"c{n}", f"e{n}", lane=lane), event_id=f"e{n}")
    order = []
    for _ in range(2):
        leases = await inbox.claim(NOW, LEASE, 10)
        order += [lease.decision.id for lease in leases]
        for lease in leases:
            await inbox.settle(lease.decision.id, lease.fence, NOW)
    assert order == ["c3", "c4", "c5", "c6"]


async def test_a_lane_that_was_pruned_gives_no_place_that_it_gave_before(inbox):
    """A run that is open since then would take what is new for late, and throw it away."""
    for n in range(1, 4):
        await decided(inbox, decision(f"c{n}", f"e{n}", lane="a"), event_id=f"e{n}")
        await delivered(inbox, f"c{n}")
        await inbox.close([f"c{n}"])
    newest = (await inbox.decisions(["e3"]))["e3"][0].place

    await inbox.prune(["e1", "e2", "e3"])
    await decided(inbox, decision("c4", "e4", lane="a"), event_id="e4")
    await decided(inbox, decision("c5", "e5", lane="a"), event_id="e5")

    found = await inbox.decisions(["e4", "e5"])
    assert newest < found["e4"][0].place < found["e5"][0].place


async def test_nothing_is_decided_on_a_tombstone(inbox):
    await settled(inbox, "e1")
    await inbox.prune(["e1"])

    await inbox.add([decision("late")], NOW)
    await inbox.decide("e1", [decision("later")], NOW)

    assert await inbox.decisions(["e1"]) == {"e1": []}
    assert await inbox.waiting() == 0


async def test_pruning_twice_and_pruning_nothing_change_nothing(inbox):
    await settled(inbox, "e1")

    assert await inbox.prune([]) == 0
    assert [await inbox.prune(["e1"]) for _ in range(2)] == [1, 0]


async def test_old_tombstones_are_forgotten_and_then_the_delivery_is_a_new_one(inbox):
    await settled(inbox, "e1", "e2", "e3")
    await settled(inbox, "young", received_at=LATER)
    await inbox.prune(["e1", "e2", "young"])

    assert await inbox.forget(LATER, 1) == 1
    assert await inbox.forget(LATER, 10) == 1
    assert await inbox.forget(LATER, 10) == 0

    assert ids(await inbox.entries(10)) == ["young", "e3"]
    assert await inbox.keep([arrival("again", "d-e1", b"e1")]) == [Kept("again")]
    assert (await inbox.decision("c-e3")).state is DecisionState.SETTLED
