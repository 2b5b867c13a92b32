"""When to try again what failed: exponential, with jitter, capped; pure."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

FIRST: Final = timedelta(seconds=2)
LONGEST: Final = timedelta(hours=1)


def retry_at(attempts: int, now: datetime, jitter: Callable[[], float]) -> datetime:
    """When to try again what failed now and `attempts` times before; `jitter` gives a number in [0, 1).

    Half of the span is certain, so that nobody is asked again at once; the other half is drawn, so that what
    failed together doesn't come back together.
    """
    span = min(FIRST * (1 << min(attempts, 32)), LONGEST)
    return now + span / 2 * (1 + jitter())
