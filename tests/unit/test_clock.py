"""A3: how long a conversation is open and how long it works; both are limits like any other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.looping import BUDGET, loop, says
from workflows import calls
from workflows.budget import Clock, left, nearly, overtime
from workflows.loop import AskModel, End
from workflows.messages import CallOutcome, CallState, Outcome, Spent
from workflows.playbook import Budget

BEGUN = 1_000_000.0
HOUR = 3600.0


def clock(*steps):
    """A clock that ran: seconds of work, seconds of rest, and so on."""
    now, run = BEGUN, Clock().at(BEGUN)
    for number, seconds in enumerate(steps):
        now += seconds
        run = run.working(now) if number % 2 else run.resting(now)
    return run


def test_active_time_is_that_in_which_it_did_not_wait():
    assert (clock(10, 500, 20).open, clock(10, 500, 20).active) == (530, 30)
    assert clock(10, 500).active == 10
    assert clock(10).at(BEGUN + 400).active == 10


@given(st.lists(st.floats(min_value=0, max_value=1e6), max_size=9))
def test_it_never_worked_longer_than_it_was_open_nor_less_than_nothing(steps):
    run = clock(*steps)
    asked_twice = run.resting(run.now) if run.rests is not None else run.working(run.now)
    assert asked_twice.active == pytest.approx(run.active, abs=1e-3)
    assert -1e-3 <= run.active <= run.open + 1e-3
    worked = sum(steps[::2])
    assert run.active == pytest.approx(worked, abs=1e-3)


@given(
    st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)), max_size=9),
    st.floats(0, 1e6),
)
def test_a3_an_outage_counts_as_open_and_not_as_active(asked, rested):
    """Each time it is asked, so many seconds go by, of which one attempt took so many."""
    run, now = Clock().at(BEGUN), BEGUN
    for elapsed, took in asked:
        now += elapsed
        run = run.waited(now - elapsed, now, took)
    worked = sum(min(elapsed, took) for elapsed, took in asked)
    assert run.at(now).active == pytest.approx(worked, abs=1e-3)
    resting = run.resting(now).at(now + rested)
    assert resting.waited(now, now + rested, 0.0) == resting
    assert resting.working(now + rested).active == pytest.approx(worked, abs=1e-3)


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({}, None),
        ({"active": 31.0}, None),
        ({"active": 30.0}, "active time: 30 seconds of 30 seconds used"),
        ({"open": 530.0}, "open time: 9 minutes of 9 minutes used"),
        ({"open": 3 * HOUR, "active": 60.0}, None),
    ],
)
def test_a_time_that_is_up_is_said_in_words(limits, said):
    assert overtime(Budget(**limits), clock(10, 500, 20)) == said


def test_what_is_left_is_never_less_than_nothing():
    assert left(Budget(), clock(10)) is None
    assert left(Budget(open=60.0), clock(10)) == 50
    assert left(Budget(open=5.0), clock(10)) == 0


def test_a3_at_eighty_percent_of_its_time_the_agent_is_asked_to_finish():
    budget = Budget(open=100.0)
    assert nearly(budget, Spent(), 1, 0, clock(79)) is None
    assert nearly(budget, Spent(), 1, 0, clock(80)) == "80 seconds of 100 seconds open time"


def begun(**limits):
    subject = loop(budget=Budget(usd=BUDGET.usd, tokens=1000, turns=6, tool_calls=5, **limits))
    subject.at(BEGUN)
    return subject


def test_a3_when_its_time_is_up_it_takes_its_leave_and_needs_attention():
    subject = begun(open=60.0)
    subject.receive(says(1, "github__look"))
    subject.answered(())
    subject.at(BEGUN + 61)
    step = subject.next()
    assert step == AskModel(2, None, "open time: 61 seconds of 60 seconds used")
    subject.receive(says(2, used=Spent(), stop=None))
    assert isinstance(subject.next(), End)


def test_a3_a_run_whose_time_is_up_before_its_first_turn_asks_nobody():
    subject = begun(active=5.0)
    subject.at(BEGUN + 5)
    assert subject.next() == End(
        Outcome.NEEDS_ATTENTION, "active time: 5 seconds of 5 seconds used"
    )


def test_a3_a_long_outage_brings_no_last_turn_and_what_nobody_measured_counts_whole():
    measured, unmeasured = begun(active=60.0), begun(active=60.0)
    for subject, took in ((measured, 4.0), (unmeasured, None)):
        subject.receive(says(1, "github__look"))
        subject.worked(BEGUN, BEGUN + HOUR, took)
        subject.answered(())
        subject.at(BEGUN + HOUR)
    assert measured.next() == AskModel(2, None)
    assert unmeasured.next() == AskModel(2, None, "active time: 60 minutes of 60 seconds used")


def test_what_several_calls_took_is_known_once_one_of_them_was_measured():
    unmeasured = CallOutcome(call_id="c1", state=CallState.REFUSED)
    timed = CallOutcome(call_id="c2", state=CallState.DONE, seconds=1.5)
    assert calls.seconds([unmeasured]) is None
    assert calls.seconds([unmeasured, timed, timed]) == 3.0


def test_a_run_of_before_there_were_clocks_begins_to_count_when_it_is_looked_at():
    subject = loop(budget=Budget(usd=BUDGET.usd, open=60.0))
    subject.rests(BEGUN)
    subject.works(BEGUN + 20)
    assert (subject.left, subject.state.clock.active) == (40, 0)
