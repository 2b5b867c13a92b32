"""The inbox on SQLite or Postgres: each method of the protocol as one transaction; it decides nothing."""

import asyncio
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    tuple_,
    update,
)

from orchestrator.database import Database
from orchestrator.inbox import rows, sql_keep, sql_lanes, sql_prune
from orchestrator.inbox.inbox import (
    MAX_FOUND,
    MAX_REFUSALS,
    Arrival,
    Decision,
    DecisionState,
    Entry,
    EntryState,
    Lease,
    Receipt,
    Refusal,
)
from orchestrator.inbox.patterns import glob
from orchestrator.inbox.schema import DECISIONS, ENTRIES, KEYS, PULSE, REFUSALS, Moment

HEAVY: Final = 256 * 1024
"""Bytes of bodies from which packing them would hold up the other writers."""

_LAST_CHARACTER: Final = "\U0010ffff"
_SLIM: Final = [column for column in ENTRIES.c if column.name != "body"]


class SqlInbox:
    """The `Inbox` protocol over a `Database` that was opened with `schema.MIGRATIONS`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, arrivals: Sequence[Arrival]) -> list[Receipt]:
        """Commit a batch; the receipts are in the arrivals' order."""
        if not arrivals:
            return []
        if sum(len(arrival.body) for arrival in arrivals) < HEAVY:
            return await self._database.write(_keep_arrivals, arrivals)
        packed = await asyncio.to_thread(_packed, arrivals)
        return await self._database.write(sql_keep.keep, packed, _keys(arrivals))

    async def refuse(self, refusal: Refusal) -> None:
        """Remember a refusal; the newest 1,000 are kept."""
        await self.refuse_all([refusal])

    async def refuse_all(self, refusals: Sequence[Refusal]) -> None:
        """Remember refusals in one transaction."""
        await self._database.write(_refuse, refusals)

    async def refusals(self, limit: int) -> list[Refusal]:
        """The newest refusals first."""
        statement = select(REFUSALS).order_by(REFUSALS.c.number.desc()).limit(limit)
        return [rows.refusal(row) for row in await self._database.read(_all, statement)]

    async def entry(self, event_id: str) -> Entry | None:
        """The entry with exactly this id."""
        found = await self._entries(select(ENTRIES).where(ENTRIES.c.id == rows.clean(event_id)))
        return found[0] if found else None

    async def find(self, text: str) -> list[Entry]:
        """Entries whose id or delivery id is `text` or begins with it (at most 10), oldest first."""
        return await self._entries(
            select(ENTRIES)
            .where(_named(rows.clean(text)))
            .order_by(ENTRIES.c.position)
            .limit(MAX_FOUND)
        )

    async def entries(self, limit: int, source: str | None = None) -> list[Entry]:
        """The newest entries first, bodies left out."""
        statement = select(*_SLIM).order_by(ENTRIES.c.position.desc()).limit(limit)
        if source is not None:
            statement = statement.where(ENTRIES.c.source == source)
        return await self._entries(statement)

    async def undecided(self, limit: int) -> list[Entry]:
        """Received entries in the order they were kept."""
        return await self._entries(
            select(ENTRIES)
            .where(ENTRIES.c.state == EntryState.RECEIVED)
            .order_by(ENTRIES.c.position)
            .limit(limit)
        )

    async def decide(self, event_id: str, decisions: Sequence[Decision], now: datetime) -> None:
        """Write all decisions of an event and mark it decided; of a decided one nothing changes."""
        await self._database.write(sql_lanes.decide, event_id, decisions, now)

    async def add(self, decisions: Sequence[Decision], now: datetime) -> None:
        """Add later decisions; known ids are left alone."""
        await self._database.write(sql_lanes.add, decisions, now)

    async def decisions(self, event_ids: Sequence[str]) -> dict[str, list[Decision]]:
        """The decisions of these events, oldest first."""
        statement = (
            select(DECISIONS)
            .where(DECISIONS.c.event_id.in_(event_ids))
            .order_by(DECISIONS.c.number)
        )
        found: dict[str, list[Decision]] = {event_id: [] for event_id in event_ids}
        for row in await self._database.read(_all, statement):
            found[row["event_id"]].append(rows.decision(row))
        return found

    async def decision(self, decision_id: str) -> Decision | None:
        """The decision with exactly this id."""
        statement = select(DECISIONS).where(DECISIONS.c.id == rows.clean(decision_id))
        found = await self._database.read(_all, statement)
        return rows.decision(found[0]) if found else None

    async def claim(self, now: datetime, lease: timedelta, limit: int) -> list[Lease]:
        """Lease the head of each lane that is due and not leased; oldest decisions first."""
        return await self._database.write(sql_lanes.claim, now, lease, limit)

    async def settle(self, decision_id: str, fence: int, now: datetime) -> bool:
        """Mark delivered; False when the claim was taken over or given back in the meantime."""
        return await self._database.write(sql_lanes.settle, decision_id, fence, now)

    async def release(
        self, decision_id: str, fence: int, until: datetime, reason: str, *, count: bool
    ) -> bool:
        """Give a claim back, due again at `until`; `count` says whether it was an attempt."""
        return await self._database.write(
            sql_lanes.release, decision_id, fence, until, reason, count=count
        )

    async def bury(self, decision_id: str, fence: int, reason: str) -> bool:
        """Make it a dead letter, so that its lane goes on."""
        return await self._database.write(sql_lanes.bury, decision_id, fence, reason)

    async def delivered(
        self, before: datetime, limit: int, after: Decision | None = None
    ) -> list[Decision]:
        """Decisions delivered before then and not yet closed, oldest first."""
        place = tuple_(DECISIONS.c.delivered_at, DECISIONS.c.id)
        statement = (
            select(DECISIONS)
            .where(DECISIONS.c.state == DecisionState.DELIVERED, DECISIONS.c.delivered_at < before)
            .order_by(DECISIONS.c.delivered_at, DECISIONS.c.id)
            .limit(limit)
        )
        if after is not None:
            passed = tuple_(literal(after.delivered_at, Moment), literal(after.id))
            statement = statement.where(place > passed)
        return [rows.decision(row) for row in await self._database.read(_all, statement)]

    async def unfold(self, event_id: str, workflow_id: str) -> None:
        """Make the folded start of this event and run ready after all, at the end of its lane."""
        await self._database.write(sql_lanes.unfold, event_id, workflow_id)

    async def unread(self, lane: str) -> int:
        """How many decisions of a lane are delivered and not known to be taken."""
        counted = select(func.count().label("unread")).where(
            DECISIONS.c.lane == rows.clean(lane), DECISIONS.c.state == DecisionState.DELIVERED
        )
        found: int = (await self._database.read(_all, counted))[0]["unread"]
        return found

    async def close(self, decision_ids: Sequence[str]) -> None:
        """Their runs have taken them: `delivered` becomes `settled`."""
        if decision_ids:
            await self._database.write(sql_lanes.close, decision_ids)

    async def reopen(self, decision_id: str) -> None:
        """Deliver it again: `delivered` becomes `ready`. The run's claim keeps it from acting twice."""
        await self._database.write(sql_lanes.reopen, decision_id)

    async def free_leases(self) -> None:
        """Forget all leases: for the start of a process that is the only one to hold any."""
        await self._database.write(sql_lanes.free_leases)

    async def look_back(self, pattern: str, key: str, since: int, limit: int) -> list[Entry]:
        """Entries after position `since` whose `source/type` matches the glob and that carry the key, oldest first."""
        statement = (
            select(ENTRIES)
            .join(KEYS, KEYS.c.position == ENTRIES.c.position)
            .where(KEYS.c.key == rows.clean(key), KEYS.c.position > since)
            .order_by(ENTRIES.c.position)
        )
        return await self._database.read(_matching, statement, glob(pattern), limit)

    async def head(self) -> int:
        """The position of the newest entry, 0 when empty."""
        newest = select(func.coalesce(func.max(ENTRIES.c.position), 0).label("newest"))
        found: int = (await self._database.read(_all, newest))[0]["newest"]
        return found

    async def waiting(self) -> int:
        """How many entries and decisions still have to be worked off."""
        return await self._database.read(sql_lanes.waiting)

    async def backlog(self, source: str) -> int:
        """How many entries of a source still have to be worked off."""
        return await self._database.read(sql_lanes.backlog, source)

    async def sources(self) -> list[str]:
        """The sources of everything that could be pruned, in order."""
        found = await self._database.read(_all, sql_prune.SOURCES)
        return [row["source"] for row in found]

    async def prunable(
        self, source: str, before: datetime, limit: int, after: Entry | None = None
    ) -> list[Entry]:
        """Entries received before then with nothing left to do, oldest first, bodies left out."""
        return await self._entries(sql_prune.prunable(_SLIM, source, before, limit, after))

    async def prune(self, event_ids: Sequence[str]) -> int:
        """Make tombstones of those with nothing left to do."""
        return await self._database.write(sql_prune.prune, event_ids) if event_ids else 0

    async def forget(self, before: datetime, limit: int) -> int:
        """Remove so many of the tombstones of deliveries received before then."""
        return await self._database.write(sql_prune.forget, before, limit)

    async def pulse(self, now: datetime) -> None:
        """Write and read one row, as keeping a delivery would. Raises `DatabaseError`."""
        await self._database.write(_beat, now)

    async def _entries(self, statement: Select[Any]) -> list[Entry]:
        return [rows.entry(row) for row in await self._database.read(_all, statement)]


