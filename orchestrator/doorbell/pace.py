"""How slowly a body may come: a moment's grace, then at least 1 KB/s on average, and a deadline over all; pure."""

from typing import Final

GRACE: Final = 3.0
"""Seconds in which nothing need come: a connection may start slowly."""

RATE: Final = 1024
"""Bytes a second, on average since the grace began to run out."""


def due(came: int, deadline: float) -> float:
    """Seconds after the start by which the next bytes must come, when so many have; never beyond the deadline."""
    return min(deadline, GRACE + came / RATE)
