"""Which deliveries were missed: none that came, none that may still come, and nobody else's."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.recovery.gaps import (
    ASK_EVERY,
    LISTED,
    STILL,
    Attempt,
    Gap,
    Outcome,
    Recovered,
    gaps,
    remedy,
)
from tests.support.builders import NOW

DAY = timedelta(days=1)
MINUTES = st.integers(0, 200).map(lambda count: NOW - timedelta(minutes=count))
ATTEMPTS = st.lists(
    st.builds(
        Attempt,
        id=st.integers(1, 1000),
        guid=st.sampled_from("abcde"),
        event=st.just("issues"),
        at=MINUTES,
        acknowledged=st.booleans(),
        redelivery=st.booleans(),
    ),
    unique_by=lambda attempt: attempt.id,
)


def attempt(number: int, guid: str, ago: timedelta, **changes) -> Attempt:
    values = {"event": "issues", "acknowledged": False, "redelivery": False}
    return Attempt(id=number, guid=guid, at=NOW - ago, **values | changes)


def gap(
    first: timedelta = timedelta(hours=1), last: timedelta | None = None, redeliveries: int = 0
) -> Gap:
    newest = attempt(1, "a", first if last is None else last)
    return Gap(
        guid="a",
        attempt=newest,
        first_at=NOW - first,
        last_at=newest.at,
        redeliveries=redeliveries,
        cut=False,
    )


@given(ATTEMPTS, st.sets(st.sampled_from("abcde")), st.none() | MINUTES)
def test_d3_each_missed_guid_is_one_gap_and_what_was_seen_or_is_young_is_none(tries, seen, oldest):
    found = gaps(tries, seen, oldest, NOW)

    assert len({one.guid for one in found}) == len(found)
    for one in found:
        mine = [attempt for attempt in tries if attempt.guid == one.guid]
        assert one.guid not in seen
        assert one.first_at == min(attempt.at for attempt in mine)
        assert one.last_at == max(attempt.at for attempt in mine) <= NOW - STILL
        assert one.redeliveries == sum(attempt.redelivery for attempt in mine)
    assert [one.first_at for one in found] == sorted(one.first_at for one in found)


@given(ATTEMPTS, st.sets(st.sampled_from("abcde")))
def test_d2_what_was_never_acknowledged_is_missed_whatever_the_inbox_holds(tries, seen):
    failed = [one for one in tries if not one.acknowledged]
    old = {
        guid
        for guid in "abcde"
        if (mine := [one.at for one in failed if one.guid == guid]) and max(mine) <= NOW - STILL
    }

    assert {one.guid for one in gaps(failed, seen, None, NOW)} == old - seen


@given(ATTEMPTS)
def test_the_order_in_which_github_lists_them_means_nothing(tries):
    assert gaps(tries, set(), None, NOW) == gaps(tries[::-1], set(), None, NOW)


def test_of_one_second_the_one_that_was_tried_first_comes_first():
    same = timedelta(hours=1)
    tries = [attempt(9, "a", same), attempt(3, "z", same), attempt(11, "z", same, redelivery=True)]

    assert [one.guid for one in gaps(tries, set(), None, NOW)] == ["z", "a"]


def test_a_gap_whose_first_attempt_is_not_listed_says_so():
    (one,) = gaps([attempt(3, "a", DAY, redelivery=True)], set(), None, NOW)

    assert one.cut


@pytest.mark.parametrize(
    ("one", "asked", "expected"),
    [
        (gap(), None, Outcome.ASKED_AGAIN),
        (gap(), timedelta(minutes=29), Outcome.WAITS),
        (gap(), ASK_EVERY, Outcome.ASKED_AGAIN),
        (gap(last=timedelta(minutes=5), redeliveries=1), None, Outcome.WAITS),
        (gap(last=timedelta(minutes=31), redeliveries=1), None, Outcome.ASKED_AGAIN),
        (gap(last=timedelta(minutes=31), redeliveries=1), timedelta(minutes=2), Outcome.WAITS),
        (gap(last=timedelta(minutes=31), redeliveries=3), None, Outcome.FAILED),
        (gap(2 * DAY), None, Outcome.TOO_OLD),
    ],
)
def test_lost_bytes_are_asked_for_rarely_thrice_and_never_when_rules_would_act_on_something_old(
    one, asked, expected
):
    asked_at = None if asked is None else NOW - asked

    assert remedy(one, DAY, asked_at, NOW) is expected


def test_what_github_no_longer_delivers_is_given_up():
    assert remedy(gap(LISTED + DAY), 30 * DAY, None, NOW) is Outcome.FAILED


@given(st.lists(st.sampled_from(Outcome)), st.lists(st.sampled_from(Outcome)))
def test_what_two_passes_did_is_what_both_did(first, second):
    assert Recovered.of(first).plus(Recovered.of(second)) == Recovered.of(first + second)


@given(st.lists(st.sampled_from(Outcome)))
def test_what_was_found_is_at_least_what_something_was_done_about(outcomes):
    done = Recovered.of(outcomes)
    counted = done.reinjected + done.asked_again + done.too_old + done.failed

    assert done.found == counted + outcomes.count(Outcome.WAITS)
