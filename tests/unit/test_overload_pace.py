"""A body that only trickles is given up soon, one that flows has the whole deadline."""

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.doorbell.pace import GRACE, RATE, due


def cut_at(rate, deadline):
    """When a sender of so many bytes a second is cut off, by a look each tenth of a second."""
    tenth = 0
    while tenth / 10 < due(int(rate * tenth / 10), deadline):
        tenth += 1
    return tenth / 10


def test_d7_who_sends_nothing_is_cut_off_when_the_grace_is_over():
    assert cut_at(0, 10.0) == GRACE


def test_d7_a_trickle_is_cut_off_early_and_a_flow_by_the_deadline_alone():
    assert cut_at(10, 10.0) < GRACE + 0.2
    assert cut_at(RATE // 2, 10.0) < 2 * GRACE + 0.2
    assert cut_at(RATE, 10.0) == 10.0


@given(st.integers(0, 2**40), st.floats(0.001, 1000))
def test_nobody_has_longer_than_the_deadline_and_more_bytes_never_shorten_it(came, deadline):
    assert due(came, deadline) <= deadline
    assert due(came, deadline) <= due(came + 1, deadline)
