"""The ledger's tables: what runs did, one row per conversation, turn, attempt, call, wait and artifact.

Every write is an upsert keyed by (run, step) that leaves or returns the stored row; nothing is incremented in
place, because local activities do run twice. Times are seconds since 1970, UTC. Money is text, exact.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

LEDGER = MetaData()

claims = Table(
    "claims",
    LEDGER,
    Column("decision_id", String, primary_key=True),
    Column("token", String, nullable=False),
    Column("how", String, nullable=False),
    Column("workflow_id", String, nullable=False),
    Column("run_id", String),
    Column("at", Float, nullable=False),
)

conversations = Table(
    "conversations",
    LEDGER,
    Column("run_id", String, primary_key=True),
    Column("workflow_id", String, nullable=False),
    Column("number", Integer, nullable=False),
    Column("decision_id", String, nullable=False, unique=True),
    Column("event_id", String, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("rule", String, nullable=False),
    Column("playbook", String, nullable=False),
    Column("key", String, nullable=False),
    Column("source", String, nullable=False),
    Column("stage", String, nullable=False),
    Column("state", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("outcome", String),
    Column("frozen", String),
    Column("model", String),
    Column("scripted", Boolean, nullable=False),
    Column("configuration", String, nullable=False),
    Column("opened_at", Float, nullable=False),
    Column("ended_at", Float),
    Index("conversations_by_workflow", "workflow_id", "number", unique=True),
    Index("conversations_by_time", "opened_at"),
)

conversation_events = Table(
    "conversation_events",
    LEDGER,
    Column("run_id", String, primary_key=True),
    Column("event_id", String, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("how", String, nullable=False),
    Column("at", Float, nullable=False),
)

notes = Table(
    "notes",
    LEDGER,
    Column("run_id", String, primary_key=True),
    Column("turn", Integer, primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("text", Text, nullable=False),
)

turns = Table(
    "turns",
    LEDGER,
    Column("run_id", String, primary_key=True),
    Column("turn", Integer, primary_key=True),
    Column("content", Text, nullable=False),
    Column("stop", String, nullable=False),
    Column("request_id", String),
    Column("at", Float, nullable=False),
)

attempts = Table(
    "attempts",
    LEDGER,
    Column("run_id", String, primary_key=True),
    Column("turn", Integer, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("state", String, nullable=False),
    Column("usd", String),
    Column("input_tokens", Integer, nullable=False),
    Column("output_tokens", Integer, nullable=False),
    Column("cached_tokens", Integer, nullable=False),
    Column("at", Float, nullable=False),
)

calls = Table(
    "calls",
    LEDGER,
    Column("run_id", String, primary_key=True),
    Column("call_id", String, primary_key=True),
    Column("turn", Integer, nullable=False),
    Column("position", Integer, nullable=False),
    Column("alias", String, nullable=False),
    Column("server", String, nullable=False),
    Column("tool", String, nullable=False),
    Column("effect", String, nullable=False),
    Column("arguments", Text, nullable=False),
    Column("state", String, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("sent_at", Float),
    Column("deadline_at", Float),
    Column("content", Text),
    Column("is_error", Boolean, nullable=False),
    Column("artifact", String),
    Column("size", Integer, nullable=False),
    Column("at", Float, nullable=False),
    Column("done_at", Float),
    Index("calls_in_order", "run_id", "turn", "position"),
)

waits = Table(
    "waits",
    LEDGER,
    Column("wait_id", String, primary_key=True),
    Column("run_id", String, nullable=False),
    Column("workflow_id", String, nullable=False),
    Column("call_id", String, nullable=False),
    Column("patterns", Text, nullable=False),
    Column("key", String, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("opened_at", Float, nullable=False),
    Column("deadline_at", Float, nullable=False),
    Column("state", String, nullable=False),
    Column("event_id", String),
    Column("looked", Boolean, nullable=False),
    Index("waits_by_key", "key", "state"),
    Index("waits_by_look", "looked", "state"),
)

artifacts = Table(
    "artifacts",
    LEDGER,
    Column("digest", String, primary_key=True),
    Column("media_type", String, nullable=False),
    Column("size", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("at", Float, nullable=False),
)


def m001_ledger(connection: Connection) -> None:
    """Everything above."""
    LEDGER.create_all(connection)


MIGRATIONS = (m001_ledger,)
