"""What an inbox in memory says of a sender: which of its deliveries came, when, and what is left to do."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, Protocol

from typing_extensions import override

from orchestrator.inbox import rows
from orchestrator.inbox.inbox import DecisionState, EntryState, Inbox
from orchestrator.inbox.memory_lanes import Lanes
from orchestrator.inbox.rows import Row

PRUNABLE: Final = frozenset({EntryState.DECIDED, EntryState.QUARANTINED})


class MemoryHeard(Inbox, Protocol):
    """The part of `MemoryInbox` that is asked about senders."""

    _entries: dict[str, Row]
    _lanes: Lanes

    @override
    async def seen(self, source: str, delivery_ids: Sequence[str]) -> set[str]:
        known = {row["seen_id"] for row in self._entries.values() if row["source"] == source}
        return {name for name in delivery_ids if rows.clean(name) in known}

    @override
    async def newest(self, source: str) -> datetime | None:
        return max(self._heard(source), default=None)

    @override
    async def oldest(self, source: str) -> datetime | None:
        return min(self._heard(source), default=None)

    @override
    async def sources(self) -> list[str]:
        return sorted({row["source"] for row in self._entries.values() if row["state"] in PRUNABLE})

    @override
    async def head(self) -> int:
        return max((row["position"] for row in self._entries.values()), default=0)

    @override
    async def backlog(self, source: str) -> int:
        mine = [row for row in self._entries.values() if row["source"] == source]
        return sum(
            row["state"] == EntryState.RECEIVED or self._lanes.has(row["id"], {DecisionState.READY})
            for row in mine
        )

    def _heard(self, source: str) -> Iterator[datetime]:
        for row in self._entries.values():
            if row["source"] == source and row["state"] != EntryState.PRUNED:
                yield row["received_at"]
