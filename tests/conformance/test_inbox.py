"""What every inbox promises, whatever keeps it; a new implementation joins by a line in `IMPLEMENTATIONS`."""

import asyncio
import random
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.database import Database, DatabaseError, sqlite_url
from orchestrator.errors import Reason
from orchestrator.events import Actor
from orchestrator.inbox.inbox import (
    Action,
    Arrival,
    Decision,
    DecisionState,
    Duplicate,
    EntryState,
    Kept,
    Quarantined,
    Refusal,
)
from orchestrator.inbox.schema import MIGRATIONS
from orchestrator.inbox.sql import SqlInbox
from orchestrator.rules.rule import Finding

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LEASE = timedelta(seconds=30)


@contextmanager
def on_sqlite(directory):
    database = Database.open(sqlite_url(directory / "inbox.db"), MIGRATIONS)
    try:
        yield SqlInbox(database)
    finally:
        database.close()


IMPLEMENTATIONS = {"sqlite": on_sqlite}


@pytest.fixture(params=IMPLEMENTATIONS.values(), ids=IMPLEMENTATIONS.keys())
def inbox(request, tmp_path):
    with request.param(tmp_path) as opened:
        yield opened


def arrival(receipt="e1", delivery_id="d1", body=b"{}", **changes):
    values = {
        "id": receipt,
        "source": "github",
        "delivery_id": delivery_id,
        "type": "issues.opened",
        "subject": "acme/api#7",
        "actor": Actor(id="1", login="ann"),
        "keys": ("issue:acme/api#7",),
        "headers": {"x-github-event": "issues"},
        "body": body,
        "received_at": NOW,
        "dedupe_body": True,
    }
    return Arrival(**values | changes)


def decision(known="c1", event_id="e1", lane="triage/7", **changes):
    values = {
        "id": known,
        "event_id": event_id,
        "cause": "triage",
        "rule": "triage",
        "action": Action.START,
        "reason": "it matched",
        "lane": lane,
    }
    return Decision(**values | changes)


async def one(inbox, receipt="e1", **changes):
    await inbox.keep([arrival(receipt, f"d-{receipt}", receipt.encode(), **changes)])


async def decided(inbox, *decisions, event_id="e1"):
    await one(inbox, event_id)
    await inbox.decide(event_id, decisions, NOW)


async def test_d2_a_kept_delivery_comes_back_as_it_was(inbox):
    body = b'{"a": "\\u0000"}' * 5000
    assert await inbox.keep([arrival(body=body)]) == [Kept("e1")]

    entry = await inbox.entry("e1")

    assert entry.position == await inbox.head() == 1
    assert entry.body == body
    assert (entry.source, entry.delivery_id, entry.type) == ("github", "d1", "issues.opened")
    assert (entry.subject, entry.actor) == ("acme/api#7", Actor(id="1", login="ann"))
    assert (entry.keys, entry.headers) == (("issue:acme/api#7",), {"x-github-event": "issues"})
    assert (entry.received_at, entry.state) == (NOW, EntryState.RECEIVED)
    assert (entry.duplicates, entry.duplicate_of) == (0, None)


async def test_nothing_to_keep_and_nothing_kept(inbox):
    assert await inbox.keep([]) == []
    assert await inbox.head() == 0
    assert await inbox.entry("e1") is None
    assert await inbox.waiting() == 0


async def test_d2_a_body_of_megabytes_is_kept_too(inbox):
    body = random.Random(1).randbytes(1024 * 1024)

    assert await inbox.keep([arrival(body=body)]) == [Kept("e1")]
    assert (await inbox.entry("e1")).body == body


async def test_d3_the_same_delivery_twice_is_named_a_duplicate(inbox):
    await inbox.keep([arrival()])

    assert await inbox.keep([arrival("e2")]) == [Duplicate("e1")]
    assert await inbox.entry("e2") is None
    assert (await inbox.entry("e1")).duplicates == 1


async def test_d3_a_repeat_inside_one_batch_is_a_duplicate_too(inbox):
    batch = [arrival("e1", "d1", b"1"), arrival("e2", "d1", b"1"), arrival("e3", "d2", b"1")]

    assert await inbox.keep(batch) == [Kept("e1"), Duplicate("e1"), Duplicate("e1")]
    assert (await inbox.entry("e1")).duplicates == 2


