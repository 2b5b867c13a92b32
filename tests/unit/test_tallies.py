"""R1: a limit holds in every window, in whatever order events come, and its words say which and why."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.inbox.tallies import Counted, Tallied, Tally, bucket, fullest, ordinal, over
from tests.support.builders import NOW

WINDOW = timedelta(seconds=10)
SECONDS = st.lists(st.integers(0, 60), max_size=40)


def at(seconds):
    return NOW + timedelta(seconds=seconds)


def tally(seconds=0, most=2, what=Tallied.ACTOR, who="actor ann", said="2/10s"):
    return Tally(
        what=what, bucket="b", who=who, said=said, at=at(seconds), most=most, window=WINDOW
    )


def acted(moments, most):
    """What acts of events that come in this order, one after the other."""
    found = []
    for number, seconds in enumerate(moments):
        if over([tally(seconds, most)], {"b": found}) is None:
            found.append(Counted(at=at(seconds), event_id=f"e{number}"))
    return found


@given(moments=SECONDS, most=st.integers(1, 4))
def test_in_no_window_more_act_than_the_limit_says_whatever_the_order(moments, most):
    times = [one.at for one in acted(moments, most)]

    for first in times:
        assert sum(first <= one < first + WINDOW for one in times) <= most


@given(moments=SECONDS.map(sorted), most=st.integers(1, 4))
def test_in_order_an_event_is_left_alone_only_where_the_window_before_it_is_full(moments, most):
    taken = {one.event_id: one.at for one in acted(moments, most)}

    for number, seconds in enumerate(moments):
        before = [
            time
            for known, time in taken.items()
            if int(known[1:]) < number and at(seconds) - time < WINDOW
        ]
        assert (f"e{number}" in taken) == (len(before) < most)


@given(moments=SECONDS.map(sorted), here=st.integers(0, 60))
def test_the_fullest_window_is_the_fullest_of_all_that_hold_the_moment(moments, here):
    times = [at(seconds) for seconds in moments]
    near = [one for one in times if abs(one - at(here)) < WINDOW]
    spans = [at(here) - timedelta(seconds=back) for back in range(10)]

    most = max(sum(first <= one < first + WINDOW for one in near) for first in spans)

    assert fullest(times, at(here), WINDOW) == most + 1


def test_the_window_is_open_at_its_end():
    counted = [Counted(at=at(0), event_id="e0")]

    assert over([tally(9, most=1)], {"b": counted}) is not None
    assert over([tally(10, most=1)], {"b": counted}) is None


@pytest.mark.parametrize(
    ("what", "who", "said", "reason"),
    [
        (Tallied.ACTOR, "actor alice", "5/h", "over the limit: 5/h for actor alice (3rd)"),
        (Tallied.KEY, "key issue:7", "5/h", "over the limit: 5/h for key issue:7 (3rd)"),
        (
            Tallied.COOLDOWN,
            "issue:7",
            "10m",
            "cooling down: issue:7 acted in e1, less than 10m ago",
        ),
        (Tallied.DEDUPE, "inv-3", "24h", "same inv-3 as e1, within 24h"),
    ],
)
def test_the_reason_says_which_limit_and_what_filled_it(what, who, said, reason):
    found = [Counted(at=at(n), event_id=f"e{n}") for n in range(2)]

    full = over([tally(2, what=what, who=who, said=said)], {"b": found})

    assert full is not None
    assert full.reason == reason


def test_the_first_full_tally_gives_the_reason():
    found = [Counted(at=at(0), event_id="e0")]
    first, second = tally(1, most=1, who="first"), tally(1, most=1, who="second")

    assert over([first, second], {"b": found}).tally is first


@pytest.mark.parametrize(
    ("number", "said"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (13, "13th"), (102, "102nd")],
)
def test_numbers_are_said_as_people_count(number, said):
    assert ordinal(number) == said


def test_buckets_keep_apart_what_strangers_write():
    names = {bucket("a", "b c"), bucket("a b", "c"), bucket("a", "b", "c"), bucket("a", "\ud800")}

    assert len(names) == 4
    assert {len(name) for name in names} == {32}
