"""What a Retry-After asks for, whoever sends it and however it is spelled."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator import pauses

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("17", 17.0),
        (" 1.5 ", 1.5),
        ("0", 0.0),
        ("Sat, 21 Nov 2026 12:02:00 GMT", 120.0),
        ("Sat, 21 Nov 2026 12:02:00 -0000", 120.0),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0.0),
        ("nan", None),
        ("inf", None),
        ("-5", None),
        ("1e400", None),
        ("9" * 400, None),
        ("1_0", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_it_is_seconds_or_a_date_or_nothing(text, seconds):
    assert pauses.asked(text, NOW) == seconds


def test_a_date_says_nothing_where_nobody_knows_the_time():
    assert pauses.asked("Sat, 21 Nov 2026 12:02:00 GMT", None) is None
    assert pauses.asked("17", None) == 17


@given(st.text())
def test_whatever_it_says_is_a_pause_or_none(text):
    found = pauses.asked(text, NOW)

    assert found is None or 0 <= found < float("inf")
