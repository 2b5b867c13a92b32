"""The mailbox of a run: deliveries in their order, and a person's words about one conversation found among them.

It holds references and decides nothing; what is claimed and what becomes of it is the run's business.
"""

from collections import deque
from collections.abc import Iterable

from workflows.messages import Entry, Kind

WORDS = frozenset({Kind.RESUME, Kind.CANCEL})


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


def _ends(entry: Entry, run_id: str) -> bool:
    return entry.kind is Kind.CANCEL and entry.run_id == run_id
