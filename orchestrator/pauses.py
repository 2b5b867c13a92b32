"""How long a Retry-After header asks to be left alone, in seconds or as a date; it reads no clock."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

_SECONDS: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


def asked(text: str | None, now: datetime | None) -> float | None:
    """The seconds that it asks for, 0 for a moment that is over; None for what is neither seconds nor a date.

    Where nobody knows what time it is there (`now` is None), a date says nothing.
    """
    in_seconds = seconds(text)
    if in_seconds is not None or text is None or now is None:
        return in_seconds
    at = moment(text)
    return None if at is None else max((at - now).total_seconds(), 0.0)


def seconds(text: str | None) -> float | None:
    """A plain number of seconds; None for anything else, a number without end included."""
    return float(text) if text is not None and _SECONDS.fullmatch(text.strip()) else None


def moment(text: str | None) -> datetime | None:
    """A date as HTTP spells it; None for anything else."""
    try:
        at = parsedate_to_datetime(text or "")
    except (ValueError, TypeError, OverflowError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
