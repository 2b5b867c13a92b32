"""The breaker of one server, as a value."""

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.agent.hands.breaker import (
    FAILURES,
    FIRST_DELAY,
    LONGEST_DELAY,
    TRIAL,
    Breaker,
    State,
    delay,
)


def after(failures: int, now: float = 100.0) -> Breaker:
    breaker = Breaker()
    for _ in range(failures):
        breaker = breaker.failed(now, "no answer")
    return breaker


def test_h3_the_first_restart_is_at_once_and_later_ones_rest_longer_and_longer():
    rests = [after(failures).rest(100.0) for failures in range(FAILURES)]

    assert rests == [0.0, 0.0, 0.5, 1.0, 2.0]
    assert after(2).rest(100.4) == 100.5 - 100.4
    assert after(4).rest(103.0) == 0.0


def test_h3_it_opens_after_five_failures_in_a_row_and_an_answer_in_between_counts_anew():
    assert after(FAILURES - 1).state is State.CLOSED
    assert after(FAILURES).state is State.OPEN
    assert after(FAILURES - 1).worked().failed(100.0, "x").state is State.CLOSED


def test_h3_when_its_delay_is_over_one_trial_goes_and_the_others_wait_for_it():
    opened = after(FAILURES)
    assert opened.closed_for(100.0) == FIRST_DELAY
    now = 100.0 + FIRST_DELAY

    assert opened.closed_for(now) == 0.0
    trial = opened.tried(now)

    assert (trial.state, trial.closed_for(now)) == (State.HALF_OPEN, TRIAL)
    assert trial.worked() == Breaker()


def test_h3_a_trial_that_fails_opens_it_for_longer_and_one_that_never_came_back_is_followed():
    trial = after(FAILURES).tried(200.0)

    assert trial.failed(201.0, "again").closed_for(201.0) == 2 * FIRST_DELAY
    assert trial.closed_for(200.0 + TRIAL) == 0.0


def test_h3_news_from_before_it_opened_does_not_open_it_for_longer():
    opened = after(FAILURES)

    assert opened.failed(101.0, "late").until == opened.until


@given(trips=st.integers(0, 10_000))
def test_h3_no_delay_is_longer_than_a_minute(trips):
    assert FIRST_DELAY <= delay(trips) <= delay(trips + 1) <= LONGEST_DELAY


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["failed", "worked", "tried"]), st.floats(0, 1000)), max_size=60
    )
)
def test_h3_whatever_happens_it_is_tried_again_within_a_minute(steps):
    breaker, now = Breaker(), 0.0
    for what, passed in steps:
        now += passed
        if what == "failed":
            breaker = breaker.failed(now, "x")
        elif what == "worked":
            breaker = breaker.worked()
        elif breaker.closed_for(now) == 0:
            breaker = breaker.tried(now)
        assert breaker.closed_for(now) <= LONGEST_DELAY
