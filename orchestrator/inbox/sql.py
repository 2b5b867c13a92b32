"""The inbox on SQLite or Postgres: each method of the protocol as one transaction; it decides nothing."""

import asyncio
import re
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from itertools import islice
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
from typing_extensions import override

from orchestrator.database import Database
from orchestrator.inbox import (
    rows,
    sql_decide,
    sql_folds,
    sql_heard,
    sql_keep,
    sql_lanes,
    sql_orders,
    sql_prune,
    sql_sought,
    sql_tallies,
)
from orchestrator.inbox.inbox import (
    MAX_FOUND,
    MAX_REFUSALS,
    Action,
    Ahead,
    Arrival,
    Decision,
    DecisionState,
    Entry,
    EntryState,
    Inbox,
    Lease,
    Receipt,
    Refusal,
)
from orchestrator.inbox.orders import Order, Pause
from orchestrator.inbox.patterns import glob
from orchestrator.inbox.schema import DECISIONS, ENTRIES, KEYS, PULSE, REFUSALS, Moment
from orchestrator.inbox.sought import EVERYTHING, Sought

HEAVY: Final = 256 * 1024
"""Bytes of a body from which packing it would hold up the others that ring."""

_AT_ONCE: Final = 100
_LAST_CHARACTER: Final = "\U0010ffff"
_SLIM: Final = [column for column in ENTRIES.c if column.name != "body"]


