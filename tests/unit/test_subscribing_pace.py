"""When a subscription is asked for again: before it ends, never in a hurry, and never for ever later."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.subscribing.pace import DAILY, LEAST, LONGEST, after_end, again_at, refresh_at
from tests.support.builders import NOW

TTL = st.timedeltas(timedelta(days=-400), timedelta(days=400))


@given(TTL)
def test_it_is_asked_well_before_it_ends_and_never_more_often_than_it_may(ttl):
    at = refresh_at(NOW + ttl, NOW) - NOW
    assert LEAST <= at <= DAILY
    if ttl >= 2 * LEAST:
        assert at <= ttl / 2


def test_what_never_ends_is_asked_for_once_a_day():
    assert refresh_at(None, NOW) == NOW + DAILY


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_what_fails_is_tried_later_and_later_and_within_a_quarter_of_an_hour(troubles, jitter):
    at = again_at(troubles, NOW, lambda: jitter) - NOW
    assert timedelta(seconds=1) <= at <= LONGEST
    assert again_at(troubles + 1, NOW, lambda: 0.0) >= again_at(troubles, NOW, lambda: 0.0)


def test_what_its_server_ends_for_the_first_time_is_asked_for_at_once():
    assert after_end(0, NOW, lambda: 0.5) == NOW
    assert after_end(1, NOW, lambda: 0.5) > NOW