def _keep_arrivals(connection: Connection, arrivals: Sequence[Arrival]) -> list[Receipt]:
    return sql_keep.keep(connection, _packed(arrivals), _keys(arrivals))


def _packed(arrivals: Sequence[Arrival]) -> list[rows.Row]:
    return [rows.entry_row(arrival) for arrival in arrivals]


def _keys(arrivals: Sequence[Arrival]) -> dict[str, Sequence[str]]:
    return {arrival.id: tuple(dict.fromkeys(map(rows.clean, arrival.keys))) for arrival in arrivals}


def _all(connection: Connection, statement: Select[Any]) -> list[rows.Row]:
    return [dict(row) for row in connection.execute(statement).mappings()]


def _named(text: str) -> ColumnElement[bool]:
    return or_(
        _begins(ENTRIES.c.id, text),
        _begins(ENTRIES.c.seen_id, text),
        and_(ENTRIES.c.state == EntryState.QUARANTINED, _begins(ENTRIES.c.delivery_id, text)),
    )


def _begins(column: ColumnElement[Any], text: str) -> ColumnElement[bool]:
    # A range, so that the index is used; LIKE would fold case on SQLite and read its wildcards from the text.
    return and_(column >= text, column < text + _LAST_CHARACTER)


def _matching(
    connection: Connection, statement: Select[Any], pattern: re.Pattern[str], limit: int
) -> list[Entry]:
    found: list[Entry] = []
    for row in connection.execute(statement).mappings():
        if len(found) < limit and pattern.fullmatch(f"{row['source']}/{row['type']}"):
            found.append(rows.entry(dict(row)))
    return found


def _refuse(connection: Connection, refusals: Sequence[Refusal]) -> None:
    connection.execute(insert(REFUSALS), [rows.refusal_row(refusal) for refusal in refusals])
    newest = select(func.max(REFUSALS.c.number)).scalar_subquery()
    connection.execute(delete(REFUSALS).where(REFUSALS.c.number <= newest - MAX_REFUSALS))


def _beat(connection: Connection, now: datetime) -> None:
    if connection.execute(update(PULSE).values(at=now)).rowcount == 0:
        connection.execute(insert(PULSE), {"id": 1, "at": now})
    connection.execute(select(PULSE.c.at)).one()
