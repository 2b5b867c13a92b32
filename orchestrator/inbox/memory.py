"""The inbox in memory: the same promises without a disk, for tests and rehearsals; it ends with its process.

It keeps the rows that `rows.py` makes, so that values come back as they would from a database.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

from typing_extensions import override

from orchestrator.database import DatabaseError
from orchestrator.inbox import rows
from orchestrator.inbox.inbox import (
    MAX_FOUND,
    MAX_REFUSALS,
    Action,
    Ahead,
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
from orchestrator.inbox.memory_heard import PRUNABLE, MemoryHeard
from orchestrator.inbox.memory_lanes import Lanes
from orchestrator.inbox.memory_tallies import Tallies
from orchestrator.inbox.orders import Order, Pause
from orchestrator.inbox.patterns import glob
from orchestrator.inbox.rows import Row
from orchestrator.inbox.sought import EVERYTHING, Sought, Stand

MAY_BE_NONE: Final = frozenset(
    {"delivery_id", "seen_id", "seen_hash", "subject", "actor", "duplicate_of"}
)
OPEN: Final = frozenset({DecisionState.READY, DecisionState.DELIVERED})


class MemoryInbox(MemoryHeard):
    """The `Inbox` protocol over dictionaries. One event loop may use it."""

    def __init__(self) -> None:
        self._entries: dict[str, Row] = {}
        self._tallies = Tallies()
        self._lanes = Lanes(self._entries, self._tallies)
        self._refusals: list[Refusal] = []
        self._last = 0

    @override
    async def keep(self, arrivals: Sequence[Arrival]) -> list[Receipt]:
        batch = [_whole(rows.entry_row(arrival)) for arrival in arrivals]
        return [self._keep(row) for row in batch]

    @override
    async def refuse(self, refusal: Refusal) -> None:
        await self.refuse_all([refusal])

    @override
    async def refuse_all(self, refusals: Sequence[Refusal]) -> None:
        seen = [rows.refusal(rows.refusal_row(refusal)) for refusal in refusals]
        self._refusals = (self._refusals + seen)[-MAX_REFUSALS:]

    @override
    async def refusals(self, limit: int) -> list[Refusal]:
        return self._refusals[::-1][:limit]

    @override
    async def entry(self, event_id: str) -> Entry | None:
        row = self._entries.get(rows.clean(event_id))
        return None if row is None else rows.entry(row)

    @override
    async def find(self, text: str) -> list[Entry]:
        wanted = rows.clean(text)
        found = (row for row in self._entries.values() if _named(row, wanted))
        return [rows.entry(row) for row in islice(found, MAX_FOUND)]

    @override
    async def entries(self, limit: int, sought: Sought = EVERYTHING) -> list[Entry]:
        newest = reversed(self._entries.values())
        found = (row for row in newest if _fits(row, sought) and self._stands(row, sought.state))
        return [_slim(row) for row in islice(found, limit)]

    @override
    async def undecided(self, limit: int) -> list[Entry]:
        found = (row for row in self._entries.values() if row["state"] == EntryState.RECEIVED)
        return [rows.entry(row) for row in islice(found, limit)]

    @override
    async def decide(
        self,
        event_id: str,
        decisions: Sequence[Decision],
        now: datetime,
        order: Order | None = None,
    ) -> list[Decision]:
        entry = self._entries.get(event_id)
        if entry is None or entry["state"] != EntryState.RECEIVED:
            return []
        entry["state"] = EntryState.DECIDED
        written = self._tallies.judged(self._standing(decisions), now)
        self._lanes.write(written, now)
        if order is not None:
            self._lanes.carry_out(order, entry["position"], now)
        return written

    @override
    async def add(self, decisions: Sequence[Decision], now: datetime) -> None:
        self._lanes.write(self._standing(decisions), now)

    @override
    async def decisions(self, event_ids: Sequence[str]) -> dict[str, list[Decision]]:
        return {
            event_id: list(map(rows.decision, self._lanes.of(event_id))) for event_id in event_ids
        }

    @override
    async def decision(self, decision_id: str) -> Decision | None:
        row = self._lanes.rows.get(rows.clean(decision_id))
        return None if row is None else rows.decision(row)

    @override
    async def ahead(self, decision_ids: Sequence[str]) -> dict[str, Ahead]:
        return self._lanes.ahead(decision_ids)

    @override
    async def claim(
        self,
        now: datetime,
        lease: timedelta,
        limit: int,
        actions: Collection[Action] | None = None,
    ) -> list[Lease]:
        return self._lanes.lease(now, now + lease, limit, actions)

    @override
    async def settle(self, decision_id: str, fence: int, now: datetime) -> bool:
        row = self._lanes.rows.get(decision_id)
        forwarded = row is not None and row["action"] == Action.FORWARD
        state = DecisionState.SETTLED if forwarded else DecisionState.DELIVERED
        return self._lanes.end(decision_id, fence, state=state, delivered_at=now, note=None)

    @override
    async def release(
        self, decision_id: str, fence: int, until: datetime, reason: str, *, count: bool
    ) -> bool:
        released = self._lanes.end(decision_id, fence, due_at=until, note=reason)
        if released:
            self._lanes.rows[decision_id]["attempts"] += int(count)
        return released

    @override
    async def bury(self, decision_id: str, fence: int, reason: str) -> bool:
        buried = self._lanes.end(decision_id, fence, state=DecisionState.DEAD, note=reason)
        row = self._lanes.rows[decision_id] if buried else None
        if row is not None and row["action"] == Action.RESUME:
            self._lanes.unfold(row["event_id"], row["workflow_id"], row["again"])
        return buried

    @override
    async def dead(self, limit: int) -> list[Decision]:
        found = (row for row in self._lanes.rows.values() if row["state"] == DecisionState.DEAD)
        return [rows.decision(row) for row in islice(found, limit)]

    @override
    async def pauses(self) -> list[Pause]:
        return self._lanes.pauses()

    @override
    async def undelivered(self) -> dict[str, int]:
        ready = (row for row in self._lanes.rows.values() if row["state"] == DecisionState.READY)
        return dict(Counter(row["rule"] for row in ready))

    @override
    async def delivered(
        self, before: datetime, limit: int, after: Decision | None = None
    ) -> list[Decision]:
        found = [
            rows.decision(row)
            for row in self._lanes.rows.values()
            if row["state"] == DecisionState.DELIVERED and row["delivered_at"] < before
        ]
        beyond = [one for one in found if after is None or _place(one) > _place(after)]
        return sorted(beyond, key=_place)[:limit]

    @override
    async def unfold(self, event_id: str, workflow_id: str, again: int | None = None) -> None:
        self._lanes.unfold(event_id, workflow_id, again)

    @override
    async def unread(self, lane: str) -> int:
        delivered = [
            row for row in self._lanes.in_lane(lane) if row["state"] == DecisionState.DELIVERED
        ]
        return len(delivered)

    @override
    async def close(self, decision_ids: Sequence[str]) -> None:
        for decision_id in decision_ids:
            self._lanes.move(decision_id, DecisionState.SETTLED)

    @override
    async def hasten(self, cause: str, limit: int, now: datetime) -> int:
        return self._lanes.hasten(cause, limit, now)

    @override
    async def reopen(self, decision_id: str) -> None:
        self._lanes.move(decision_id, DecisionState.READY)

    @override
    async def free_leases(self) -> None:
        for row in self._lanes.rows.values():
            row["leased_until"] = None

    @override
    async def look_back(self, pattern: str, key: str, since: int, limit: int) -> list[Entry]:
        wanted, carried = glob(pattern), rows.clean(key)
        found = (
            row
            for row in self._entries.values()
            if row["position"] > since and row["state"] != EntryState.QUARANTINED
            if carried in _slim(row).keys and wanted.fullmatch(f"{row['source']}/{row['type']}")
        )
        return [rows.entry(row) for row in islice(found, limit)]

    @override
    async def waiting(self) -> int:
        ready = [row for row in self._lanes.rows.values() if row["state"] == DecisionState.READY]
        return len(await self.undecided(self._last)) + len(ready)

    @override
    async def prunable(
        self, source: str, before: datetime, limit: int, after: Entry | None = None
    ) -> list[Entry]:
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

    @override
    async def prune(self, event_ids: Sequence[str]) -> int:
        known = [
            row for id_ in dict.fromkeys(event_ids) if (row := self._entries.get(id_)) is not None
        ]
        done = [row for row in known if self._done(row)]
        for row in done:
            self._prune(row)
        return len(done)

    @override
    async def forget(self, before: datetime, limit: int) -> int:
        found = [
            row
            for row in self._entries.values()
            if row["state"] == EntryState.PRUNED and row["received_at"] < before
        ]
        oldest = sorted(found, key=_age)[:limit]
        for row in oldest:
            del self._entries[row["id"]]
        return len(oldest)

    @override
    async def pulse(self, now: datetime) -> None:
        """Nothing can stand in its way."""

    def _standing(self, decisions: Sequence[Decision]) -> list[Decision]:
        for decision in decisions:
            if decision.event_id not in self._entries:
                raise DatabaseError(f"expected an entry, there is no {decision.event_id!r}")
        return [
            decision
            for decision in decisions
            if self._entries[decision.event_id]["state"] != EntryState.PRUNED
        ]

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

    def _stands(self, row: Row, stand: Stand | None) -> bool:
        match stand:
            case None:
                return True
            case Stand.WAITING:
                return self._lanes.has(row["id"], {DecisionState.READY})
            case Stand.HELD:
                return self._lanes.holds(row["id"])
            case Stand.DEAD:
                return self._lanes.has(row["id"], {DecisionState.DEAD})
            case Stand.RECEIVED | Stand.DECIDED | Stand.QUARANTINED | Stand.PRUNED:
                return bool(row["state"] == stand.value)

    def _done(self, row: Row) -> bool:
        return row["state"] in PRUNABLE and not self._lanes.has(row["id"], OPEN)

    def _prune(self, row: Row) -> None:
        self._lanes.forget(row["id"], OPEN)
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


def _fits(row: Row, sought: Sought) -> bool:
    return (
        row["position"] > sought.after
        and (sought.before is None or row["position"] < sought.before)
        and sought.source in {None, row["source"]}
        and (sought.type is None or glob(sought.type).fullmatch(row["type"]) is not None)
        and (sought.since is None or row["received_at"] >= sought.since)
        and (sought.until is None or row["received_at"] < sought.until)
    )


def _slim(row: Mapping[str, Any]) -> Entry:
    return rows.entry({name: value for name, value in row.items() if name != "body"})


def _place(decision: Decision) -> tuple[datetime | None, str]:
    return decision.delivered_at, decision.id


def _age(row: Mapping[str, Any]) -> tuple[datetime, int]:
    return row["received_at"], row["position"]


def _age_of(entry: Entry) -> tuple[datetime, int]:
    return entry.received_at, entry.position
