"""The circuit breaker as a value: it opens after five failures in a row, probes, doubles its delay, and forgives."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.dispatch.breaker import (
    FAILURES,
    FIRST_DELAY,
    LONGEST_DELAY,
    Breaker,
    State,
    delay,
)
from tests.support.builders import NOW

PATIENCE = timedelta(seconds=10)
MOMENT = timedelta(microseconds=1)


def tried(breaker, now, error=None):
    sent = breaker.sent(now, PATIENCE)
    return sent.worked(sent.round) if error is None else sent.failed(sent.round, now, error)


def opened(times=1):
    """One that has opened so often in a row, and the moment it did last."""
    breaker, now = Breaker(), NOW
    for _ in range(FAILURES):
        breaker = tried(breaker, now, "no")
    for _ in range(times - 1):
        now = breaker.until
        breaker = tried(breaker, now, "still no")
    return breaker, now


def test_it_opens_after_five_failures_in_a_row():
    breaker = Breaker()
    for _ in range(FAILURES - 1):
        breaker = tried(breaker, NOW, "no")
        assert (breaker.state, breaker.wait(NOW)) == (State.CLOSED, None)
    breaker = tried(breaker, NOW, "no more")

    assert (breaker.state, breaker.error) == (State.OPEN, "no more")
    assert breaker.wait(NOW) == breaker.until == NOW + FIRST_DELAY


def test_a_success_in_between_begins_the_count_anew():
    breaker = Breaker()
    for error in ["no"] * 4 + [None] + ["no"] * 4:
        breaker = tried(breaker, NOW, error)

    assert breaker.state is State.CLOSED


def test_the_delay_doubles_from_ten_seconds_to_ten_minutes():
    assert [delay(trips).total_seconds() for trips in range(9)] == [
        *(10, 20, 40, 80, 160, 320, 600, 600, 600)
    ]
    for times in (1, 2, 5, 40):
        breaker, now = opened(times)
        assert breaker.until - now == delay(times - 1)


def test_half_open_lets_one_probe_go():
    breaker, _ = opened()
    due = breaker.until
    assert breaker.wait(due - MOMENT) == due
    assert breaker.wait(due) is None
    probing = breaker.sent(due, PATIENCE)

    assert probing.state is State.HALF_OPEN
    assert probing.wait(due) == due + timedelta(seconds=1)


def test_a_probe_that_works_closes_it_and_forgets_everything():
    breaker, _ = opened(4)
    healed = tried(breaker, breaker.until)

    assert healed == Breaker(round=healed.round)
    for _ in range(FAILURES):
        healed = tried(healed, NOW, "no")
    assert healed.until == NOW + FIRST_DELAY


def test_a_probe_without_news_is_given_up_after_its_patience():
    breaker, _ = opened()
    lost = breaker.sent(breaker.until, PATIENCE)

    assert lost.wait(lost.until - MOMENT) is not None
    assert lost.wait(lost.until) is None
    later = lost.sent(lost.until, PATIENCE)
    assert later.failed(lost.round, NOW, "late news") == later
    assert later.worked(lost.round) == later


def test_news_from_before_it_opened_changes_nothing():
    before = Breaker().sent(NOW, PATIENCE)
    breaker, _ = opened()

    assert breaker.failed(before.round, NOW, "no") == breaker
    assert breaker.worked(before.round) == breaker


def test_a_clock_that_was_set_back_does_not_keep_it_open():
    breaker, now = opened(40)

    assert breaker.wait(now - timedelta(days=1)) is None


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["send", "worked", "failed", "pass"]),
        st.integers(0, 700),
        st.integers(0, 30),
    ),
    max_size=60,
)


@given(STEPS)
def test_whatever_happens_its_laws_hold(steps):
    """Random sendings, answered in any order or never, by a clock that only goes on."""
    breaker, now, under_way = Breaker(), NOW, []
    for what, seconds, which in steps:
        if what == "pass":
            now += timedelta(seconds=seconds)
        elif what == "send":
            if breaker.wait(now) is None:
                was_open = breaker.until is not None
                breaker = breaker.sent(now, PATIENCE)
                under_way.append(breaker.round)
                # While it is the probe, nobody else goes.
                assert (breaker.wait(now) is not None) is was_open
        elif under_way:
            round_ = under_way.pop(which % len(under_way))
            before = breaker
            breaker = (
                breaker.worked(round_) if what == "worked" else breaker.failed(round_, now, "no")
            )
            assert (breaker == before) or (round_ == before.round)
        assert (breaker.state is State.CLOSED) is (breaker.until is None)
        assert breaker.state is not State.CLOSED or breaker.failures < FAILURES
        wait = breaker.wait(now)
        assert wait is None or now < wait <= now + LONGEST_DELAY
        # It never stays open: there is always a moment at which something may go again.
        assert breaker.wait(now + LONGEST_DELAY) is None
