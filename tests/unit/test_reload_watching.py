"""When files that changed are read again: after a second of quiet, and a young file once more."""

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.configuration.watching import QUIET, Stamps, Watch, watched

SECOND = 10**9
OLD = 100 * SECOND
NOW = 1_000 * SECOND


def stamps(at: int = OLD, size: int = 1, inode: int = 1) -> Stamps:
    return (("doorbell.d/sources.yaml", at, at, size, inode),)


def settled(found: Stamps) -> Watch:
    return watched(found, 0.0, NOW, NOW)


def test_files_that_stand_as_they_were_read_are_never_due() -> None:
    watch = settled(stamps()).looked(stamps(), 500.0)

    assert not watch.due(1_000.0)


def test_a_change_is_due_after_a_second_without_another() -> None:
    watch = settled(stamps()).looked(stamps(size=2), 10.0)
    assert not watch.due(10.0 + QUIET / 2)

    watch = watch.looked(stamps(size=3), 10.0 + QUIET / 2)
    assert not watch.due(10.0 + QUIET)

    watch = watch.looked(stamps(size=3), 10.0 + QUIET)
    assert watch.due(10.0 + QUIET * 1.5)


def test_what_is_as_it_was_before_the_change_is_not_due() -> None:
    watch = settled(stamps()).looked(stamps(size=2), 10.0).looked(stamps(), 10.5)

    assert not watch.due(100.0)


def test_another_file_of_the_same_age_and_size_is_a_change() -> None:
    assert settled(stamps()).looked(stamps(inode=2), 10.0).due(10.0 + QUIET)


def test_a_file_that_was_written_while_it_was_read_is_read_once_more() -> None:
    young = stamps(NOW - SECOND // 10)

    first = watched(young, 0.0, NOW, NOW)
    again = watched(young, 2.0, NOW + 2 * SECOND, NOW + 2 * SECOND)

    assert first.due(QUIET)
    assert not again.due(100.0)


def test_a_file_from_the_future_is_not_read_for_ever() -> None:
    assert not settled(stamps(NOW + 3_600 * SECOND)).due(100.0)


@given(changes=st.lists(st.tuples(st.floats(0, 3), st.integers(1, 3)), min_size=1))
def test_whatever_happens_the_last_state_is_due_exactly_once_it_is_quiet_and_was_not_read(
    changes: list[tuple[float, int]],
) -> None:
    watch, now = settled(stamps(size=1)), 0.0
    for after, size in changes:
        now += after
        watch = watch.looked(stamps(size=size), now)
        assert not watch.due(watch.since + QUIET / 2)

    differs = changes[-1][1] != 1
    assert watch.due(now + QUIET) == differs
