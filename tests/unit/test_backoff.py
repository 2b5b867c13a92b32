"""When what failed is tried again: later and later, never all at once, never for ever."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.dispatch.backoff import FIRST, LONGEST, retry_at
from tests.support.builders import NOW

DRAWN = st.floats(0, 1, exclude_max=True)


def span(attempts, jitter=0.0):
    return retry_at(attempts, NOW, lambda: jitter) - NOW


def test_it_doubles_from_two_seconds_to_an_hour():
    spans = [2 * span(attempts) for attempts in range(15)]

    assert spans[:4] == [timedelta(seconds=seconds) for seconds in (2, 4, 8, 16)]
    assert spans[-1] == LONGEST


@given(st.integers(0, 10_000), DRAWN)
def test_at_least_half_of_the_span_is_certain_and_it_is_never_longer_than_an_hour(attempts, jitter):
    assert FIRST / 2 <= span(attempts) <= span(attempts, jitter) <= 2 * span(attempts)
    assert span(attempts, jitter) <= LONGEST


@given(st.integers(0, 10_000), DRAWN)
def test_the_next_is_never_due_sooner_than_the_one_before_could_have_been(attempts, jitter):
    assert span(attempts + 1, jitter) >= span(attempts, jitter)


def test_what_failed_together_does_not_come_back_together():
    assert len({span(5, jitter / 10) for jitter in range(10)}) == 10