class SqlInbox(Inbox):
    """The `Inbox` protocol over a `Database` that was opened with `schema.MIGRATIONS`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @override
    async def keep(self, arrivals: Sequence[Arrival]) -> list[Receipt]:
        """Commit a batch; the receipts are in the arrivals' order."""
        if not arrivals:
            return []
        packed = [await _packed(arrival) for arrival in arrivals]
        return await self._database.write(sql_keep.keep, packed, _keys(arrivals))

    @override
    async def refuse(self, refusal: Refusal) -> None:
        """Remember a refusal; the newest 1,000 are kept."""
        await self.refuse_all([refusal])

    @override
    async def refuse_all(self, refusals: Sequence[Refusal]) -> None:
        """Remember refusals in one transaction."""
        await self._database.write(_refuse, refusals)

    @override
    async def refusals(self, limit: int) -> list[Refusal]:
        """The newest refusals first."""
        statement = select(REFUSALS).order_by(REFUSALS.c.number.desc()).limit(limit)
        return [rows.refusal(row) for row in await self._database.read(_all, statement)]

    @override
    async def entry(self, event_id: str) -> Entry | None:
        """The entry with exactly this id."""
        found = await self._entries(select(ENTRIES).where(ENTRIES.c.id == rows.clean(event_id)))
        return found[0] if found else None

    @override
    async def find(self, text: str) -> list[Entry]:
        """Entries whose id or delivery id is `text` or begins with it (at most 10), oldest first."""
        return await self._entries(
            select(ENTRIES)
            .where(_named(rows.clean(text)))
            .order_by(ENTRIES.c.position)
            .limit(MAX_FOUND)
        )

    @override
    async def entries(self, limit: int, sought: Sought = EVERYTHING) -> list[Entry]:
        """The newest entries first, bodies left out."""
        statement = select(*_SLIM).order_by(ENTRIES.c.position.desc()).limit(limit)
        return await self._entries(sql_sought.narrowed(statement, sought, self._database.dialect))

    @override
    async def undecided(self, limit: int) -> list[Entry]:
        """Received entries in the order they were kept."""
        return await self._entries(
            select(ENTRIES)
            .where(ENTRIES.c.state == EntryState.RECEIVED)
            .order_by(ENTRIES.c.position)
            .limit(limit)
        )

    @override
    async def decide(
        self,
        event_id: str,
        decisions: Sequence[Decision],
        now: datetime,
        order: Order | None = None,
    ) -> list[Decision]:
        """Write all decisions of an event and mark it decided; of a decided one nothing changes."""
        return await self._database.write(sql_decide.decide, event_id, decisions, now, order)

    @override
    async def add(self, decisions: Sequence[Decision], now: datetime) -> None:
        """Add later decisions; known ids are left alone."""
        await self._database.write(sql_decide.add, decisions, now)

    @override
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

    @override
    async def decision(self, decision_id: str) -> Decision | None:
        """The decision with exactly this id."""
        statement = select(DECISIONS).where(DECISIONS.c.id == rows.clean(decision_id))
        found = await self._database.read(_all, statement)
        return rows.decision(found[0]) if found else None

    @override
    async def ahead(self, decision_ids: Sequence[str]) -> dict[str, Ahead]:
        """Of each of these that must wait for others of its lane, the foremost of those."""
        return await self._database.read(sql_lanes.ahead, decision_ids) if decision_ids else {}

    @override
    async def claim(
        self,
        now: datetime,
        lease: timedelta,
        limit: int,
        actions: Collection[Action] | None = None,
    ) -> list[Lease]:
        """Lease the head of each lane that is due, not leased and not paused; oldest decisions first."""
        return await self._database.write(sql_lanes.claim, now, lease, limit, actions)

    @override
    async def settle(self, decision_id: str, fence: int, now: datetime) -> bool:
        """Mark delivered, a `forward` settled; False when the claim was taken over or given back."""
        return await self._database.write(sql_lanes.settle, decision_id, fence, now)

    @override
    async def release(
        self, decision_id: str, fence: int, until: datetime, reason: str, *, count: bool
    ) -> bool:
        """Give a claim back, due again at `until`; `count` says whether it was an attempt."""
        return await self._database.write(
            sql_lanes.release, decision_id, fence, until, reason, count=count
        )

    @override
    async def bury(self, decision_id: str, fence: int, reason: str) -> bool:
        """Make it a dead letter, so that its lane goes on."""
        return await self._database.write(sql_folds.bury, decision_id, fence, reason)

    @override
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

    @override
    async def dead(self, limit: int) -> list[Decision]:
        """Dead letters, oldest first."""
        statement = (
            select(DECISIONS).where(sql_orders.DEAD).order_by(DECISIONS.c.number).limit(limit)
        )
        return [rows.decision(row) for row in await self._database.read(_all, statement)]

    @override
    async def pauses(self) -> list[Pause]:
        """What is paused now, rules before sources, by name."""
        return await self._database.read(sql_orders.pauses)

    @override
    async def undelivered(self) -> dict[str, int]:
        """How many decisions of each rule, by its name, are still to be delivered."""
        return await self._database.read(sql_lanes.undelivered)

    @override
    async def unfold(self, event_id: str, workflow_id: str, again: int | None = None) -> None:
        """Make the folded start of this event, run and redelivery ready after all."""
        await self._database.write(sql_folds.unfold, event_id, workflow_id, again)

    @override
    async def unread(self, lane: str) -> int:
        """How many decisions of a lane are delivered and not known to be taken."""
        counted = select(func.count().label("unread")).where(
            DECISIONS.c.lane == rows.clean(lane), DECISIONS.c.state == DecisionState.DELIVERED
        )
        found: int = (await self._database.read(_all, counted))[0]["unread"]
        return found

    @override
    async def close(self, decision_ids: Sequence[str]) -> None:
        """Their runs have taken them: `delivered` becomes `settled`."""
        if decision_ids:
            await self._database.write(sql_lanes.close, decision_ids)

    @override
    async def hasten(self, cause: str, limit: int, now: datetime) -> int:
        """Make so many of a rule's decisions due that wait for another run to end, the oldest first."""
        return await self._database.write(sql_tallies.hasten, cause, limit, now)

    @override
    async def reopen(self, decision_id: str) -> None:
        """Deliver it again: `delivered` becomes `ready`. The run's claim keeps it from acting twice."""
        await self._database.write(sql_lanes.reopen, decision_id)

    @override
    async def free_leases(self) -> None:
        """Forget all leases: for the start of a process that is the only one to hold any."""
        await self._database.write(sql_lanes.free_leases)

    @override
    async def look_back(self, pattern: str, key: str, since: int, limit: int) -> list[Entry]:
        """Entries after position `since` whose `source/type` matches the glob and that carry the key, oldest first."""
        carrying = (
            select(ENTRIES.c.position, ENTRIES.c.source, ENTRIES.c.type)
            .join(KEYS, KEYS.c.position == ENTRIES.c.position)
            .where(KEYS.c.key == rows.clean(key), KEYS.c.position > since)
            .order_by(KEYS.c.position)
        )
        return await self._database.read(_matching, carrying, glob(pattern), limit)

    @override
    async def head(self) -> int:
        """The position of the newest entry, 0 when empty."""
        newest = select(func.coalesce(func.max(ENTRIES.c.position), 0).label("newest"))
        found: int = (await self._database.read(_all, newest))[0]["newest"]
        return found

    @override
    async def waiting(self) -> int:
        """How many entries and decisions still have to be worked off."""
        return await self._database.read(sql_lanes.waiting)

    @override
    async def backlog(self, source: str) -> int:
        """How many entries of a source still have to be worked off."""
        return await self._database.read(sql_lanes.backlog, source)

    @override
    async def seen(self, source: str, delivery_ids: Sequence[str]) -> set[str]:
        """Those of a sender's delivery ids under which one of its deliveries is known."""
        return await self._database.read(sql_heard.seen, source, delivery_ids)

    @override
    async def newest(self, source: str) -> datetime | None:
        """When the newest delivery of a source came."""
        return await self._database.read(sql_heard.newest, source)

    @override
    async def oldest(self, source: str) -> datetime | None:
        """When the oldest delivery of a source came."""
        return await self._database.read(sql_heard.oldest, source)

    @override
    async def sources(self) -> list[str]:
        """The sources of everything that could be pruned, in order."""
        found = await self._database.read(_all, sql_prune.SOURCES)
        return [row["source"] for row in found]

    @override
    async def prunable(
        self, source: str, before: datetime, limit: int, after: Entry | None = None
    ) -> list[Entry]:
        """Entries received before then with nothing left to do, oldest first, bodies left out."""
        return await self._entries(sql_prune.prunable(_SLIM, source, before, limit, after))

    @override
    async def prune(self, event_ids: Sequence[str]) -> int:
        """Make tombstones of those with nothing left to do."""
        return await self._database.write(sql_prune.prune, event_ids) if event_ids else 0

    @override
    async def forget(self, before: datetime, limit: int) -> int:
        """Remove so many of the tombstones of deliveries received before then."""
        return await self._database.write(sql_prune.forget, before, limit)

    @override
    async def pulse(self, now: datetime) -> None:
        """Write and read one row, as keeping a delivery would. Raises `DatabaseError`."""
        await self._database.write(_beat, now)

    async def _entries(self, statement: Select[Any]) -> list[Entry]:
        return [rows.entry(row) for row in await self._database.read(_all, statement)]