async def test_d3_the_same_bytes_under_another_id_are_a_duplicate_that_registers_nothing(inbox):
    await inbox.keep([arrival("e1", "d1", b"1")])

    assert await inbox.keep([arrival("e2", "d2", b"1")]) == [Duplicate("e1")]
    assert await inbox.keep([arrival("e3", "d2", b"2")]) == [Kept("e3")]


async def test_d3_equal_bytes_are_two_deliveries_where_the_id_is_signed(inbox):
    first, second = arrival(dedupe_body=False), arrival("e2", "d2", dedupe_body=False)

    assert await inbox.keep([first, second]) == [Kept("e1"), Kept("e2")]


async def test_d3_without_an_id_only_equal_bytes_can_tell(inbox):
    blind = [arrival(f"e{n}", None, dedupe_body=False) for n in (1, 2)]
    seeing = [arrival(f"e{n}", None) for n in (3, 4)]

    assert await inbox.keep(blind) == [Kept("e1"), Kept("e2")]
    assert await inbox.keep(seeing) == [Kept("e3"), Duplicate("e3")]


async def test_d3_sources_do_not_share_ids(inbox):
    assert await inbox.keep([arrival(), arrival("e2", source="other")]) == [Kept("e1"), Kept("e2")]


async def test_d3_a_known_id_with_other_bytes_is_put_aside(inbox):
    await inbox.keep([arrival()])

    assert await inbox.keep([arrival("e2", body=b"other")]) == [Quarantined("e2", "e1")]

    aside = await inbox.entry("e2")
    assert (aside.state, aside.duplicate_of, aside.body) == (
        EntryState.QUARANTINED,
        "e1",
        b"other",
    )
    assert [entry.id for entry in await inbox.find("d1")] == ["e1", "e2"]
    assert [entry.id for entry in await inbox.undecided(10)] == ["e1"]
    assert await inbox.look_back("*", "issue:acme/api#7", 1, 10) == []


async def test_d7_the_same_other_bytes_are_put_aside_only_once(inbox):
    await inbox.keep([arrival()])
    others = [arrival(f"e{n}", body=b"other") for n in (2, 3)]

    assert await inbox.keep(others) == [Quarantined("e2", "e1")] * 2
    assert await inbox.keep([arrival("e4", body=b"other")]) == [Quarantined("e2", "e1")]
    assert len(await inbox.entries(10)) == 2


async def test_d3_two_hundred_at_once_are_kept_once(inbox):
    batches = [inbox.keep([arrival(f"e{n}")]) for n in range(200)]
    receipts = [receipt for batch in await asyncio.gather(*batches) for receipt in batch]

    kept = [receipt for receipt in receipts if isinstance(receipt, Kept)]
    assert len(kept) == 1
    assert receipts.count(Duplicate(kept[0].id)) == 199
    assert (await inbox.entry(kept[0].id)).duplicates == 199


async def test_receipts_are_in_the_order_of_the_arrivals(inbox):
    batch = [arrival(f"e{n}", f"d{n}", b"%d" % n) for n in (5, 3, 9, 1)]

    assert await inbox.keep(batch) == [Kept("e5"), Kept("e3"), Kept("e9"), Kept("e1")]


async def test_a_batch_is_kept_whole_or_not_at_all(inbox):
    with pytest.raises(DatabaseError):
        await inbox.keep([arrival("e1", "d1", b"1"), arrival("e2", "d2", b"2", source=None)])

    assert await inbox.entries(10) == []


async def test_strangers_text_with_nul_is_kept_and_found(inbox):
    await inbox.keep([arrival(delivery_id="d\0", subject="a\0", keys=("issue:a\0",))])

    assert [entry.id for entry in await inbox.find("d\0")] == ["e1"]
    assert [entry.id for entry in await inbox.look_back("*", "issue:a\0", 0, 9)] == ["e1"]


