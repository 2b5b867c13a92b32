"""The inbox in memory: the same promises without a disk, for tests and rehearsals; it ends with its process.

It keeps the rows that `rows.py` makes, so that values come back as they would from a database.
"""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

from orchestrator.database import DatabaseError
from orchestrator.inbox import rows
from orchestrator.inbox.inbox import (
    MAX_FOUND,
    MAX_REFUSALS,
    Arrival,
    Decision,
    DecisionState,
    Duplicate,
    Entry,
    EntryState,
    Kept,
    Lease,
    Quarantined,
    Receipt,
    Refusal,
)
from orchestrator.inbox.patterns import glob
from orchestrator.inbox.rows import Row

MAY_BE_NONE: Final = frozenset(
    {"delivery_id", "seen_id", "seen_hash", "subject", "actor", "duplicate_of"}
)
OPEN: Final = frozenset({DecisionState.READY, DecisionState.DELIVERED})
PRUNABLE: Final = frozenset({EntryState.DECIDED, EntryState.QUARANTINED})


class MemoryInbox:
    """The `Inbox` protocol over dictionaries. One event loop may use it."""

    def __init__(self) -> None:
        self._entries: dict[str, Row] = {}
        self._decisions: dict[str, Row] = {}
        self._lanes: dict[str, int] = {}
        self._refusals: list[Refusal] = []
        self._last = 0

    async def keep(self, arrivals: Sequence[Arrival]) -> list[Receipt]:
        """Keep a batch, whole or not at all; the receipts are in the arrivals' order."""
        batch = [_whole(rows.entry_row(arrival)) for arrival in arrivals]
        return [self._keep(row) for row in batch]

    async def refuse(self, refusal: Refusal) -> None:
        """Remember a refusal; the newest 1,000 are kept."""
        await self.refuse_all([refusal])

    async def refuse_all(self, refusals: Sequence[Refusal]) -> None:
        """Remember refusals."""
        seen = [rows.refusal(rows.refusal_row(refusal)) for refusal in refusals]
        self._refusals = (self._refusals + seen)[-MAX_REFUSALS:]

    async def refusals(self, limit: int) -> list[Refusal]:
        """The newest refusals first."""
        return self._refusals[::-1][:limit]

    async def entry(self, event_id: str) -> Entry | None:
        """The entry with exactly this id."""
        row = self._entries.get(rows.clean(event_id))
        return None if row is None else rows.entry(row)

    async def find(self, text: str) -> list[Entry]:
        """Entries whose id or delivery id is `text` or begins with it (at most 10), oldest first."""
        wanted = rows.clean(text)
        found = (row for row in self._entries.values() if _named(row, wanted))
        return [rows.entry(row) for row in islice(found, MAX_FOUND)]

    async def entries(self, limit: int, source: str | None = None) -> list[Entry]:
        """The newest entries first, bodies left out."""
        newest = reversed(self._entries.values())
        found = (row for row in newest if source is None or row["source"] == source)
        return [_slim(row) for row in islice(found, limit)]

    async def undecided(self, limit: int) -> list[Entry]:
        """Received entries in the order they were kept."""
        found = (row for row in self._entries.values() if row["state"] == EntryState.RECEIVED)
        return [rows.entry(row) for row in islice(found, limit)]

    async def decide(self, event_id: str, decisions: Sequence[Decision], now: datetime) -> None:
        """Write all decisions of an event and mark it decided; of a decided one nothing changes."""
        entry = self._entries.get(event_id)
        if entry is not None and entry["state"] == EntryState.RECEIVED:
            entry["state"] = EntryState.DECIDED
            self._write(decisions, now)

    async def add(self, decisions: Sequence[Decision], now: datetime) -> None:
        """Add later decisions; known ids are left alone, and so are tombstones."""
        for decision in decisions:
            if decision.event_id not in self._entries:
                raise DatabaseError(f"expected an entry, there is no {decision.event_id!r}")
        self._write(
            [
                decision
                for decision in decisions
                if self._entries[decision.event_id]["state"] != EntryState.PRUNED
            ],
            now,
        )

    async def decisions(self, event_ids: Sequence[str]) -> dict[str, list[Decision]]:
        """The decisions of these events, oldest first."""
        return {event_id: list(map(rows.decision, self._of(event_id))) for event_id in event_ids}

    async def decision(self, decision_id: str) -> Decision | None:
        """The decision with exactly this id."""
        row = self._decisions.get(rows.clean(decision_id))
        return None if row is None else rows.decision(row)

    async def claim(self, now: datetime, lease: timedelta, limit: int) -> list[Lease]:
        """Lease the head of each lane that is due and not leased; oldest decisions first."""
        return [self._lease(row, now + lease) for row in list(islice(self._heads(now), limit))]

    async def settle(self, decision_id: str, fence: int, now: datetime) -> bool:
        """Mark delivered; False when the claim was taken over or given back in the meantime."""
        return self._end(
            decision_id, fence, state=DecisionState.DELIVERED, delivered_at=now, note=None
        )

    async def release(
        self, decision_id: str, fence: int, until: datetime, reason: str, *, count: bool
    ) -> bool:
        """Give a claim back, due again at `until`; `count` says whether it was an attempt."""
        released = self._end(decision_id, fence, due_at=until, note=reason)
        if released:
            self._decisions[decision_id]["attempts"] += int(count)
        return released

    async def bury(self, decision_id: str, fence: int, reason: str) -> bool:
        """Make it a dead letter, so that its lane goes on."""
        return self._end(decision_id, fence, state=DecisionState.DEAD, note=reason)

    async def delivered(
        self, before: datetime, limit: int, after: Decision | None = None
    ) -> list[Decision]:
        """Decisions delivered before then and not yet closed, oldest first; `after` goes on."""
        found = [
            rows.decision(row)
            for row in self._decisions.values()
            if row["state"] == DecisionState.DELIVERED and row["delivered_at"] < before
        ]
        beyond = [one for one in found if after is None or _place(one) > _place(after)]
        return sorted(beyond, key=_place)[:limit]

    async def unfold(self, event_id: str, workflow_id: str) -> None:
        """Make the folded start of this event and run ready after all, at the end of its lane."""
        for row in self._of(event_id):
            if row["workflow_id"] == workflow_id and row["state"] == DecisionState.FOLDED:
                row |= {"state": DecisionState.READY, "lane_number": self._next(row["lane"])}

    async def unread(self, lane: str) -> int:
        """How many decisions of a lane are delivered and not known to be taken."""
        delivered = [row for row in self._in_lane(lane) if row["state"] == DecisionState.DELIVERED]
        return len(delivered)

    async def close(self, decision_ids: Sequence[str]) -> None:
        """Their runs have taken them: `delivered` becomes `settled`."""
        for decision_id in decision_ids:
            self._move(decision_id, DecisionState.SETTLED)

    async def reopen(self, decision_id: str) -> None:
        """Deliver it again: `delivered` becomes `ready`."""
        self._move(decision_id, DecisionState.READY)

    async def free_leases(self) -> None:
        """Forget all leases."""
        for row in self._decisions.values():
            row["leased_until"] = None

    async def look_back(self, pattern: str, key: str, since: int, limit: int) -> list[Entry]:
        """Entries after position `since` whose `source/type` matches the glob and that carry the key, oldest first."""
        wanted, carried = glob(pattern), rows.clean(key)
        found = (
            entry
            for row in self._entries.values()
            if row["position"] > since and row["state"] != EntryState.QUARANTINED
            for entry in [rows.entry(row)]
            if carried in entry.keys and wanted.fullmatch(f"{entry.source}/{entry.type}")
        )
        return list(islice(found, limit))

    async def head(self) -> int:
        """The position of the newest entry, 0 when empty."""
        return max((row["position"] for row in self._entries.values()), default=0)

    async def waiting(self) -> int:
        """How many entries and decisions still have to be worked off."""
        ready = [row for row in self._decisions.values() if row["state"] == DecisionState.READY]
        return len(await self.undecided(self._last)) + len(ready)

    async def backlog(self, source: str) -> int:
        """How many entries of a source still have to be worked off."""
        mine = [row for row in self._entries.values() if row["source"] == source]
        return sum(
            row["state"] == EntryState.RECEIVED or self._has(row["id"], {DecisionState.READY})
            for row in mine
        )

    async def sources(self) -> list[str]:
        """The sources of everything that could be pruned, in order."""
        return sorted({row["source"] for row in self._entries.values() if row["state"] in PRUNABLE})

    async def prunable(
        self, source: str, before: datetime, limit: int, after: Entry | None = None
    ) -> list[Entry]:
        """Entries received before then with nothing left to do, oldest first, bodies left out."""
        found = sorted(
            (
                row
                for row in self._entries.values()
                if row["source"] == source and row["received_at"] < before and self._done(row)
            ),
            key=_age,
        )
        beyond = (row for row in found if after is None or _age(row) > _age_of(after))
        return [_slim(row) for row in islice(beyond, limit)]

    async def prune(self, event_ids: Sequence[str]) -> int:
        """Make tombstones of those with nothing left to do."""
        known = [
            row for id_ in dict.fromkeys(event_ids) if (row := self._entries.get(id_)) is not None
        ]
        done = [row for row in known if self._done(row)]
        for row in done:
            self._prune(row)
        return len(done)

    async def forget(self, before: datetime, limit: int) -> int:
        """Remove so many of the tombstones of deliveries received before then."""
        found = [
            row
            for row in self._entries.values()
            if row["state"] == EntryState.PRUNED and row["received_at"] < before
        ]
        oldest = sorted(found, key=_age)[:limit]
        for row in oldest:
            del self._entries[row["id"]]
        return len(oldest)

    async def pulse(self, now: datetime) -> None:
        """Nothing can stand in its way."""

    def _keep(self, row: Row) -> Receipt:
        same_bytes = self._first(row, "seen_hash")
        same_id = self._first(row, "seen_id")
        if same_bytes is not None:
            return _counted(same_bytes)
        if same_id is None:
            self._insert(row)
            return Kept(row["id"])
        if same_id["body_hash"] == row["body_hash"]:
            return _counted(same_id)
        return self._set_aside(rows.quarantined(row, same_id["id"]))

    def _first(self, row: Row, column: str) -> Row | None:
        identity = (row["source"], row[column])
        found = (
            other
            for other in self._entries.values()
            if row[column] is not None and (other["source"], other[column]) == identity
        )
        return next(found, None)

    def _set_aside(self, row: Row) -> Receipt:
        names = ("source", "delivery_id", "body_hash", "state")
        same = (
            other
            for other in self._entries.values()
            if all(other[name] == row[name] for name in names)
        )
        aside = next(same, None)
        if aside is None:
            self._insert(row)
        return Quarantined((aside or row)["id"], row["duplicate_of"])

    def _insert(self, row: Row) -> None:
        self._last += 1
        self._entries[row["id"]] = row | {"position": self._last}

    def _write(self, decisions: Sequence[Decision], now: datetime) -> None:
        new = {
            decision.id: rows.decision_row(decision, now)
            for decision in decisions
            if decision.id not in self._decisions
        }
        for row in new.values():
            if row["lane"] is not None and row["state"] == DecisionState.READY:
                row["lane_number"] = self._next(row["lane"])
        self._decisions |= new

    def _next(self, lane: str) -> int:
        self._lanes[lane] = self._lanes.get(lane, 0) + 1
        return self._lanes[lane]

    def _of(self, event_id: str) -> list[Row]:
        return [row for row in self._decisions.values() if row["event_id"] == event_id]

    def _in_lane(self, lane: str) -> list[Row]:
        return [row for row in self._decisions.values() if row["lane"] == rows.clean(lane)]

    def _has(self, event_id: str, states: AbstractSet[DecisionState]) -> bool:
        return any(row["state"] in states for row in self._of(event_id))

    def _heads(self, now: datetime) -> Iterator[Row]:
        for row in self._decisions.values():
            free = row["leased_until"] is None or row["leased_until"] <= now
            due = row["state"] == DecisionState.READY and row["due_at"] <= now
            if due and free and not self._blocked(row):
                yield row

    def _blocked(self, row: Row) -> bool:
        return row["lane"] is not None and any(
            other["state"] == DecisionState.READY and other["lane_number"] < row["lane_number"]
            for other in self._in_lane(row["lane"])
        )

    def _lease(self, row: Row, until: datetime) -> Lease:
        row["fence"] += 1
        row["leased_until"] = until
        return Lease(decision=rows.decision(row), fence=row["fence"], until=until)

    def _end(self, decision_id: str, fence: int, **values: Any) -> bool:
        row = self._decisions.get(decision_id)
        mine = (
            row is not None
            and row["state"] == DecisionState.READY
            and row["fence"] == fence
            and row["leased_until"] is not None
        )
        if row is not None and mine:
            row |= {"leased_until": None, **values}
        return mine

    def _move(self, decision_id: str, state: DecisionState) -> None:
        row = self._decisions.get(decision_id)
        if row is not None and row["state"] == DecisionState.DELIVERED:
            row["state"] = state

    def _done(self, row: Row) -> bool:
        return row["state"] in PRUNABLE and not self._has(row["id"], OPEN)

    def _prune(self, row: Row) -> None:
        gone = self._of(row["id"])
        for decision in gone:
            del self._decisions[decision["id"]]
        for lane in {decision["lane"] for decision in gone} - {None}:
            if not any(decision["state"] in OPEN for decision in self._in_lane(lane)):
                self._lanes.pop(lane, None)
        if row["state"] == EntryState.QUARANTINED:
            del self._entries[row["id"]]
        else:
            row |= rows.tombstone()


def _whole(row: Row) -> Row:
    for name, value in row.items():
        if value is None and name not in MAY_BE_NONE:
            raise DatabaseError(f"expected a value for {name!r}, got None")
    return row


def _counted(original: Row) -> Duplicate:
    original["duplicates"] += 1
    return Duplicate(original["id"])


def _named(row: Row, text: str) -> bool:
    names = [row["id"], row["seen_id"]]
    if row["state"] == EntryState.QUARANTINED:
        names.append(row["delivery_id"])
    return any(name is not None and name.startswith(text) for name in names)


def _slim(row: Mapping[str, Any]) -> Entry:
    return rows.entry({name: value for name, value in row.items() if name != "body"})


def _place(decision: Decision) -> tuple[datetime | None, str]:
    return decision.delivered_at, decision.id


def _age(row: Mapping[str, Any]) -> tuple[datetime, int]:
    return row["received_at"], row["position"]


def _age_of(entry: Entry) -> tuple[datetime, int]:
    return entry.received_at, entry.position
