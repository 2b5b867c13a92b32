"""Whether what lies outside can be reached, as gauges; it asks through what it is given and knows no vendor."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final

from orchestrator.telemetry import catalogue
from orchestrator.telemetry.registry import Figures, Reading

OPENNESS: Final[Mapping[str, float]] = {"closed": 0.0, "half open": 0.5, "open": 1.0}
"""A breaker's state as a number, so that an alert can be written as `== 1`."""


def temporal(reachable: Callable[[], Awaitable[bool]]) -> Reading:
    """Reads whether Temporal answers."""

    async def read() -> Figures:
        return {catalogue.TEMPORAL: {(): float(await reachable())}}

    return read


def breakers(states: Callable[[], Iterable[tuple[str, str]]]) -> Reading:
    """Reads the breakers: pairs of a destination and its state."""

    async def read() -> Figures:
        return {catalogue.BREAKER: {(name,): OPENNESS[state] for name, state in states()}}

    return read
