"""Five fields of cron: which moments they name, what is refused in plain words, and laws for all of them."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rules.cron import FIELDS, YEARS, Cron

AT = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe")
BERLIN = "Europe/Berlin"


def some(text, zone="UTC", count=3, at=AT):
    return [f"{due:%m-%d %H:%M}" for due in islice(Cron.parse(text).after(at, zone), count)]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("0 7 * * 1-5", ["11-23 07:00", "11-24 07:00", "11-25 07:00"]),
        ("30 12 * * *", ["11-22 12:30", "11-23 12:30", "11-24 12:30"]),
        ("*/20 * * * *", ["11-21 12:40", "11-21 13:00", "11-21 13:20"]),
        ("5/25 13 * * *", ["11-21 13:05", "11-21 13:30", "11-21 13:55"]),
        ("0 0 1,15 * *", ["12-01 00:00", "12-15 00:00", "01-01 00:00"]),
        ("0 0 * * sun", ["11-22 00:00", "11-29 00:00", "12-06 00:00"]),
        ("0 0 * * 7", ["11-22 00:00", "11-29 00:00", "12-06 00:00"]),
        ("0 9 * FEB-mar Mon", ["02-01 09:00", "02-08 09:00", "02-15 09:00"]),
        ("0 0 31 * *", ["12-31 00:00", "01-31 00:00", "03-31 00:00"]),
    ],
)
def test_it_names_these_moments(text, named):
    assert some(text) == named


def test_a_leap_day_is_found_years_ahead():
    (due,) = islice(Cron.parse("0 0 29 2 *").after(datetime(2096, 3, 1, tzinfo=UTC), "UTC"), 1)

    assert due == datetime(2104, 2, 29, tzinfo=UTC)


def test_the_wall_clock_of_the_zone_counts():
    assert some("0 7 * * *", BERLIN, 1) == ["11-22 06:00"]
    assert some("0 7 * * *", BERLIN, 1, datetime(2026, 7, 1, tzinfo=UTC)) == ["07-01 05:00"]


def test_an_hour_that_spring_skips_is_not_there():
    before = datetime(2027, 3, 27, 12, tzinfo=UTC)

    assert some("30 2 * * *", BERLIN, 2, before) == ["03-29 00:30", "03-30 00:30"]


def test_an_hour_that_autumn_repeats_is_named_once():
    before = datetime(2027, 10, 30, 12, tzinfo=UTC)

    assert some("30 2 * * *", BERLIN, 2, before) == ["10-31 00:30", "11-01 01:30"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0 7 * *", "expected five fields"),
        ("@daily", "expected five fields"),
        ("", "expected five fields"),
        ("0 0 7 * * 1", "expected five fields"),
        ("60 * * * *", "field 1, the minute: expected 0 to 59, got '60'"),
        ("0 24 * * *", "field 2, the hour: expected 0 to 23, got '24'"),
        ("0 0 0 * *", "field 3, the day: expected 1 to 31, got '0'"),
        ("0 0 * 13 *", "field 4, the month: expected 1 to 12 or JAN-DEC, got '13'"),
        ("0 0 * * 8", "field 5, the weekday: expected 0 to 7 or SUN-SAT, got '8'"),
        ("0 0 * * monday", "field 5, the weekday: expected 0 to 7 or SUN-SAT"),
        ("0 0 L * *", "field 3, the day: expected 1 to 31, got 'L'"),
        ("0 0 * * 1#2", "field 5, the weekday: expected numbers, a-b, */n or a list of them"),
        ("*-5 * * * *", "field 1, the minute: expected numbers, a-b, */n or a list of them"),
        ("1,,2 * * * *", "field 1, the minute: expected numbers"),
        ("*/0 * * * *", "field 1, the minute: expected a step of 1 to 59, got '*/0'"),
        ("*/61 * * * *", "field 1, the minute: expected a step of 1 to 59"),
        ("0 22-6 * * *", "field 2, the hour: a range begins with its smaller end"),
        ("0 0 * * FRI-MON", "field 5, the weekday: a range begins with its smaller end"),
        ("0 0 13 * 5", "both narrow the day: crontabs take either, Temporal both"),
        ("0 0 31 2 *", "never comes: no month it names has such a day"),
        ("0 0 31 APR,JUN *", "never comes"),
    ],
)
def test_what_is_wrong_is_said_in_plain_words(text, said):
    with pytest.raises(ValueError, match=r".") as refused:
        Cron.parse(text)
    assert said in str(refused.value)


def test_digits_of_other_scripts_are_no_numbers():
    with pytest.raises(ValueError, match="field 1, the minute"):
        Cron.parse("٣ * * * *")


def items(field):
    value = st.integers(field.least, field.most)
    span = st.tuples(value, value).map(sorted)
    return st.one_of(
        value.map(str),
        span.map(lambda ends: f"{ends[0]}-{ends[1]}"),
        st.tuples(span, st.integers(1, field.most)).map(lambda a: f"{a[0][0]}-{a[0][1]}/{a[1]}"),
        st.integers(1, field.most).map(lambda step: f"*/{step}"),
        st.just("*"),
    )


def lists(field):
    return st.lists(items(field), min_size=1, max_size=3).map(",".join)


MINUTE, HOUR, DAY, MONTH, WEEKDAY = FIELDS
days = st.one_of(st.tuples(lists(DAY), st.just("*")), st.tuples(st.just("*"), lists(WEEKDAY)))
crons = st.tuples(lists(MINUTE), lists(HOUR), days, lists(MONTH)).map(
    lambda a: f"{a[0]} {a[1]} {a[2][0]} {a[3]} {a[2][1]}"
)
moments = st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - naive bounds are asked for


def parsed(text):
    try:
        return Cron.parse(text)
    except ValueError as error:
        assert "never comes" in str(error)  # noqa: PT017 - the only thing that may be wrong
        return None


@given(crons, moments, st.sampled_from(ZONES))
def test_what_it_names_fits_it_and_comes_in_order(text, at, zone):
    cron = parsed(text)
    if cron is None:
        return
    named = list(islice(cron.after(at, zone), 5))

    assert named == sorted(set(named))
    assert all(due > at for due in named)
    for due in named:
        local = due.astimezone(ZoneInfo(zone))
        assert (local.minute in cron.minutes, local.hour in cron.hours) == (True, True)
        assert (local.day in cron.days, local.month in cron.months) == (True, True)
        assert local.isoweekday() % 7 in cron.weekdays
        assert (local.second, due.tzinfo) == (0, UTC)


@given(crons, moments, st.sampled_from(ZONES))
def test_before_and_after_are_each_others_mirror(text, at, zone):
    cron = parsed(text)
    if cron is None:
        return
    named = list(islice(cron.after(at, zone), 2))

    assert list(islice(cron.before(named[-1], zone), 1)) == named[:1]
    assert next(cron.after(next(cron.before(named[0], zone)), zone)) == named[0]


@given(crons)
def test_a_cron_that_is_taken_comes_within_years(text):
    cron = parsed(text)

    if cron is not None:
        due = next(cron.after(AT, "UTC"))
        assert due - AT < timedelta(days=366 * YEARS)


@given(st.text(max_size=300))
def test_any_text_is_taken_or_refused_in_words(text):
    try:
        cron = Cron.parse(text)
    except ValueError as error:
        assert str(error)  # noqa: PT017 - it says something
    else:
        assert cron.minutes
