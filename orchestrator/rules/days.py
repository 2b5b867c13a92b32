"""Which day a moment belongs to in a time zone, and when that day begins; it knows no clock.

Moments are seconds since 1970. A day is as long as its zone makes it: 23, 24 or 25 hours.
"""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


def known(zone: str) -> bool:
    """Whether there is such a zone, by its name in the IANA database (Europe/Berlin)."""
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def day_of(moment: float, zone: str) -> str:
    """The day, as YYYY-MM-DD."""
    return datetime.fromtimestamp(moment, ZoneInfo(zone)).date().isoformat()


def begins(day: str, zone: str) -> float:
    """The moment a day (YYYY-MM-DD) begins, be its midnight skipped. Raises ValueError."""
    return datetime.combine(date.fromisoformat(day), time(), ZoneInfo(zone)).timestamp()


def ends(day: str, zone: str) -> float:
    """The moment the next day begins."""
    following = date.fromisoformat(day) + timedelta(days=1)
    return begins(following.isoformat(), zone)
