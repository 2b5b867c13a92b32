"""What every inbox promises about decisions and their lanes, whatever keeps it."""

import asyncio
import itertools
import random
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from orchestrator.inbox.inbox import Action, DecisionState, EntryState
from orchestrator.rules.rule import Finding
from tests.conformance.inboxes import IMPLEMENTATIONS, LEASE, NOW, decided, decision, one


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
    assert found["e1"][0] == replace(start, decided_at=NOW, due_at=NOW, place=1)
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
    assert (held.state, held.note, held.attempts) == (
        DecisionState.READY,
        "the server is away",
        1,
    )
    assert (held.reason, held.due_at) == ("it matched", later)
    assert [lease.decision.id for lease in await inbox.claim(NOW, LEASE, 10)] == ["c3"]

    [again] = [lease for lease in await inbox.claim(later, LEASE, 10) if lease.fence == 2][:1]
    assert again.decision.id == "c1"
    assert await inbox.settle("c1", 2, later)
    assert (await inbox.decision("c1")).note is None


async def test_r1_what_must_wait_says_what_goes_first_and_the_head_of_a_lane_says_nothing(inbox):
    for n, lane in enumerate(["a", "b", "a", "a"]):
        await decided(
            inbox, decision(f"c{n}", f"e{n}", lane=lane), event_id=f"e{n}", source=f"s{n}"
        )
    every = [f"c{n}" for n in range(4)]

    async def ahead():
        found = await inbox.ahead([*every, "nobody"])
        return {behind: (one.decision.id, one.source) for behind, one in found.items()}

    assert await ahead() == {"c2": ("c0", "s0"), "c3": ("c0", "s0")}
    (lease, *_) = await inbox.claim(NOW, LEASE, 1)
    assert await ahead() == {"c2": ("c0", "s0"), "c3": ("c0", "s0")}
    await inbox.settle("c0", lease.fence, NOW)
    assert await ahead() == {"c3": ("c2", "s2")}
    assert await inbox.ahead([]) == {}


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
    assert (dead.state, dead.note) == (DecisionState.DEAD, "no such playbook")
    assert [lease.decision.id for lease in await inbox.claim(NOW, LEASE, 1)] == ["c2"]


async def test_lanes_go_on_counting_over_events(inbox):
    await decided(inbox, decision("c1"), event_id="e1")
    await decided(inbox, decision("c2", "e2"), event_id="e2")

    [lease] = await inbox.claim(NOW, LEASE, 10)

    assert lease.decision.id == "c1"


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32), lanes=st.integers(1, 4), claimers=st.integers(2, 4))
@pytest.mark.parametrize("opened", IMPLEMENTATIONS.values(), ids=IMPLEMENTATIONS.keys())
def test_r3_however_many_claim_a_lane_has_one_holder_and_keeps_its_order(
    opened, tmp_path_factory, postgres, seed, lanes, claimers
):
    with opened(tmp_path_factory.mktemp("lanes"), postgres) as inbox:
        delivered = asyncio.run(_race(inbox, random.Random(seed), lanes, claimers))

    assert sorted(delivered) == [f"c{n:02}" for n in range(12)]
    for lane in range(lanes):
        mine = [name for name in delivered if int(name[1:]) % lanes == lane]
        assert mine == sorted(mine)


async def _race(inbox, chance, lanes, claimers):
    await decided(inbox, *[decision(f"c{n:02}", lane=f"{n % lanes}") for n in range(12)])
    race = Race(inbox, chance)
    await asyncio.gather(*[race.claimer() for _ in range(claimers)])
    return race.delivered


class Race:
    """Claimers on one clock hold leases, lose them, and settle; `delivered` is in the order of asking to settle.

    Answers may overtake each other on their way back; a head's successor can be asked for only once the
    head is settled, so the order of asking is the lane's.
    """

    def __init__(self, inbox, chance):
        self.inbox, self.chance, self.now = inbox, chance, NOW
        self.holders, self.settling, self.settled = {}, set(), {}
        self.asked = itertools.count()

    @property
    def delivered(self):
        return sorted(self.settled, key=self.settled.__getitem__)

    async def claimer(self):
        while len(self.settled) < 12:
            self.now += timedelta(seconds=self.chance.randint(1, 9))
            leases = await self.inbox.claim(self.now, LEASE, self.chance.randint(1, 3))
            await asyncio.sleep(
                0
            )  # an inbox that answers at once must not keep the others from settling
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
        asked = next(self.asked)
        self.settling.add(lease.decision.id)
        if await self.inbox.settle(lease.decision.id, lease.fence, self.now):
            assert mine
            assert lease.decision.id not in self.settled
            self.settled[lease.decision.id] = asked


def age(lease):
    return lease.decision.id, lease.fence
