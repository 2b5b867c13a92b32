"""Mechanics 12: what came in time ends its wait, however late it is committed or delivered."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.agent.waiting.coming import COMMITTED, coming, due_in
from orchestrator.dispatch.awaited import Weighed
from orchestrator.dispatch.decide import about_a_wait
from orchestrator.dispatch.wanting import as_wanted
from orchestrator.inbox.inbox import DecisionState, event_of
from orchestrator.inbox.memory import MemoryInbox
from orchestrator.inbox.orders import Drain, Hold, Pausable
from tests.support.builders import AT, NOW, github, wait, word
from tests.support.waits import CALLBACK, awaiting
from workflows.messages import WaitEnd

SPAN = CALLBACK.timeout
LEASE = timedelta(seconds=30)


async def status(there, receipt, at):
    """An event that the door received at this time, committed now."""
    data = {
        "action": "created",
        "deployment": {"id": 42},
        "deployment_status": {"state": "success"},
    }
    arrival = github(receipt, "deployment_status", data)
    received = NOW + timedelta(seconds=at)
    await there.inbox.keep([replace(arrival, received_at=received)])


async def decided(there, receipt):
    """It is decided that the event ends the wait."""
    entry = await there.inbox.entry(receipt)
    wanted = await there.ledger.read(as_wanted, await there.wait(), ())
    decision = about_a_wait(event_of(entry, {}), Weighed(wanted))
    await there.inbox.decide(receipt, [decision], NOW)
    return decision


async def test_a5_an_event_that_is_committed_a_moment_after_the_end_is_not_late(tmp_path):
    async with awaiting(tmp_path) as there:
        await there.sent()
        there.clock.time += SPAN
        assert not await there.end(WaitEnd.EXPIRED)
        await status(there, "e2", SPAN - 0.1)
        there.clock.time += COMMITTED + 1
        assert not await there.end(WaitEnd.EXPIRED), "it is on its way"
        await decided(there, "e2")
        assert await there.end(WaitEnd.RESOLVED, "e2")


async def test_a5_an_event_that_is_committed_before_the_end_is_seen_at_it(tmp_path):
    async with awaiting(tmp_path) as there:
        await there.sent()
        await status(there, "e2", SPAN - 0.1)
        there.clock.time += SPAN + COMMITTED
        assert not await there.end(WaitEnd.EXPIRED)
        await decided(there, "e2")
        assert await there.end(WaitEnd.RESOLVED, "e2")


async def test_a5_an_event_that_came_after_the_end_holds_nothing_open(tmp_path):
    async with awaiting(tmp_path) as there:
        await there.sent()
        await status(there, "e2", SPAN + 0.1)
        there.clock.time += SPAN + COMMITTED
        assert await there.end(WaitEnd.EXPIRED)


async def test_a5_a_wake_up_that_is_paused_past_the_end_of_its_wait_still_wins(tmp_path):
    async with awaiting(tmp_path) as there:
        await there.sent()
        await there.looked()
        await status(there, "e2", 60)
        resume = await decided(there, "e2")
        await ordered(there, Hold(what=Pausable.RULE, name=resume.rule, by="ann"))
        there.clock.time += SPAN * 20
        later = NOW + timedelta(seconds=SPAN * 20)
        assert await there.inbox.claim(later, LEASE, 9) == []
        assert not await there.end(WaitEnd.EXPIRED)

        await ordered(there, Drain(what=Pausable.RULE, name=resume.rule))
        [lease] = await there.inbox.claim(later, LEASE, 9)
        assert await there.inbox.settle(resume.id, lease.fence, later)
        assert (await there.inbox.decision(resume.id)).state is DecisionState.DELIVERED
        assert not await there.end(WaitEnd.EXPIRED), "it stands in the mailbox"
        assert await there.end(WaitEnd.RESOLVED, "e2")


async def ordered(there, order):
    """A person's word, carried out."""
    name = f"w{await there.inbox.head()}"
    await there.inbox.keep([word(name, "resume", "nobody")])
    await there.inbox.decide(name, [], NOW, order)


@given(st.integers(-9_000, 9_000))
async def test_a5_within_the_moment_after_its_end_any_wait_for_events_stays_open(late):
    found = await coming(MemoryInbox(), wait(deadline_at=AT), AT + late / 1000)
    assert found is (0 <= late < COMMITTED * 1000)


@pytest.mark.parametrize(("patterns", "left"), [(("github/*",), 5 + COMMITTED), ((), 5)])
def test_a5_a_sleep_ends_at_its_moment_and_a_wait_for_events_a_little_later(patterns, left):
    slept = wait(deadline_at=AT + 5, patterns=patterns)
    assert due_in(slept, AT) == left
    assert due_in(slept, AT + 60) == 0