async def test_find_takes_an_id_a_delivery_id_or_how_it_begins(inbox):
    await inbox.keep([arrival("abc1", "x%1", b"1"), arrival("abc2", "X%2", b"2")])

    assert [entry.id for entry in await inbox.find("abc")] == ["abc1", "abc2"]
    assert [entry.id for entry in await inbox.find("abc2")] == ["abc2"]
    assert [entry.id for entry in await inbox.find("x%")] == ["abc1"]
    assert await inbox.find("%") == []
    assert await inbox.find("ABC") == []


async def test_find_gives_ten_at_most(inbox):
    await inbox.keep([arrival(f"e{n:02}", f"d{n}", b"%d" % n) for n in range(20)])

    assert len(await inbox.find("e")) == 10


async def test_entries_are_newest_first_without_bodies(inbox):
    await inbox.keep([arrival("e1", "d1", b"1"), arrival("e2", "d2", b"2", source="other")])

    assert [(entry.id, entry.body) for entry in await inbox.entries(10)] == [
        ("e2", b""),
        ("e1", b""),
    ]
    assert [entry.id for entry in await inbox.entries(10, "github")] == ["e1"]
    assert [entry.id for entry in await inbox.entries(1)] == ["e2"]


async def test_o3_refusals_are_remembered_newest_first(inbox):
    refusals = [
        Refusal(
            at=NOW,
            source="github",
            reason=Reason.BAD_SIGNATURE,
            detail=f"{n}",
            headers=("host", "x-hub-signature-256"),
        )
        for n in range(3)
    ]
    for refusal in refusals:
        await inbox.refuse(refusal)

    assert await inbox.refusals(2) == [refusals[2], refusals[1]]


async def test_d7_only_the_newest_thousand_refusals_are_kept(inbox):
    refusal = Refusal(at=NOW, source="x", reason=Reason.STALE, detail="", headers=())
    await inbox.refuse_all([replace(refusal, detail=f"{n}") for n in range(1200)])
    await inbox.refuse(replace(refusal, detail="last"))

    remembered = await inbox.refusals(5000)

    assert len(remembered) == 1000
    assert (remembered[0].detail, remembered[-1].detail) == ("last", "201")


async def test_r1_all_decisions_of_an_event_come_back_with_their_trace(inbox):
    finding = Finding(
        path="when.x", operator="in", expected=("a", 1), actual={"b": None}, held=False
    )
    start = decision(
        playbook="triage",
        with_={"number": 7, "name": "api"},
        key="issue:acme/api#7",
        stage="preview",
        workflow_id="w1",
        wait_id="q",
        configuration="sha",
    )
    ignore = decision("c2", action=Action.IGNORE, reason="when.x", trace=(finding,), lane=None)
    await decided(inbox, start, ignore)

    found = await inbox.decisions(["e1", "nope"])

    assert found["nope"] == []
    assert found["e1"][0] == replace(start, decided_at=NOW)
    assert found["e1"][1].state is DecisionState.SETTLED
    assert found["e1"][1].trace == (replace(finding, expected=["a", 1]),)
    assert await inbox.decision("c1") == found["e1"][0]
    assert await inbox.decision("c9") is None
    assert (await inbox.entry("e1")).state is EntryState.DECIDED
    assert await inbox.undecided(10) == []
    assert await inbox.waiting() == 1


async def test_r2_deciding_again_changes_nothing(inbox):
    await decided(inbox, decision())
    await inbox.decide("e1", [decision(reason="other"), decision("c2")], NOW)

    assert [found.reason for found in (await inbox.decisions(["e1"]))["e1"]] == ["it matched"]


async def test_later_decisions_are_added_once(inbox):
    await decided(inbox, decision())
    late = decision("c2", action=Action.RESUME, wait_id="q")
    await inbox.add([late, decision(reason="other")], NOW)
    await inbox.add([late], NOW)

    assert [found.id for found in (await inbox.decisions(["e1"]))["e1"]] == ["c1", "c2"]


async def test_undecided_entries_come_in_the_order_they_were_kept(inbox):
    for receipt in ("e2", "e1", "e3"):
        await one(inbox, receipt)

    assert [entry.id for entry in await inbox.undecided(2)] == ["e2", "e1"]


