"""The transaction that keeps a batch of deliveries, and names what was there before; it answers nobody.

One multi-row INSERT .. ON CONFLICT DO NOTHING .. RETURNING says which of our ids are new. Every other row met
one that was there, perhaps earlier in the same batch: equal bytes make it a duplicate, other bytes under a
known delivery id put it aside.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select, tuple_, update

from orchestrator.database import DatabaseError
from orchestrator.inbox import rows
from orchestrator.inbox.inbox import Duplicate, EntryState, Kept, Quarantined, Receipt
from orchestrator.inbox.schema import ENTRIES
from orchestrator.inbox.sql_insert import inserted, register

COUNT_DUPLICATES: Final = (
    update(ENTRIES)
    .where(ENTRIES.c.id == bindparam("of"))
    .values(duplicates=ENTRIES.c.duplicates + bindparam("more"))
)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What losing rows may have met: by (source, delivery id) and by (source, body hash)."""

    by_id: Mapping[tuple[str, str], tuple[str, bytes]]
    by_hash: Mapping[tuple[str, bytes], str]


def keep(
    connection: Connection, batch: Sequence[rows.Row], keys: Mapping[str, Sequence[str]]
) -> list[Receipt]:
    """Keep the batch; the receipts are in its order. `keys` are the correlation keys by our id."""
    positions = inserted(connection, batch)
    register(connection, [(key, place) for id_, place in positions.items() for key in keys[id_]])
    receipts: dict[str, Receipt] = {id_: Kept(id_) for id_ in positions}
    losers = [row for row in batch if row["id"] not in positions]
    if losers:
        receipts |= _losers(connection, losers)
        _count(connection, receipts.values())
    return [receipts[row["id"]] for row in batch]


def _losers(connection: Connection, losers: Sequence[rows.Row]) -> dict[str, Receipt]:
    seen = _seen(connection, losers)
    receipts: dict[str, Receipt] = {}
    aside: list[rows.Row] = []
    for row in losers:
        match = seen.by_hash.get((row["source"], row["seen_hash"]))
        same_id = seen.by_id.get((row["source"], row["seen_id"]))
        if match is not None:
            receipts[row["id"]] = Duplicate(match)
        elif same_id is None:
            raise DatabaseError(
                "a delivery's original vanished while it was compared; send it again"
            )
        elif same_id[1] == row["body_hash"]:
            receipts[row["id"]] = Duplicate(same_id[0])
        else:
            aside.append(rows.quarantined(row, same_id[0]))
    return receipts | _set_aside(connection, aside)


def _seen(connection: Connection, losers: Sequence[rows.Row]) -> _Seen:
    found: list[Any] = []
    columns = (
        ENTRIES.c.id,
        ENTRIES.c.source,
        ENTRIES.c.seen_id,
        ENTRIES.c.seen_hash,
        ENTRIES.c.body_hash,
    )
    for source in {row["source"] for row in losers}:
        mine = [row for row in losers if row["source"] == source]
        for column in (ENTRIES.c.seen_id, ENTRIES.c.seen_hash):
            wanted = {row[column.name] for row in mine} - {None}
            statement = select(*columns).where(ENTRIES.c.source == source, column.in_(wanted))
            found.extend(connection.execute(statement).all() if wanted else ())
    return _Seen(
        {(row.source, row.seen_id): (row.id, row.body_hash) for row in found if row.seen_id},
        {(row.source, row.seen_hash): row.id for row in found if row.seen_hash},
    )


def _set_aside(connection: Connection, aside: Sequence[rows.Row]) -> dict[str, Receipt]:
    if not aside:
        return {}
    inserted(connection, aside)
    # A sender that repeats the other bytes finds them aside already: one row for each of them, never more.
    identity = (ENTRIES.c.source, ENTRIES.c.delivery_id, ENTRIES.c.body_hash)
    wanted = [(row["source"], row["delivery_id"], row["body_hash"]) for row in aside]
    statement = select(ENTRIES.c.id, *identity).where(
        ENTRIES.c.state == EntryState.QUARANTINED, tuple_(*identity).in_(wanted)
    )
    kept = {tuple(row[1:]): row.id for row in connection.execute(statement)}
    return {
        row["id"]: Quarantined(kept[key], row["duplicate_of"])
        for row, key in zip(aside, wanted, strict=True)
    }


def _count(connection: Connection, receipts: Iterable[Receipt]) -> None:
    more = Counter(receipt.of for receipt in receipts if isinstance(receipt, Duplicate))
    if more:
        counted = [{"of": of, "more": more[of]} for of in sorted(more)]
        connection.execute(COUNT_DUPLICATES, counted)
