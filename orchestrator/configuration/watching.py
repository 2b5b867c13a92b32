"""When files that changed are to be read again; values in, values out: it looks at no file and no clock."""

from dataclasses import dataclass, replace
from typing import Final

Stamp = tuple[str, int, int, int, int]
"""A file as it stands: its path, when it and its inode were changed (ns), its size and its inode."""

Stamps = tuple[Stamp, ...]

QUIET: Final = 1.0
"""Seconds without a change before they are read: editors and checkouts write more than once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """The files as they were when last read, as they are, and since when; `read` is None: read them again."""

    read: Stamps | None
    seen: Stamps
    since: float

    def looked(self, stamps: Stamps, now: float) -> "Watch":
        """As it is now, in monotonic seconds."""
        return self if stamps == self.seen else replace(self, seen=stamps, since=now)

    def due(self, now: float) -> bool:
        """Whether to read them."""
        return self.seen != self.read and now >= self.since + QUIET


def watched(stamps: Stamps, now: float, began: int, ended: int) -> Watch:
    """After a reading of these stamps that lasted from one time (ns) to another.

    One file written once more in the same tick of its clock looks the same: young ones are read again.
    """
    since, until = began - QUIET * 1e9, ended + QUIET * 1e9
    young = any(since < max(at, inode) < until for _, at, inode, _, _ in stamps)
    return Watch(read=None if young else stamps, seen=stamps, since=now)