async def test_r3_only_the_head_of_a_lane_can_be_claimed(inbox):
    await decided(
        inbox,
        decision("c1", lane="a"),
        decision("c2", lane="a"),
        decision("c3", lane="b"),
        decision("c4", action=Action.IGNORE, lane="c"),
    )

    leases = await inbox.claim(NOW, LEASE, 10)

    assert [(lease.decision.id, lease.fence, lease.until) for lease in leases] == [
        ("c1", 1, NOW + LEASE),
        ("c3", 1, NOW + LEASE),
    ]
    assert await inbox.claim(NOW, LEASE, 10) == []
    assert await inbox.settle("c1", 1, NOW)
    assert [lease.decision.id for lease in await inbox.claim(NOW, LEASE, 10)] == ["c2"]
    settled = await inbox.decision("c1")
    assert (settled.state, settled.delivered_at) == (DecisionState.DELIVERED, NOW)


async def test_a_claim_is_bounded_and_takes_the_oldest(inbox):
    await decided(inbox, *[decision(f"c{n}", lane=f"{9 - n}") for n in range(5)])

    assert [lease.decision.id for lease in await inbox.claim(NOW, LEASE, 2)] == ["c0", "c1"]
    assert await inbox.waiting() == 5


async def test_r3_a_held_head_blocks_its_lane_and_no_other(inbox):
    await decided(
        inbox, decision("c1", lane="a"), decision("c2", lane="a"), decision("c3", lane="b")
    )
    await inbox.claim(NOW, LEASE, 1)
    later = NOW + timedelta(minutes=1)
    assert await inbox.release("c1", 1, later, "the server is away", count=True)

    held = await inbox.decision("c1")
    assert (held.state, held.reason, held.attempts) == (
        DecisionState.READY,
        "the server is away",
        1,
    )
    assert [lease.decision.id for lease in await inbox.claim(NOW, LEASE, 10)] == ["c3"]

    [again] = [lease for lease in await inbox.claim(later, LEASE, 10) if lease.fence == 2][:1]
    assert again.decision.id == "c1"
    assert await inbox.settle("c1", 2, later)
    assert (await inbox.decision("c1")).reason == "it matched"


async def test_a_release_without_an_attempt_is_not_counted(inbox):
    await decided(inbox, decision())
    [lease] = await inbox.claim(NOW, LEASE, 1)

    assert await inbox.release("c1", lease.fence, NOW, "paused", count=False)
    assert (await inbox.decision("c1")).attempts == 0


async def test_a_claim_that_was_given_back_can_no_longer_settle(inbox):
    await decided(inbox, decision())
    [lease] = await inbox.claim(NOW, LEASE, 1)
    await inbox.release("c1", lease.fence, NOW, "later", count=True)

    assert not await inbox.settle("c1", lease.fence, NOW)
    assert not await inbox.release("c1", lease.fence, NOW, "again", count=True)
    assert not await inbox.bury("c1", lease.fence, "dead")


async def test_a1_a_claim_that_was_taken_over_can_no_longer_settle(inbox):
    await decided(inbox, decision())
    [first] = await inbox.claim(NOW, LEASE, 1)
    [second] = await inbox.claim(NOW + LEASE, LEASE, 1)

    assert second.fence > first.fence
    assert not await inbox.settle("c1", first.fence, NOW)
    assert not await inbox.release("c1", first.fence, NOW, "late", count=True)
    assert not await inbox.bury("c1", first.fence, "late")
    assert await inbox.settle("c1", second.fence, NOW)
    assert not await inbox.settle("c1", second.fence, NOW)


async def test_a_slow_claim_that_nobody_took_over_still_settles(inbox):
    await decided(inbox, decision())
    [lease] = await inbox.claim(NOW, LEASE, 1)

    assert await inbox.settle("c1", lease.fence, NOW + 10 * LEASE)


async def test_a_buried_decision_lets_its_lane_go_on(inbox):
    await decided(inbox, decision("c1"), decision("c2"))
    [lease] = await inbox.claim(NOW, LEASE, 1)

    assert await inbox.bury("c1", lease.fence, "no such playbook")

    dead = await inbox.decision("c1")
    assert (dead.state, dead.reason) == (DecisionState.DEAD, "no such playbook")
    assert [lease.decision.id for lease in await inbox.claim(NOW, LEASE, 1)] == ["c2"]


