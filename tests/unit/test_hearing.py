"""A source that is expected to ring and doesn't is told once, and its return once; clocks are handed in."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.inbox.inbox import Action
from orchestrator.inbox.memory import MemoryInbox
from orchestrator.recovery.hearing import Hearing
from orchestrator.recovery.silence import Silence, silence
from tests.conformance.inboxes import decided, decision, one
from tests.support.builders import NOW
from tests.support.builders import source as builder
from tests.support.recovery import Lines

HOUR = timedelta(hours=1)
SIX = 6 * HOUR


class House:
    """An inbox, a clock that stands, and a log."""

    def __init__(self, **expected):
        self.at, self.inbox, self.lines = NOW, MemoryInbox(), Lines()
        self.sources = {name: expecting(name, expect) for name, expect in expected.items()}
        self.hearing = Hearing(lambda: self.sources, self.inbox, lambda: self.at, self.lines)

    async def after(self, length):
        self.at += length
        return await self.hearing.look()

    async def rings(self, receipt, source="github"):
        await one(self.inbox, receipt, source=source, received_at=self.at)


def expecting(name, expect):
    return replace(builder(), name=name, expect=expect)


async def test_o3_silence_is_told_once_when_it_begins_and_once_when_it_ends():
    house = House(github=SIX)
    await house.rings("e1")

    assert await house.after(SIX) == 0
    assert await house.after(timedelta(seconds=1)) == 1
    assert await house.after(HOUR) == 1
    assert house.lines.said == [
        (
            "source.silent",
            {"source": "github", "expect_seconds": 21600, "heard_at": NOW.isoformat()},
        )
    ]

    await house.rings("e2")
    assert await house.after(HOUR) == 0
    assert await house.after(HOUR) == 0
    assert [event for event, _ in house.lines.said] == ["source.silent", "source.heard"]


async def test_where_nothing_ever_came_silence_is_measured_from_our_start():
    house = House(github=SIX)

    assert await house.after(SIX) == 0
    assert await house.after(HOUR) == 1
    assert house.lines.of("source.silent")[0]["heard_at"] is None


async def test_after_a_long_sleep_of_our_own_a_silent_source_is_silent_at_once():
    before = House(github=SIX)
    await before.rings("e1")
    later = House(github=SIX)
    later.inbox, later.at = before.inbox, NOW + 7 * HOUR
    later.hearing = Hearing(lambda: later.sources, later.inbox, lambda: later.at, later.lines)

    assert await later.hearing.look() == 1


async def test_a_delivery_that_is_pruned_before_long_was_heard_all_the_same():
    house = House(github=SIX)
    ignored = decision("c1", action=Action.IGNORE, lane=None)
    await house.after(5 * HOUR)
    await decided(house.inbox, ignored, received_at=house.at)
    await house.after(HOUR)
    assert await house.inbox.prune(["e1"]) == 1

    assert await house.after(4 * HOUR) == 0
    assert await house.after(2 * HOUR) == 1


async def test_each_source_has_its_own_patience_and_one_without_is_never_silent():
    house = House(github=SIX, billing=HOUR, chat=None)
    await house.rings("e1", "chat")

    assert await house.after(2 * HOUR) == 1
    assert house.hearing.standing() == [
        Silence(source="billing", expect=HOUR, heard_at=None, silent=True),
        Silence(source="github", expect=SIX, heard_at=None, silent=False),
    ]


async def test_a_source_that_is_no_longer_expected_is_no_longer_shown():
    house = House(github=HOUR)
    await house.after(2 * HOUR)
    house.sources = {}

    assert await house.after(HOUR) == 0
    assert house.hearing.standing() == []


async def test_d6_a_look_that_fails_is_logged_and_the_next_one_comes():
    house = House(github=HOUR)
    looked = asyncio.Event()

    class Broken(MemoryInbox):
        async def newest(self, _source):
            if not house.lines.of("loop.failed"):
                raise RuntimeError("gone")
            looked.set()

    hearing = Hearing(
        lambda: house.sources, Broken(), lambda: house.at, house.lines, look_every=timedelta()
    )
    working = asyncio.create_task(hearing.work())
    await asyncio.wait_for(looked.wait(), 10)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working

    assert house.lines.of("loop.failed") == [{"loop": "silence"}]


@given(
    st.none() | st.timedeltas(timedelta(), timedelta(days=9)),
    st.timedeltas(timedelta(), timedelta(days=9)),
)
def test_silent_is_exactly_what_was_not_heard_of_for_longer_than_expected(ago, up):
    heard_at = None if ago is None else NOW - ago

    found = silence("github", SIX, heard_at, NOW - up, NOW)

    assert found.silent == ((up if ago is None else ago) > SIX)
