"""A day is its zone's: 23, 24 or 25 hours, from midnight to midnight."""

from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rules import days

BERLIN = "Europe/Berlin"
HOUR = 3600.0
ZONES = sorted(
    zone for zone in available_timezones() if "/" in zone and not zone.startswith("System")
)


@pytest.mark.parametrize(
    ("day", "hours"),
    [("2026-03-29", 23), ("2026-10-25", 25), ("2026-11-21", 24)],
)
def test_r5_a_day_is_as_long_as_its_zone_makes_it(day, hours):
    assert days.ends(day, BERLIN) - days.begins(day, BERLIN) == hours * HOUR


def test_r5_midnight_is_the_zones_own():
    begins = days.begins("2026-11-22", BERLIN)

    assert days.day_of(begins - 1, BERLIN) == "2026-11-21"
    assert days.day_of(begins, BERLIN) == "2026-11-22"
    assert days.day_of(begins, "UTC") == "2026-11-21"


def test_r5_a_day_whose_midnight_is_skipped_begins_after_it():
    """In Cairo the clock went from 23:59:59 to 01:00 on 24 April 2026."""
    begins = days.begins("2026-04-24", "Africa/Cairo")

    assert days.day_of(begins, "Africa/Cairo") == "2026-04-24"
    assert days.day_of(begins - 1, "Africa/Cairo") == "2026-04-23"


@given(st.integers(1_700_000_000, 2_000_000_000), st.sampled_from(ZONES))
def test_r5_every_moment_is_in_the_day_that_has_begun_and_not_ended(moment, zone):
    day = days.day_of(moment, zone)

    assert days.begins(day, zone) <= moment < days.ends(day, zone)


@pytest.mark.parametrize("zone", ["Europe/Nowhere", "", "../etc/passwd", "/etc/localtime"])
def test_what_is_no_zone_is_known_as_none(zone):
    assert not days.known(zone)
