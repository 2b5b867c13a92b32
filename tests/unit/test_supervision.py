"""What the supervisor decides, as values: no process is touched."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.supervision import (
    FIRST_TRIES,
    LONGEST_DELAY,
    SETTLED_AFTER,
    Kill,
    Phase,
    Standing,
    Start,
    Terminate,
    asked_to_restart,
    asked_to_stop,
    backoff,
    became_ready,
    exited,
    hopeless,
    killed,
    next_due,
    plan,
    started,
    unwind,
)

A, B, C = (Standing(name=name, patience=3.0) for name in "abc")


def up(standing: Standing) -> Standing:
    return became_ready(started(standing, 0.0), 0.0)


def test_a_child_is_started_only_after_the_one_ahead_of_it_was_ready() -> None:
    assert plan([A, B, C], 0.0) == [Start("a")]
    assert plan([started(A, 0.0), B, C], 0.0) == []
    assert plan([up(A), B, C], 0.0) == [Start("b")]
    assert plan([up(A), up(B), up(C)], 0.0) == []


def test_a_death_further_ahead_does_not_hold_back_the_others() -> None:
    dead = exited(up(A), 1.0)
    assert plan([dead, exited(up(B), 1.0), up(C)], 1.0) == []
    assert plan([dead, exited(up(B), 1.0), up(C)], 1.2) == [Start("a"), Start("b")]


def test_children_are_stopped_one_after_the_other_and_killed_only_after_their_patience() -> None:
    asked = asked_to_stop(up(A), 10.0)
    assert unwind([up(A), up(B)], 10.0) == [Terminate("a")]
    assert unwind([asked, up(B)], 12.9) == []
    assert unwind([asked, up(B)], 13.0) == [Kill("a")]
    assert unwind([killed(asked), up(B)], 99.0) == []
    assert unwind([exited(asked, 11.0), up(B)], 11.0) == [Terminate("b")]
    assert unwind([A, B], 0.0) == []


def test_the_delay_doubles_from_a_fifth_of_a_second_to_five() -> None:
    assert [backoff(n) for n in (1, 2, 3, 4, 5, 6, 60)] == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_failures_are_forgotten_once_a_child_was_up_long_enough() -> None:
    flapping = exited(up(replace(A, failures=4)), SETTLED_AFTER - 1)
    settled = exited(up(replace(A, failures=4)), SETTLED_AFTER)
    assert (flapping.failures, settled.failures) == (5, 1)
    assert settled.due == SETTLED_AFTER + 0.2


def test_a_child_that_was_never_ready_is_given_up_when_a_person_must_act_or_after_some_tries() -> (
    None
):
    once = exited(started(A, 0.0), 1.0)
    assert hopeless(once, 2)
    assert not hopeless(once, 1)
    assert hopeless(replace(once, failures=FIRST_TRIES), 1)
    assert not hopeless(exited(up(A), 1.0), 2)


def test_a_restart_is_no_failure_and_begins_at_once_after_the_end() -> None:
    asked = asked_to_restart(up(A), 10.0)
    assert plan([asked, B], 12.9) == [Start("b")]
    assert plan([asked], 13.0) == [Kill("a")]
    ended = exited(asked, 11.0)
    assert (ended.failures, ended.due) == (0, 11.0)
    assert plan([ended], 11.0) == [Start("a")]


def test_a_restart_of_a_child_that_is_down_ends_its_wait_and_of_a_stopping_one_changes_nothing() -> (
    None
):
    waiting = replace(exited(up(A), 10.0), due=15.0)
    assert plan([asked_to_restart(waiting, 11.0)], 11.0) == [Start("a")]
    stopping = asked_to_stop(up(A), 10.0)
    assert asked_to_restart(stopping, 12.0) is stopping


def test_readiness_of_a_child_that_is_being_stopped_changes_nothing() -> None:
    stopping = asked_to_stop(started(A, 0.0), 1.0)
    assert became_ready(stopping, 2.0) is stopping


standings = st.builds(
    Standing,
    name=st.just("x"),
    patience=st.just(1.0),
    phase=st.sampled_from(Phase),
    due=st.floats(0, 20) | st.just(float("inf")),
    proved=st.booleans(),
)


@given(st.lists(standings, max_size=4), st.floats(0, 20))
def test_time_alone_never_changes_a_plan_before_the_next_due_time(
    children: list[Standing], now: float
) -> None:
    due = next_due(children, now)
    just_before = 1e9 if due is None else (now + due) / 2
    assert plan(children, now) == plan(children, min(just_before, 1e9)) or just_before == due
    assert unwind(children, now) == unwind(children, min(just_before, 1e9)) or just_before == due


@given(st.integers(1, 10_000))
def test_no_delay_is_longer_than_the_longest(failures: int) -> None:
    assert 0 < backoff(failures) <= LONGEST_DELAY
