"""The lines of a conversation's log, and how what happened beside it is put among them; it reads no table."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Voice(StrEnum):
    """Who or what a line is of."""

    TOLD = "told"
    SAID = "said"
    CALLED = "called"
    WAITED = "waits"
    ANSWERED = "answered"
    ASKED = "asks"
    HEARD = "heard"
    SETTLED = "settled"
    NOTIFIED = "notified"
    CLEARED = "cleared"
    QUARANTINED = "quarantined"
    STANDS = "stands"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing that happened. `turn` 0 is what a person applied; `at` is None where nobody wrote the time down."""

    name: str
    voice: Voice
    turn: int
    at: float | None
    body: Mapping[str, Any]


def among(lines: Sequence[Line], beside: Iterable[Line]) -> Iterator[Line]:
    """All of them; each of those beside stands before the first line of which it is known that it came later."""
    left = sorted(beside, key=lambda line: line.at or 0.0)
    for line in lines:
        while left and line.at is not None and (left[0].at or 0.0) < line.at:
            yield left.pop(0)
        yield line
    yield from left
