"""H4: which calls that are answered later are asked after when: pure, by a clock that is told."""

import math

from hypothesis import given
from hypothesis import strategies as st

from workflows.messages import CallState, Waiting
from workflows.tasks import TIME_UP, Tasks

NOW = 1_000.0


def waiting(name, seconds=5.0, **changes):
    return Waiting(
        wait_id=f"wait_{name}", call_id=name, wants=f"for {name}", seconds=seconds, **changes
    )


def test_h4_each_is_asked_after_at_its_own_time():
    tasks = Tasks([waiting("a"), waiting("b", 20.0)], NOW, None)
    assert (tasks.stirs_at, tasks.wants) == (NOW + 5, "for a; for b")
    assert tasks.due(NOW + 4) == []
    assert tasks.due(NOW + 5) == [("a", None, "")]
    tasks.again("a", NOW + 30)
    assert tasks.stirs_at == NOW + 20


def test_h4_what_has_ended_is_not_waited_for():
    assert not Tasks([waiting("a", ended=CallState.DONE)], NOW, None)
    tasks = Tasks([waiting("a")], NOW, None)
    tasks.end("a")
    assert not tasks


def test_h4_a_hint_makes_it_due_at_once_and_counts_once():
    tasks = Tasks([waiting("a", 3600.0), waiting("b", 3600.0)], NOW, None)
    assert tasks.has("wait_a")
    assert not tasks.has("wait_c")
    assert not tasks.has(None)
    tasks.hint("wait_a", "evt_1")
    assert tasks.due(NOW) == [("a", "evt_1", "")]
    tasks.again("a", NOW + 60)
    assert tasks.due(NOW + 60) == [("a", None, "")]


def test_h4_when_the_time_of_the_conversation_is_up_each_is_asked_a_last_time():
    tasks = Tasks([waiting("a", 3600.0), waiting("b", 10.0)], NOW, 60.0)
    assert tasks.due(NOW + 10) == [("b", None, "")]
    tasks.again("b", NOW + 7200)
    assert tasks.stirs_at == NOW + 60
    assert tasks.due(NOW + 60) == [("a", None, TIME_UP), ("b", None, TIME_UP)]
    # Where the asking itself failed, it is tried again, not at once and for ever.
    tasks.again("a", NOW + 120)
    tasks.end("b")
    assert tasks.stirs_at == NOW + 120


@given(
    pauses=st.lists(st.floats(1.0, 1e6), min_size=1, max_size=20),
    left=st.none() | st.floats(0.0, 1e6),
)
def test_h4_a_look_is_never_put_off_beyond_what_is_left(pauses, left):
    tasks, now = Tasks([waiting("a", pauses[0])], NOW, left), NOW
    until = math.inf if left is None else NOW + left
    for pause in pauses:
        assert tasks.stirs_at <= max(until, now + pause)
        now = max(now, tasks.stirs_at)
        ((_, _, last),) = tasks.due(now)
        assert bool(last) is (now >= until)
        if last:
            break
        tasks.again("a", now + pause)
