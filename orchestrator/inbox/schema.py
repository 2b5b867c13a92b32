"""The inbox's tables and their numbered migrations; it knows columns, and no query.

Moments are whole microseconds since 1970, so that they compare alike everywhere; JSON is text, written and
read by `rows.py`. Texts that are searched by their beginning sort by code point.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    inspect,
    text,
)
from sqlalchemy.types import TypeEngine
from typing_extensions import override

from orchestrator.database import Migration

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Moment(TypeDecorator[datetime]):
    """An aware datetime, as microseconds since 1970."""

    impl: TypeEngine[Any] | type[TypeEngine[Any]] = BigInteger
    cache_ok: bool | None = True

    @override
    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    @override
    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else _EPOCH + timedelta(microseconds=value)


metadata: Final = MetaData()


def _key() -> Text:
    # Only in this collation does "begins with" mean a range, and order the same on both databases.
    return Text().with_variant(Text(collation="C"), "postgresql")


def _serial() -> BigInteger:
    # SQLite counts by itself only in a column that is exactly INTEGER PRIMARY KEY.
    return BigInteger().with_variant(Integer(), "sqlite")


ENTRIES: Final = Table(
    "entries",
    metadata,
    Column("position", _serial(), primary_key=True),
    Column("id", _key(), nullable=False, unique=True),
    Column("source", _key(), nullable=False),
    Column("delivery_id", _key()),
    Column("seen_id", _key()),
    Column("body_hash", LargeBinary, nullable=False),
    Column("seen_hash", LargeBinary),
    Column("type", Text, nullable=False),
    Column("subject", Text),
    Column("actor", Text),
    Column("keys", Text, nullable=False),
    Column("headers", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("state", Text, nullable=False),
    Column("duplicates", Integer, nullable=False),
    Column("duplicate_of", _key()),
    sqlite_autoincrement=True,
)
"""`seen_id` and `seen_hash` are what later deliveries are compared with; None where they must not be (quarantine)."""

Index("entries_seen_id", ENTRIES.c.seen_id, ENTRIES.c.source, unique=True)
Index("entries_seen_hash", ENTRIES.c.seen_hash, ENTRIES.c.source, unique=True)
_QUARANTINED: Final = text("state = 'quarantined'")
Index(
    "entries_quarantined",
    ENTRIES.c.delivery_id,
    ENTRIES.c.source,
    ENTRIES.c.body_hash,
    unique=True,
    sqlite_where=_QUARANTINED,
    postgresql_where=_QUARANTINED,
)
_RECEIVED: Final = text("state = 'received'")
Index(
    "entries_received",
    ENTRIES.c.position,
    sqlite_where=_RECEIVED,
    postgresql_where=_RECEIVED,
)

PRUNABLE: Final = text("state IN ('decided', 'quarantined')")
TOMBSTONE: Final = text("state = 'pruned'")
PRUNABLE_ENTRIES: Final = Index(
    "entries_prunable",
    ENTRIES.c.source,
    ENTRIES.c.received_at,
    ENTRIES.c.position,
    sqlite_where=PRUNABLE,
    postgresql_where=PRUNABLE,
)
TOMBSTONES: Final = Index(
    "entries_tombstones",
    ENTRIES.c.received_at,
    sqlite_where=TOMBSTONE,
    postgresql_where=TOMBSTONE,
)

KEYS: Final = Table(
    "entry_keys",
    metadata,
    Column("key", _key(), primary_key=True),
    Column("position", BigInteger, ForeignKey("entries.position"), primary_key=True),
    sqlite_with_rowid=False,
)
KEYS_BY_POSITION: Final = Index("entry_keys_position", KEYS.c.position)
"""Removing an entry looks for its keys; without this that reads all of them."""

DECISIONS: Final = Table(
    "decisions",
    metadata,
    Column("number", _serial(), primary_key=True),
    Column("id", _key(), nullable=False, unique=True),
    Column("event_id", _key(), ForeignKey("entries.id"), nullable=False, index=True),
    Column("cause", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("note", Text),
    Column("trace", Text, nullable=False),
    Column("playbook", Text),
    Column("with", Text, nullable=False),
    Column("key", Text),
    Column("stage", Text),
    Column("workflow_id", Text),
    Column("lane", _key()),
    Column("lane_number", BigInteger),
    Column("wait_id", Text),
    Column("configuration", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("decided_at", Moment, nullable=False),
    Column("delivered_at", Moment),
    Column("due_at", Moment, nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("leased_until", Moment),
    Column("again", BigInteger),
    Column("flow", Text),
    Column("tallies", Text),
    sqlite_autoincrement=True,
)
"""`note` is the newest word on why it isn't delivered; `fence` counts the claims of it.

