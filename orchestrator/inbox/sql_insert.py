"""The one statement of the hot path: insert a batch of entries, and say which of them are new; it compares nothing.

The statements are made from the tables like all others, but once, and handed to the driver as text: making and
binding them anew for each batch costs more than the database does.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain, count
from typing import Any, Final, TypeVar

from sqlalchemy import BigInteger, Connection, Insert, Integer, LargeBinary, Text, insert, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from orchestrator.inbox import rows
from orchestrator.inbox.schema import ENTRIES, KEYS, Moment

Item = TypeVar("Item")
POSITIONS: Final = text(
    "SELECT nextval(pg_get_serial_sequence('entries', 'position')) FROM generate_series(1, :count)"
)
_NAMES: Final = tuple(column.name for column in ENTRIES.c if column.name != "position")
_RECEIVED_AT: Final = _NAMES.index("received_at")
_MOMENT: Final = Moment()
_SQLITE: Final = sqlite.dialect()
_SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_ID: Final = _NAMES.index("id")
_ARRAYS: Final = {Text: "text", LargeBinary: "bytea", BigInteger: "bigint", Integer: "int"}
_POSTGRES: Final = postgresql.dialect()  # type: ignore[no-untyped-call]


def inserted(connection: Connection, batch: Sequence[rows.Row]) -> dict[str, int]:
    """Position by id of those that are new: no other entry has their delivery id, or their bytes where that counts."""
    match connection.dialect.name:
        case "sqlite":
            return _in_chunks(connection, batch)
        case _:
            return _all_at_once(connection, batch)


def register(connection: Connection, found: Sequence[tuple[str, int]]) -> None:
    """Make entries findable by their correlation keys: (key, position)."""
    if not found:
        return
    if connection.dialect.name == "sqlite":
        driver = _driver(connection)
        for chunk in _chunks(found):
            driver.execute(_KEYS[len(chunk)], [value for pair in chunk for value in pair])
    else:
        keys, positions = zip(*found, strict=True)
        connection.exec_driver_sql(_REGISTER, (list(keys), list(positions)))


def _in_chunks(connection: Connection, batch: Sequence[rows.Row]) -> dict[str, int]:
    driver, found = _driver(connection), dict[str, int]()
    for chunk in _chunks(batch):
        values = [_values(row) for row in chunk]
        ids = [value[_ID] for value in values]
        inserting = driver.execute(_INSERTS[len(chunk)], [*chain.from_iterable(values)])
        if inserting.rowcount == len(chunk):
            # One statement counts its rows in their order. RETURNING would say the same, letting go of Python and
            # waiting for the door to give it back once for each.
            found.update(zip(ids, count(inserting.lastrowid - len(chunk) + 1), strict=False))
        else:
            # An id that was there before stands further down: positions only grow.
            found.update(driver.execute(_NEWEST[len(chunk)], [*ids, inserting.rowcount]))
    return found


def _chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    # Of a few sizes, because the driver keeps a statement that it knows; and as large as may be, because it lets go
    # of Python at each.
    start = 0
    while start < len(items):
        size = min(_SIZES[-1], 1 << ((len(items) - start).bit_length() - 1))
        yield items[start : start + size]
        start += size


def _all_at_once(connection: Connection, batch: Sequence[rows.Row]) -> dict[str, int]:
    positions = connection.scalars(POSITIONS, {"count": len(batch)}).all()
    placed = [(place, *_values(row)) for row, place in zip(batch, positions, strict=True)]
    # Two doorbells that insert the same ids in another order would wait for each other for ever;
    # the positions, taken before, keep the order in which the deliveries came.
    seen, hashed = _NAMES.index("seen_id") + 1, _NAMES.index("body_hash") + 1
    placed.sort(key=lambda row: (row[seen] or "", row[hashed]))
    columns = [list(column) for column in zip(*placed, strict=True)]
    return {row.id: row.position for row in connection.exec_driver_sql(_INSERT, tuple(columns))}


def _values(row: Mapping[str, Any]) -> tuple[Any, ...]:
    values = [row[name] for name in _NAMES]
    values[_RECEIVED_AT] = _microseconds(values[_RECEIVED_AT])
    return tuple(values)


def _microseconds(moment: datetime) -> int | None:
    return _MOMENT.process_bind_param(moment, _SQLITE)


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection


def _array(name: str) -> str:
    kind = ENTRIES.c[name].type
    found = _MOMENT.impl if isinstance(kind, Moment) else kind
    return next(f"%s::{word}[]" for python, word in _ARRAYS.items() if isinstance(found, python))


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(_POSTGRES.identifier_preparer.quote(name) for name in names)


def _inserting(statement: Insert, names: Sequence[str], size: int) -> str:
    one = str(statement.compile(dialect=_SQLITE, column_keys=list(names)))
    row = f"({', '.join('?' * len(names))})"
    return one.replace(row, ", ".join([row] * size))


_NEW: Final = sqlite_insert(ENTRIES).on_conflict_do_nothing()
_INSERTS: Final = {size: _inserting(_NEW, _NAMES, size) for size in _SIZES}
_KEYS: Final = {size: _inserting(insert(KEYS), tuple(KEYS.c.keys()), size) for size in _SIZES}
_NEWEST: Final = {
    size: f"SELECT id, position FROM entries WHERE id IN ({', '.join('?' * size)})"  # noqa: S608 - only marks
    " ORDER BY position DESC LIMIT ?"
    for size in _SIZES
}
_COLUMNS: Final = ("position", *_NAMES)
_INSERT: Final = (
    f"INSERT INTO entries ({_quoted(_COLUMNS)})"  # noqa: S608 - our own column names
    f" SELECT * FROM unnest({', '.join(map(_array, _COLUMNS))})"
    " ON CONFLICT DO NOTHING RETURNING id, position"
)
_REGISTER: Final = (
    "INSERT INTO entry_keys (key, position) SELECT * FROM unnest(%s::text[], %s::bigint[])"
)
