"""How long GitHub wants to be left in peace, read from its answer, and how long we rest by ourselves; pure.

https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Final

LONGEST: Final = timedelta(hours=1)
UNSAID: Final = timedelta(minutes=1)
"""What GitHub asks for where a limit is reached and no header says until when."""

FIRST_REST: Final = timedelta(seconds=15)
LIMITING: Final = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A limit is reached: for so long, or until that moment; neither means that nothing was said."""

    for_: timedelta | None = None
    until: datetime | None = None

    def end(self, now: datetime) -> datetime:
        """When to ask again: later than now, and within the hour."""
        wanted = now + self.for_ if self.for_ is not None else self.until or now + UNSAID
        return min(max(wanted, now + timedelta(seconds=1)), now + LONGEST)


def pause_of(status: int, headers: Mapping[str, str], body: bytes) -> Pause | None:
    """The pause that an answer asks for; None where it isn't about a limit."""
    if status not in LIMITING:
        return None
    after, reset = _whole(headers.get("retry-after")), _whole(headers.get("x-ratelimit-reset"))
    if after is not None:
        return Pause(for_=timedelta(seconds=after))
    if headers.get("x-ratelimit-remaining") == "0":
        return Pause(until=None if reset is None else datetime.fromtimestamp(reset, UTC))
    limited = status == HTTPStatus.TOO_MANY_REQUESTS or b"rate limit" in body[:2000].lower()
    return Pause() if limited else None


def rest_after(failures: int, every: timedelta) -> timedelta:
    """How long to rest after so many failures in a row: doubling, from the shorter of 15 s and `every` to an hour."""
    if failures == 0:
        return every
    return min(min(FIRST_REST, every) * (1 << min(failures - 1, 16)), LONGEST)


def _whole(text: str | None) -> int | None:
    """Bounded, so that no number breaks a clock."""
    digits = text is not None and text.isascii() and text.isdigit() and len(text) <= 10  # noqa: PLR2004
    return int(text) if digits and text is not None else None