async def test_lanes_go_on_counting_over_events(inbox):
    await decided(inbox, decision("c1"), event_id="e1")
    await decided(inbox, decision("c2", "e2"), event_id="e2")

    [lease] = await inbox.claim(NOW, LEASE, 10)

    assert lease.decision.id == "c1"


async def test_looking_back_sees_source_type_key_and_position(inbox):
    key = "deployment:1"
    kinds = [("github", "deployment_status.created"), ("evil", "deployment_status.created")]
    kinds += [("github", "issues.opened"), ("github", "deployment_status.created")]
    for n, (source, type_) in enumerate(kinds, 1):
        await one(inbox, f"e{n}", source=source, type=type_, keys=(key, "x:1", key))

    async def back(pattern, key=key, since=0, limit=10):
        return [entry.id for entry in await inbox.look_back(pattern, key, since, limit)]

    assert await back("github/deployment_status.*") == ["e1", "e4"]
    assert await back("github/deployment_status.*", since=1) == ["e4"]
    assert await back("github/*", limit=2) == ["e1", "e3"]
    assert await back("*", key="deployment:2") == []
    assert await back("github/deployment_status.create?") == ["e1", "e4"]
    assert await back("github/[id]*") == []


async def test_ready_means_that_it_can_be_written(inbox):
    await inbox.pulse(NOW)
    await inbox.pulse(NOW)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32), lanes=st.integers(1, 4), claimers=st.integers(2, 4))
@pytest.mark.parametrize("opened", IMPLEMENTATIONS.values(), ids=IMPLEMENTATIONS.keys())
def test_r3_however_many_claim_a_lane_has_one_holder_and_keeps_its_order(
    opened, tmp_path_factory, seed, lanes, claimers
):
    with opened(tmp_path_factory.mktemp("lanes")) as inbox:
        delivered = asyncio.run(_race(inbox, random.Random(seed), lanes, claimers))

    assert sorted(delivered) == sorted(set(delivered)) == [f"c{n:02}" for n in range(12)]
    for lane in range(lanes):
        mine = [name for name in delivered if int(name[1:]) % lanes == lane]
        assert mine == sorted(mine)


async def _race(inbox, chance, lanes, claimers):
    await decided(inbox, *[decision(f"c{n:02}", lane=f"{n % lanes}") for n in range(12)])
    race = Race(inbox, chance)
    await asyncio.gather(*[race.claimer() for _ in range(claimers)])
    return race.delivered


class Race:
    """Claimers on one clock hold leases, lose them, and settle; `delivered` is the order of settling."""

    def __init__(self, inbox, chance):
        self.inbox, self.chance, self.now = inbox, chance, NOW
        self.holders, self.settling, self.delivered = {}, set(), []

    async def claimer(self):
        while len(self.delivered) < 12:
            self.now += timedelta(seconds=self.chance.randint(1, 9))
            leases = await self.inbox.claim(self.now, LEASE, self.chance.randint(1, 3))
            for lease in leases:
                self.hold(lease)
            self.now += self.chance.choice([timedelta(0), timedelta(0), LEASE])
            for lease in leases:
                await asyncio.sleep(0)
                await self.settle(lease)

    def hold(self, lease):
        before = self.holders.get(lease.decision.lane)
        if before is not None and age(before) > age(lease):
            return  # its claimer was slow to hear of it; somebody has taken it over since
        if before is not None and before.decision.id == lease.decision.id:
            assert before.until <= lease.until - LEASE
        elif before is not None:
            assert before.decision.id in self.settling
        self.holders[lease.decision.lane] = lease

    async def settle(self, lease):
        if self.chance.random() < 0.3:
            return
        mine = self.holders[lease.decision.lane] is lease
        self.settling.add(lease.decision.id)
        if await self.inbox.settle(lease.decision.id, lease.fence, self.now):
            assert mine
            self.delivered.append(lease.decision.id)


def age(lease):
    return lease.decision.id, lease.fence
