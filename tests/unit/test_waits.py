"""A5: which of the waits of one turn an entry ends, and when the time of the next is up."""

from hypothesis import given
from hypothesis import strategies as st

from workflows.messages import CallState, Waiting
from workflows.waits import FIRST_GRACE, LONGEST_GRACE, Waits

NOW = 1_000.0


def waiting(name, seconds=60.0, ended=None):
    return Waiting(wait_id=name, call_id=name, wants=f"{name} please", seconds=seconds, ended=ended)


def test_what_has_ended_already_is_waited_for_by_nobody():
    open_ones = Waits([waiting("a", ended=CallState.DONE), waiting("b")], NOW)
    assert open_ones.ids == ("b",)
    assert open_ones.wants == "b please"
    assert not Waits([waiting("a", ended=CallState.REFUSED)], NOW)


def test_each_ends_by_itself():
    open_ones = Waits([waiting("a"), waiting("b")], NOW)
    open_ones.end("a")
    assert (open_ones.has("a"), open_ones.has("b"), open_ones.has(None)) == (False, True, False)
    open_ones.end("b")
    assert not open_ones


def test_the_one_whose_time_is_up_first_is_due_first():
    open_ones = Waits([waiting("late", 60), waiting("soon", 5)], NOW)
    assert open_ones.deadline == NOW + 5
    assert open_ones.due(NOW + 4) is None
    assert open_ones.due(NOW + 5) == "soon"
    open_ones.end("soon")
    assert open_ones.due(NOW + 59) is None
    assert open_ones.due(NOW + 60) == "late"


@given(st.integers(min_value=1, max_value=20))
def test_a5_what_is_on_its_way_is_looked_for_later_and_later_and_never_more_seldom_than_that(looks):
    open_ones, at, steps = Waits([waiting("a", 0)], NOW), NOW, []
    for _ in range(looks):
        open_ones.linger("a", at)
        steps.append(open_ones.deadline - at)
        at = open_ones.deadline
    assert steps[0] == FIRST_GRACE
    assert steps == sorted(steps)
    assert max(steps) <= LONGEST_GRACE
