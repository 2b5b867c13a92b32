"""How long GitHub wants to be left in peace, and how long we rest by ourselves: never for ever, never not at all."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.recovery.limits import LONGEST, Pause, pause_of, rest_after
from tests.support.builders import NOW

SECOND = timedelta(seconds=1)
WORDS = st.none() | st.text(max_size=20) | st.integers().map(str)


@given(st.integers(100, 599), WORDS, WORDS, WORDS, st.binary(max_size=50))
def test_d7_whatever_the_headers_say_the_pause_is_within_the_hour(status, after, left, reset, body):
    given_ = {"retry-after": after, "x-ratelimit-remaining": left, "x-ratelimit-reset": reset}
    pause = pause_of(
        status, {name: text for name, text in given_.items() if text is not None}, body
    )

    assert pause is None or NOW + SECOND <= pause.end(NOW) <= NOW + LONGEST


@pytest.mark.parametrize(
    ("status", "headers", "body", "expected"),
    [
        (403, {}, b"Resource not accessible by personal access token", None),
        (404, {"retry-after": "5"}, b"", None),
        (200, {"x-ratelimit-remaining": "0"}, b"", None),
        (
            403,
            {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "0"},
            b"",
            Pause(until=datetime(1970, 1, 1, tzinfo=UTC)),
        ),
        (403, {"x-ratelimit-remaining": "7"}, b"API Rate Limit exceeded", Pause()),
        (
            429,
            {"retry-after": "30", "x-ratelimit-remaining": "0"},
            b"",
            Pause(for_=timedelta(seconds=30)),
        ),
    ],
)
def test_only_what_is_about_a_limit_is_a_pause(status, headers, body, expected):
    assert pause_of(status, headers, body) == expected


@given(st.integers(0, 10_000), st.timedeltas(SECOND, timedelta(days=2)))
def test_failures_are_rested_after_longer_and_longer_and_never_longer_than_an_hour(failures, every):
    rest = rest_after(failures, every)

    assert SECOND <= rest <= max(every, LONGEST)
    assert failures == 0 or rest <= rest_after(failures + 1, every)


def test_the_first_failures_are_rested_after_briefly():
    assert [rest_after(count, timedelta(minutes=10)).total_seconds() for count in (1, 2, 3)] == [
        15,
        30,
        60,
    ]
    assert [rest_after(count, 2 * SECOND).total_seconds() for count in (0, 1, 2)] == [2, 2, 4]
