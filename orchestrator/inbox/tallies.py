"""How often something acted already, and whether it may once more; pure, it knows no rule and no database.

A tally is one count that a decision is held against while it is written: of everything counted in its bucket at most
`most` may fall into any span of `window`, both ends of it apart by less than `window`. Time belongs to the event, so
what comes late counts when it came.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Tallied(StrEnum):
    """What is counted; the value is the place in a rule's file."""

    ACTOR = "limits.per_actor"
    KEY = "limits.per_key"
    COOLDOWN = "limits.cooldown"
    DEDUPE = "dedupe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """One count: `who` is it about, in words for people, and `said` the limit as the file writes it."""

    what: Tallied
    bucket: str
    who: str
    said: str
    at: datetime
    most: int
    window: timedelta

    @property
    def until(self) -> datetime:
        """When no event can come any more that this one counts against, unless it is decided a day late."""
        return self.at + self.window + timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Counted:
    """Something that acted, and when its event came."""

    at: datetime
    event_id: str


Found = Mapping[str, Sequence[Counted]]
"""What was counted already, by bucket: everything less than the window away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Over:
    """A tally that is full: the event would have been the `nth`; `of` is the newest that acted before it."""

    tally: Tally
    nth: int
    of: str

    @property
    def reason(self) -> str:
        """Why the event is left alone, in words."""
        tally = self.tally
        match tally.what:
            case Tallied.ACTOR | Tallied.KEY:
                return f"over the limit: {tally.said} for {tally.who} ({ordinal(self.nth)})"
            case Tallied.COOLDOWN:
                return f"cooling down: {tally.who} acted in {self.of}, less than {tally.said} ago"
            case Tallied.DEDUPE:
                return f"same {tally.who} as {self.of}, within {tally.said}"


def bucket(*parts: str) -> str:
    """A name of bounded length for what is counted together; strangers' text is in it only as a hash."""
    return hashlib.sha256("\x1f".join(parts).encode(errors="surrogatepass")).hexdigest()[:32]


def over(tallies: Sequence[Tally], found: Found) -> Over | None:
    """The first tally that has no room for one more; None where all have."""
    for tally in tallies:
        near = sorted(found.get(tally.bucket, ()))
        nth = fullest([one.at for one in near], tally.at, tally.window)
        if nth > tally.most:
            before = [one for one in near if one.at <= tally.at] or near
            return Over(tally=tally, nth=nth, of=before[-1].event_id)
    return None


def fullest(moments: Sequence[datetime], at: datetime, window: timedelta) -> int:
    """How many fall into the fullest span of `window` that holds `at`, itself among them; moments are sorted."""
    near = sorted([*(one for one in moments if abs(one - at) < window), at])
    return max(
        bisect_left(near, first + window) - number
        for number, first in enumerate(near)
        if first <= at
    )


def ordinal(number: int) -> str:
    """The number as people count: 1st, 2nd, 3rd, 4th."""
    teens = number % 100 in range(11, 14)
    ending = "th" if teens else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
