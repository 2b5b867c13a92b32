"""What every inbox promises to who looks for entries, whatever keeps it."""

import asyncio
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.inbox.inbox import Action, DecisionState
from orchestrator.inbox.orders import Hold, Pausable
from orchestrator.inbox.patterns import glob
from orchestrator.inbox.sought import Sought, Stand
from tests.conformance.inboxes import IMPLEMENTATIONS, LEASE, NOW, decided, decision, one

MINUTE = timedelta(minutes=1)


async def ids(inbox, limit=10, **sought):
    return [entry.id for entry in await inbox.entries(limit, Sought(**sought))]


async def test_entries_are_found_by_source_type_and_time_the_newest_first(inbox):
    await one(inbox, "e1", received_at=NOW)
    await one(inbox, "e2", received_at=NOW + MINUTE, type="issues.closed")
    await one(inbox, "e3", received_at=NOW + 2 * MINUTE, source="billing", type="invoice.paid")

    assert await ids(inbox) == ["e3", "e2", "e1"]
    assert await ids(inbox, source="github") == ["e2", "e1"]
    assert await ids(inbox, type="issues.*") == ["e2", "e1"]
    assert await ids(inbox, type="*.paid", source="github") == []
    assert await ids(inbox, since=NOW + MINUTE) == ["e3", "e2"]
    assert await ids(inbox, until=NOW + MINUTE) == ["e1"]
    assert await ids(inbox, limit=1, since=NOW) == ["e3"]


async def test_entries_after_a_position_are_found(inbox):
    await one(inbox, "e1")
    head = await inbox.head()
    await one(inbox, "e2")

    assert await ids(inbox, after=head) == ["e2"]
    assert await ids(inbox, after=await inbox.head()) == []


async def test_entries_before_a_position_are_found(inbox):
    await one(inbox, "e1")
    await one(inbox, "e2")
    head = await inbox.head()
    await one(inbox, "e3")

    assert await ids(inbox, before=head) == ["e1"]
    assert await ids(inbox, before=head + 1) == ["e2", "e1"]
    assert await ids(inbox, before=head + 1, after=head - 1) == ["e2"]
    assert await ids(inbox, before=0) == []


async def standing(inbox):
    """One entry for each way an event can stand."""
    await one(inbox, "new")
    await decided(inbox, decision("c1", "ready", "a"), event_id="ready")
    await decided(inbox, decision("c2", "full", "b"), event_id="full")
    await decided(inbox, decision("c3", "dead", "c"), event_id="dead")
    await decided(inbox, decision("c4", "away", "d"), event_id="away")
    leases = {lease.decision.id: lease for lease in await inbox.claim(NOW, LEASE, 10)}
    await inbox.bury("c3", leases["c3"].fence, "no")
    for known, note in (("c2", "held: the mailbox is full"), ("c4", "Temporal: UNAVAILABLE")):
        await inbox.release(known, leases[known].fence, NOW, note, count=False)
    quiet = decision("c5", "quiet", None, action=Action.IGNORE)
    await decided(inbox, quiet, event_id="quiet")
    gone = decision("c6", "gone", None, action=Action.IGNORE)
    await decided(inbox, gone, event_id="gone")
    await inbox.prune(["gone"])


@pytest.mark.parametrize(
    ("stand", "expected"),
    [
        (Stand.RECEIVED, ["new"]),
        (Stand.DECIDED, ["quiet", "away", "dead", "full", "ready"]),
        (Stand.PRUNED, ["gone"]),
        (Stand.QUARANTINED, []),
        (Stand.WAITING, ["away", "full", "ready"]),
        (Stand.HELD, ["full"]),
        (Stand.DEAD, ["dead"]),
    ],
)
async def test_entries_are_found_by_how_they_stand(inbox, stand, expected):
    await standing(inbox)

    assert await ids(inbox, state=stand) == expected


@pytest.mark.parametrize(
    ("what", "name", "expected"),
    [
        (Pausable.RULE, "triage", ["ready"]),
        (Pausable.SOURCE, "github", ["ready"]),
        (Pausable.SOURCE, "triage", []),
        (Pausable.RULE, "other", []),
    ],
)
async def test_what_is_paused_is_found_as_held(inbox, what, name, expected):
    await decided(inbox, decision("c1", "ready"), event_id="ready")
    await one(inbox, "w1", source="operator")
    word = decision("w", "w1", None, action=Action.CONTROL, state=DecisionState.SETTLED)
    await inbox.decide("w1", [word], NOW, Hold(what=what, name=name, by="ann"))

    assert await ids(inbox, state=Stand.HELD) == expected


ALPHABET = "aA.*?[]%_\\^-!"


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    types=st.lists(st.text(ALPHABET, min_size=1, max_size=4), min_size=1, max_size=8),
    pattern=st.text(ALPHABET, max_size=4),
)
@pytest.mark.parametrize("opened", IMPLEMENTATIONS.values(), ids=IMPLEMENTATIONS.keys())
def test_a_glob_means_the_same_to_every_inbox(opened, many, types, pattern):
    inbox = many(opened)

    async def found():
        before = await inbox.head()
        for number, type_ in enumerate(types):
            await one(inbox, f"e{before}-{number}", type=type_)
        said = await inbox.entries(20, Sought(type=pattern, after=before))
        return [entry.type for entry in reversed(said)]

    assert asyncio.run(found()) == [one for one in types if glob(pattern).fullmatch(one)]


@pytest.fixture
def many(tmp_path_factory, postgres):
    """One inbox of a kind for all examples of a test."""
    opened = []

    def get(kind):
        if not opened:
            context = kind(tmp_path_factory.mktemp("sought"), postgres)
            opened.append((context, context.__enter__()))
        return opened[0][1]

    yield get
    for context, _ in opened:
        context.__exit__(None, None, None)
