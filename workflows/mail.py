"""The mailbox of a run: deliveries in their order, and which of them an open conversation may hear already.

It holds references and decides nothing; what is claimed and what becomes of it is the run's business. Times are
seconds since 1970.
"""

from collections import deque
from collections.abc import Iterable

from workflows.flow import Mode
from workflows.messages import Entry, Kind

WORDS = frozenset({Kind.RESUME, Kind.CANCEL})
JOINING = frozenset({Mode.SIGNAL, Mode.PARALLEL})
"""Modes whose events an open conversation hears; the others are about which conversation is open."""


class Mailbox:
    """First in, first out; words may be taken out of turn, because a parked run hears nothing else."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries = deque(entries)

    def __bool__(self) -> bool:
        return bool(self._entries)

    def put(self, entry: Entry) -> None:
        """Append one."""
        self._entries.append(entry)

    def first(self) -> Entry:
        """The oldest, left where it is."""
        return self._entries[0]

    def take(self) -> Entry:
        """The oldest, taken out."""
        return self._entries.popleft()

    def remove(self, entry: Entry) -> None:
        """Take this very one out; nothing happens when it was taken before."""
        if entry in self._entries:
            self._entries.remove(entry)

    def has_word(self) -> bool:
        """Whether a person said something about a run."""
        return any(entry.kind in WORDS for entry in self._entries)

    def take_word(self) -> Entry:
        """The oldest word, taken out; everything else keeps its place."""
        entry = next(entry for entry in self._entries if entry.kind in WORDS)
        self._entries.remove(entry)
        return entry

    def take_cancel(self, run_id: str) -> Entry:
        """The oldest word that ends this very conversation, taken out."""
        entry = next(entry for entry in self._entries if _ends(entry, run_id))
        self._entries.remove(entry)
        return entry

    def wants_cancel(self, run_id: str) -> bool:
        """Whether a person asked to end this very conversation."""
        return any(_ends(entry, run_id) for entry in self._entries)

    def carried(self) -> tuple[Entry, ...]:
        """All of it, for continue-as-new."""
        return tuple(self._entries)

    def events(self) -> list[Entry]:
        """The events, the oldest first."""
        return [entry for entry in self._entries if entry.kind is Kind.EVENT]

    def other(self) -> Entry | None:
        """The oldest that is no event, left where it is."""
        return next((entry for entry in self._entries if entry.kind is not Kind.EVENT), None)

    def batch(self) -> list[Entry]:
        """The events that are folded into one, in the order of their lane."""
        return in_lane(one for one in self.events() if one.flow.coalesce is not None)

    def ripe_at(self) -> float:
        """When nothing more is waited for before the batch is acted on; the past when there is none."""
        batch = [one for one in self.events() if one.flow.coalesce is not None]
        words = batch[0].flow.coalesce if batch else None
        if words is None:
            return 0.0
        return min(batch[-1].at + words.quiet, batch[0].at + words.within)

    def heard(self, now: float) -> Entry | None:
        """The oldest that an open conversation hears now; behind an event that must wait no other is heard."""
        waits = False
        for entry in self._entries:
            if entry.kind is not Kind.EVENT:
                return entry
            if not waits and entry.flow.mode in JOINING and self.is_ripe(entry, now):
                return entry
            waits = waits or entry.flow.mode in JOINING or entry.flow.mode is Mode.QUEUE
        return None

    def outdoing(self, place: int, now: float) -> Entry | None:
        """The newest event that takes the place of a conversation which began at this place of the lane."""
        found = in_lane(
            one
            for one in self.events()
            if one.flow.mode is Mode.SUPERSEDE
            and not is_late(one, place)
            and self.is_ripe(one, now)
        )
        return found[-1] if found else None

    def unwanted(self, place: int) -> list[Entry]:
        """Events that nothing will come of while a conversation is open that began at this place."""
        return [one for one in self.events() if one.flow.mode is Mode.SINGLE or is_late(one, place)]

    def stirs_at(self) -> float | None:
        """When a batch that concerns an open conversation will be ripe; None when there is none."""
        batch = self.batch()
        concerns = batch and batch[-1].flow.mode in {*JOINING, Mode.SUPERSEDE}
        return self.ripe_at() if concerns else None

    def is_ripe(self, entry: Entry, now: float) -> bool:
        """Whether it may be acted on: what is coalesced waits for its batch."""
        return entry.flow.coalesce is None or self.ripe_at() <= now


def is_late(entry: Entry, place: int) -> bool:
    """Whether a superseding event came too late: the newest that was taken stands at this place, or after it."""
    # Entries of before there were places have none; they count in the order in which they came.
    return entry.flow.mode is Mode.SUPERSEDE and 0 < entry.place <= place


def interrupts(entry: Entry, run_id: str) -> bool:
    """What ends a wait before its time: an event of the run's own key, an older wait's event, a person's no."""
    return entry.kind is Kind.EVENT or (
        entry.kind in {Kind.WOKEN, Kind.CANCEL} and entry.run_id == run_id
    )


def in_lane(entries: Iterable[Entry]) -> list[Entry]:
    """Those entries in the order of their lane; equal places keep the order they came in."""
    return sorted(entries, key=lambda one: one.place)


def _ends(entry: Entry, run_id: str) -> bool:
    return entry.kind is Kind.CANCEL and entry.run_id == run_id
