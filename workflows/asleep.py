"""How a run sleeps, as a value that says all of it: until when, and what wakes it. It knows no run and no clock.

It stands in the histories of runs that sleep for weeks, and what it means may never change: what is to be heard
otherwise one day is another value, written by whoever puts the run to sleep then.
"""

from dataclasses import dataclass

from workflows.messages import Entry, Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Asleep:
    """Sleep until this time, in seconds since 1970 (None: for ever), or until something comes that it heeds.

    Those are words and wake-ups of these `kinds`, events of these `modes`, and whatever is one of `most` entries.
    `details` and `summary` are what people are shown of it meanwhile.
    """

    until: float | None
    kinds: tuple[str, ...]
    modes: tuple[str, ...]
    most: int
    details: str
    summary: str

    def heeds(self, entry: Entry) -> bool:
        """Whether it wakes the run; all else is kept for later."""
        if entry.kind is Kind.EVENT:
            return entry.flow.mode in self.modes
        return entry.kind in self.kinds