`tallies` are what a folded start would count under if it acted after all.
"""

_READY: Final = text("state = 'ready'")
Index(
    "decisions_ready",
    DECISIONS.c.number,
    sqlite_where=_READY,
    postgresql_where=_READY,
)
Index(
    "decisions_lane",
    DECISIONS.c.lane,
    DECISIONS.c.lane_number,
    sqlite_where=_READY,
    postgresql_where=_READY,
)

_DELIVERED: Final = text("state = 'delivered'")
Index(
    "decisions_delivered",
    DECISIONS.c.lane,
    DECISIONS.c.delivered_at,
    sqlite_where=_DELIVERED,
    postgresql_where=_DELIVERED,
)

_DEAD: Final = text("state = 'dead'")
DEAD: Final = Index(
    "decisions_dead",
    DECISIONS.c.number,
    sqlite_where=_DEAD,
    postgresql_where=_DEAD,
)

HELD_BACK: Final = Index(
    "decisions_held_back",
    DECISIONS.c.cause,
    DECISIONS.c.number,
    sqlite_where=_READY,
    postgresql_where=_READY,
)
"""Finds the oldest of a rule that waits for others to end."""

TALLIES: Final = Table(
    "tallies",
    metadata,
    Column("bucket", _key(), primary_key=True),
    Column("at", Moment, primary_key=True),
    Column("event_id", _key(), primary_key=True),
    Column("until", Moment, nullable=False),
    sqlite_with_rowid=False,
)
"""What acted under a limit, and when its event came; `until` is when the row is of no use any more."""

TALLIES_BY_END: Final = Index("tallies_until", TALLIES.c.until)

LANES: Final = Table(
    "lanes",
    metadata,
    Column("lane", _key(), primary_key=True),
    Column("last", BigInteger, nullable=False),
)

PAUSES: Final = Table(
    "pauses",
    metadata,
    Column("what", Text, primary_key=True),
    Column("name", _key(), primary_key=True),
    Column("paused", Boolean, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("position", BigInteger, nullable=False),
)
"""The newest word on each rule or source, by its place in the inbox: an older one that comes late changes nothing."""

REFUSALS: Final = Table(
    "refusals",
    metadata,
    Column("number", _serial(), primary_key=True),
    Column("at", Moment, nullable=False),
    Column("source", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("headers", Text, nullable=False),
    sqlite_autoincrement=True,
)

PULSE: Final = Table(
    "inbox_pulse",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
)
"""One row that `/ready` writes, to know that a delivery could be."""

SUBSCRIPTIONS: Final = Table(
    "subscriptions",
    metadata,
    Column("mark", _key(), primary_key=True),
    Column("source", _key(), nullable=False),
    Column("server", Text, nullable=False),
    Column("address", Text),
    Column("event", Text, nullable=False),
    Column("arguments", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("secret", Text, nullable=False),
    Column("wanted", Boolean, nullable=False),
    Column("id", Text),
    Column("cursor", Text),
    Column("refreshed_at", Moment),
    Column("active_until", Moment),
    Column("due_at", Moment, nullable=False),
    Column("troubles", Integer, nullable=False),
    Column("reason", Text),
    Column("error", Text),
    Column("gaps", Integer, nullable=False),
    Column("gap_at", Moment),
    Column("fence", BigInteger, nullable=False),
    Column("leased_until", Moment),
)
"""What we asked of MCP servers: to ring us. `secret` and `address` are digests: what the server was told last.

`fence` counts the claims of it, and what its server said meanwhile.
"""


def m001_inbox(connection: Connection) -> None:
    """A new inbox, in the shape of today; what follows brings an older one there, and leaves this one alone."""
    metadata.create_all(connection, checkfirst=False)


def m002_retention(connection: Connection) -> None:
    """Find what is old enough to be pruned, and the tombstones that may go."""
    for index in (PRUNABLE_ENTRIES, TOMBSTONES, KEYS_BY_POSITION):
        index.create(connection, checkfirst=True)


def m003_working_off(connection: Connection) -> None:
    """Remember what is paused, which decisions are about a redelivery, and find dead letters."""
    PAUSES.create(connection, checkfirst=True)
    columns = inspect(connection).get_columns(DECISIONS.name)
    if "again" not in {column["name"] for column in columns}:
        connection.execute(text("ALTER TABLE decisions ADD COLUMN again BIGINT"))
    DEAD.create(connection, checkfirst=True)


def m004_limits(connection: Connection) -> None:
    """Count what acted, and find what waits for other runs of its rule."""
    TALLIES.create(connection, checkfirst=True)
    for index in (HELD_BACK, TALLIES_BY_END):
        index.create(connection, checkfirst=True)


def m005_flow(connection: Connection) -> None:
    """Keep with a decision how it meets a run that is already there; none means by signal."""
    columns = inspect(connection).get_columns(DECISIONS.name)
    if "flow" not in {column["name"] for column in columns}:
        connection.execute(text("ALTER TABLE decisions ADD COLUMN flow TEXT"))


def m006_short_hashes(connection: Connection) -> None:
    """Compare bodies by the beginning of their hash; the whole of it stays beside it."""
    shortened = (
        "UPDATE entries SET seen_hash = substr(seen_hash, 1, 12) WHERE length(seen_hash) > 12"
    )
    connection.execute(text(shortened))


def m007_subscriptions(connection: Connection) -> None:
    """Remember what was subscribed to at MCP servers, and until when."""
    SUBSCRIPTIONS.create(connection, checkfirst=True)


def m008_folded(connection: Connection) -> None:
    """Keep with a folded start what it counts under once it acts after all; none means under nothing."""
    columns = inspect(connection).get_columns(DECISIONS.name)
    if "tallies" not in {column["name"] for column in columns}:
        connection.execute(text("ALTER TABLE decisions ADD COLUMN tallies TEXT"))


MIGRATIONS: Final[Sequence[Migration]] = (
    m001_inbox,
    m002_retention,
    m003_working_off,
    m004_limits,
    m005_flow,
    m006_short_hashes,
    m007_subscriptions,
    m008_folded,
)
