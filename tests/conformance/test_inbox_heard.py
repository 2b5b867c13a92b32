"""What every inbox says of a sender: which deliveries came, and when the newest and the oldest did."""

from datetime import timedelta

from orchestrator.inbox.inbox import Action, Quarantined
from tests.conformance.inboxes import NOW, arrival, decided, decision, one

HOUR = timedelta(hours=1)


async def gone(inbox, receipt, **changes):
    """Keep one delivery, work it off and prune it."""
    ignored = decision(f"c-{receipt}", receipt, action=Action.IGNORE, lane=None)
    await decided(inbox, ignored, event_id=receipt, **changes)
    assert await inbox.prune([receipt]) == 1


async def test_d3_of_many_ids_those_are_named_that_came_from_this_source(inbox):
    await one(inbox, "e1")
    await one(inbox, "e2", source="other")
    await inbox.keep([arrival("e3", None, b"no id")])

    assert await inbox.seen("github", ["d-e1", "d-e2", "d-e3", "d"]) == {"d-e1"}
    assert await inbox.seen("github", []) == set()


async def test_d3_more_ids_than_one_statement_takes_are_looked_up_all_the_same(inbox):
    for number in (1, 700, 1400):
        await one(inbox, f"e{number}")

    known = await inbox.seen("github", [f"d-e{number}" for number in range(1500)])

    assert known == {"d-e1", "d-e700", "d-e1400"}


async def test_d3_a_pruned_delivery_was_seen_and_so_was_one_that_came_again_with_other_bytes(inbox):
    await gone(inbox, "e1")
    await one(inbox, "e2")
    assert await inbox.keep([arrival("e3", "d-e2", b"other")]) == [Quarantined("e3", "e2")]

    assert await inbox.seen("github", ["d-e1", "d-e2"]) == {"d-e1", "d-e2"}


async def test_d3_an_id_that_no_database_takes_is_looked_up_as_it_was_kept(inbox):
    await inbox.keep([arrival("e1", "d\x001", b"1")])

    assert await inbox.seen("github", ["d\x001"]) == {"d\x001"}


async def test_the_newest_and_the_oldest_delivery_of_a_source_by_when_they_came(inbox):
    ignored = decision("c2", "e2", action=Action.IGNORE, lane=None)
    await one(inbox, "e1", received_at=NOW - HOUR)
    await decided(inbox, ignored, event_id="e2", received_at=NOW)
    await one(inbox, "e3", received_at=NOW - 2 * HOUR)
    await one(inbox, "e4", source="other", received_at=NOW + HOUR)

    assert (await inbox.oldest("github"), await inbox.newest("github")) == (NOW - 2 * HOUR, NOW)
    assert (await inbox.oldest("third"), await inbox.newest("third")) == (None, None)


async def test_what_was_set_aside_was_heard_too_and_what_was_pruned_is_forgotten(inbox):
    await gone(inbox, "e1", received_at=NOW - 3 * HOUR)
    assert (await inbox.oldest("github"), await inbox.newest("github")) == (None, None)

    await one(inbox, "e2", received_at=NOW)
    await inbox.keep([arrival("e3", "d-e2", b"other", received_at=NOW + HOUR)])

    assert (await inbox.oldest("github"), await inbox.newest("github")) == (NOW, NOW + HOUR)
