"""The ledger's tables: what runs did, one row per conversation, turn, attempt, call, wait and artifact.

Every write is an upsert keyed by (run, step) that leaves or returns the stored row; nothing is incremented in
place, because local activities do run twice. Times are seconds since 1970, UTC. Money is text, exact.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
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
    Column("pruned_at", Float),
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
    Column("event_id", String),
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
    Column("details", Text),
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
    Column("cel", Text),
    Column("ended_at", Float),
    Index("waits_by_key", "key", "state"),
    Index("waits_by_look", "looked", "state"),
)

payers = Table(
    "payers",
    LEDGER,
    Column("run_id", String, primary_key=True),
    Column("rule", String, nullable=False),
    Column("actor", String, nullable=False),
    Column("named", String, nullable=False),
    Column("caps", Text, nullable=False),
)

accounts = Table(
    "accounts",
    LEDGER,
    Column("scope", String, primary_key=True),
    Column("rule", String, primary_key=True),
    Column("actor", String, primary_key=True),
    Column("day", String, primary_key=True),
    Column("zone", String, primary_key=True),
    Column("usd_reserved", BigInteger, nullable=False),
    Column("usd_settled", BigInteger, nullable=False),
    Column("usd_assumed", BigInteger, nullable=False),
    Column("tokens_reserved", BigInteger, nullable=False),
    Column("tokens_settled", BigInteger, nullable=False),
    Column("tokens_assumed", BigInteger, nullable=False),
)

reservations = Table(
    "reservations",
    LEDGER,
    Column("run_id", String, primary_key=True),
    Column("turn", Integer, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("scope", String, primary_key=True),
    Column("rule", String, nullable=False),
    Column("actor", String, nullable=False),
    Column("day", String, nullable=False),
    Column("zone", String, nullable=False),
    Column("state", String, nullable=False),
    Column("usd", BigInteger),
    Column("tokens", BigInteger, nullable=False),
    Column("at", Float, nullable=False),
    Index("reservations_by_account", "scope", "rule", "actor", "at"),
    Index("reservations_by_state", "state", "at"),
)

shortfalls = Table(
    "shortfalls",
    LEDGER,
    Column("run_id", String, primary_key=True),
    Column("turn", Integer, nullable=False),
    Column("words", Text, nullable=False),
    Column("day", String, nullable=False),
    Column("model", String, nullable=False),
    Column("input_tokens", Integer, nullable=False),
    Column("kept_long", Integer, nullable=False),
    Column("output_tokens", Integer, nullable=False),
    Column("state", String, nullable=False),
    Column("number", Integer, nullable=False),
    Column("since", Float, nullable=False),
    Column("at", Float, nullable=False),
    Column("released", Integer, nullable=False),
    Column("released_at", Float),
    Index("shortfalls_by_state", "state", "since"),
)

slots = Table(
    "slots",
    LEDGER,
    Column("rule", String, primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("workflow_id", String, nullable=False, unique=True),
    Column("at", Float, nullable=False),
)

admitted = Table(
    "admitted",
    LEDGER,
    Column("decision_id", String, primary_key=True),
    Column("rule", String, nullable=False),
    Column("workflow_id", String, nullable=False),
    Column("event_id", String, nullable=False),
    Column("at", Float, nullable=False),
    Index("admitted_by_workflow", "workflow_id"),
)

causes = Table(
    "causes",
    LEDGER,
    Column("event_id", String, primary_key=True),
    Column("hops", Integer, nullable=False),
    Column("chain", Text, nullable=False),
    Column("at", Float, nullable=False),
)

subject_writes = Table(
    "subject_writes",
    LEDGER,
    Column("run_id", String, primary_key=True),
    Column("call_id", String, primary_key=True),
    Column("subject", String, nullable=False),
    Column("at", Float, nullable=False),
    Index("subject_writes_by_subject", "subject", "at"),
)

own_actors = Table(
    "own_actors",
    LEDGER,
    Column("source", String, primary_key=True),
    Column("server", String, primary_key=True),
    Column("names", Text, nullable=False),
    Column("at", Float, nullable=False),
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

configurations = Table(
    "configurations",
    LEDGER,
    Column("at", Float, primary_key=True),
    Column("digest", String, primary_key=True),
)

clearings = Table(
    "clearings",
    LEDGER,
    Column("run_id", String, primary_key=True),
    Column("turn", Integer, primary_key=True),
    Column("through", Integer, nullable=False),
    Column("at", Float, nullable=False),
)

model_pauses = Table(
    "model_pauses",
    LEDGER,
    Column("credential", String, primary_key=True),
    Column("until", Float, nullable=False),
    Column("probing_until", Float, nullable=False),
    Column("answered_at", Float, nullable=False),
)

outages = Table(
    "outages",
    LEDGER,
    Column("run_id", String, primary_key=True),
    Column("credential", String, nullable=False),
    Column("words", Text, nullable=False),
    Column("state", String, nullable=False),
    Column("number", Integer, nullable=False),
    Column("since", Float, nullable=False),
    Column("at", Float, nullable=False),
    Column("released", Integer, nullable=False),
    Column("released_at", Float),
    Index("outages_by_state", "state", "since"),
)

approvals = Table(
    "approvals",
    LEDGER,
    Column("approval_id", String, primary_key=True),
    Column("code", String, nullable=False, unique=True),
    Column("run_id", String, nullable=False),
    Column("workflow_id", String, nullable=False),
    Column("call_id", String, nullable=False),
    Column("number", Integer, nullable=False),
    Column("tool", String, nullable=False),
    Column("digest", String, nullable=False),
    Column("by", Text, nullable=False),
    Column("on_timeout", String, nullable=False),
    Column("standing", String, nullable=False),
    Column("asked_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("settled_at", Float),
    Column("event_id", String),
    Column("person", String),
    Column("why", Text),
    Column("before", Text),
    Index("approvals_by_call", "run_id", "call_id", "number", unique=True),
    Index("approvals_by_standing", "standing", "asked_at"),
)

approval_words = Table(
    "approval_words",
    LEDGER,
    Column("decision_id", String, primary_key=True),
    Column("approval_id", String, nullable=False),
    Column("event_id", String, nullable=False),
    Column("word", String, nullable=False),
    Column("person", String, nullable=False),
    Column("at", Float, nullable=False),
    Column("became", String),
    Index("approval_words_by_approval", "approval_id", "at"),
)


quarantines = Table(
    "quarantines",
    LEDGER,
    Column("server", String, primary_key=True),
    Column("tool", String, primary_key=True),
    Column("seen", String, primary_key=True),
    Column("words", Text, nullable=False),
    Column("run_id", String, nullable=False),
    Column("at", Float, nullable=False),
)

installation = Table(
    "installation",
    LEDGER,
    Column("name", String, primary_key=True),
    Column("value", Text, nullable=False),
    Column("at", Float, nullable=False),
)

losses = Table(
    "losses",
    LEDGER,
    Column("run_id", String, primary_key=True),
    Column("words", Text, nullable=False),
    Column("again", Boolean, nullable=False),
    Column("at", Float, nullable=False),
    Column("told_at", Float),
    Index("losses_by_telling", "again", "told_at"),
)

garbage = Table(
    "garbage",
    LEDGER,
    Column("digest", String, primary_key=True),
    Column("since", Float, nullable=False),
)
