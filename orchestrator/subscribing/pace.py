"""When a subscription is asked for again: well before it ends, or after it failed; pure."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

FIRST: Final = timedelta(seconds=2)
LONGEST: Final = timedelta(minutes=15)
LEAST: Final = timedelta(seconds=10)
"""A server that grants less, or whose clock is ahead of ours, isn't asked more often than that."""

DAILY: Final = timedelta(days=1)
"""What never ends is asked for all the same: its server may have lost it."""


def refresh_at(until: datetime | None, now: datetime) -> datetime:
    """When to refresh what was granted until then: half way, so that half of it is left for trouble."""
    if until is None:
        return now + DAILY
    return now + min(max((until - now) / 2, LEAST), DAILY)


def again_at(troubles: int, now: datetime, jitter: Callable[[], float]) -> datetime:
    """When to try again what failed now and `troubles` times before; `jitter` gives a number in [0, 1)."""
    span = min(FIRST * (1 << min(troubles, 32)), LONGEST)
    return now + span / 2 * (1 + jitter())


def after_end(troubles: int, now: datetime, jitter: Callable[[], float]) -> datetime:
    """When to ask again for what its server ended: at once, unless it does that again and again."""
    return now if troubles == 0 else again_at(troubles - 1, now, jitter)