async def _packed(arrival: Arrival) -> rows.Row:
    if len(arrival.body) < HEAVY:
        return rows.entry_row(arrival)
    return await asyncio.to_thread(rows.entry_row, arrival)


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
    connection: Connection, carrying: Select[Any], pattern: re.Pattern[str], limit: int
) -> list[Entry]:
    # A key may have been carried by thousands, each with its body: no more is read than is asked for.
    with connection.execute(carrying, execution_options={"yield_per": _AT_ONCE}) as named:
        fitting = (row.position for row in named if pattern.fullmatch(f"{row.source}/{row.type}"))
        positions = list(islice(fitting, limit))
    found = select(ENTRIES).where(ENTRIES.c.position.in_(positions)).order_by(ENTRIES.c.position)
    return [rows.entry(row) for row in _all(connection, found)]


def _refuse(connection: Connection, refusals: Sequence[Refusal]) -> None:
    connection.execute(insert(REFUSALS), [rows.refusal_row(refusal) for refusal in refusals])
    newest = select(func.max(REFUSALS.c.number)).scalar_subquery()
    connection.execute(delete(REFUSALS).where(REFUSALS.c.number <= newest - MAX_REFUSALS))


def _beat(connection: Connection, now: datetime) -> None:
    if connection.execute(update(PULSE).values(at=now)).rowcount == 0:
        connection.execute(insert(PULSE), {"id": 1, "at": now})
    connection.execute(select(PULSE.c.at)).one()
