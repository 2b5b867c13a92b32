"""Values of the inbox as rows and back; pure: it knows columns by name, and no database.

NUL is the one character a Postgres text can't hold; it becomes U+FFFD in every searchable column, and in what
is searched for. The raw body keeps it.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
from isal import isal_zlib as zlib

from orchestrator.errors import Reason
from orchestrator.events import Actor
from orchestrator.inbox.inbox import (
    UNFOLDED,
    Action,
    Arrival,
    Decision,
    DecisionState,
    Entry,
    EntryState,
    Refusal,
)
from orchestrator.inbox.tallies import Tally
from orchestrator.rules.rule import Finding
from workflows.flow import Flow

Row = dict[str, Any]
ZLIB_LEVEL: Final = 0
"""The fastest of ISA-L: a quarter of the time of zlib's own, for a tenth more bytes in the same format."""
SEEN_BYTES: Final = 12
"""How much of a hash later bodies are compared with: no two of 10**12 share it, and its index stays small."""


def clean(text: str) -> str:
    """The text without NUL."""
    return text.replace("\0", "\ufffd")


def entry_row(arrival: Arrival) -> Row:
    """A new entry: its id and, where asked for, its bytes are seen from now on."""
    body_hash = hashlib.sha256(
        arrival.body if arrival.lasting is None else arrival.lasting
    ).digest()
    delivery_id = _clean(arrival.delivery_id)
    return {
        "id": arrival.id,
        "source": arrival.source,
        "delivery_id": delivery_id,
        "seen_id": delivery_id,
        "body_hash": body_hash,
        "seen_hash": body_hash[:SEEN_BYTES] if arrival.dedupe_body else None,
        "type": clean(arrival.type),
        "subject": _clean(arrival.subject),
        "actor": None if arrival.actor is None else to_json(arrival.actor),
        "keys": to_json([clean(key) for key in arrival.keys]),
        "headers": to_json(arrival.headers),
        "body": zlib.compress(arrival.body, ZLIB_LEVEL),
        "received_at": arrival.received_at,
        "state": EntryState.RECEIVED,
        "duplicates": 0,
        "duplicate_of": None,
    }


def quarantined(row: Row, of: str) -> Row:
    """The same row set aside: nothing later is compared with it."""
    return {
        **row,
        "state": EntryState.QUARANTINED,
        "seen_id": None,
        "seen_hash": None,
        "duplicate_of": of,
    }


def tombstone() -> Row:
    """What replaces the words of a pruned entry; who wrote it, about what, and what it said are gone."""
    return {
        "state": EntryState.PRUNED,
        "subject": None,
        "actor": None,
        "keys": "[]",
        "headers": "{}",
        "body": zlib.compress(b"", ZLIB_LEVEL),
    }


def entry(row: Mapping[str, Any]) -> Entry:
    """The entry of a row; a row without its body gives b""."""
    packed = row.get("body")
    return Entry(
        position=row["position"],
        id=row["id"],
        source=row["source"],
        delivery_id=row["delivery_id"],
        type=row["type"],
        subject=row["subject"],
        actor=None if row["actor"] is None else msgspec.json.decode(row["actor"], type=Actor),
        keys=msgspec.json.decode(row["keys"], type=tuple[str, ...]),
        headers=msgspec.json.decode(row["headers"]),
        body=b"" if packed is None else zlib.decompress(packed),
        received_at=row["received_at"],
        state=EntryState(row["state"]),
        duplicates=row["duplicates"],
        duplicate_of=row["duplicate_of"],
    )


def decision_row(decision: Decision, now: datetime) -> Row:
    """A new decision, due at once; an `ignore` has nothing to deliver, so it is settled."""
    ignored = decision.action is Action.IGNORE
    return {
        "id": decision.id,
        "event_id": decision.event_id,
        "cause": decision.cause,
        "rule": decision.rule,
        "action": decision.action,
        "reason": decision.reason,
        "note": None,
        "trace": to_json(decision.trace),
        "playbook": decision.playbook,
        "with": to_json(decision.with_),
        "key": _clean(decision.key),
        "stage": decision.stage,
        "workflow_id": decision.workflow_id,
        "lane": _clean(decision.lane),
        "lane_number": None,
        "wait_id": decision.wait_id,
        "configuration": decision.configuration,
        "state": DecisionState.SETTLED if ignored else decision.state,
        "attempts": decision.attempts,
        "decided_at": now,
        "delivered_at": None,
        "due_at": now,
        "fence": 0,
        "leased_until": None,
        "again": decision.again,
        "flow": None if decision.flow == Flow() else to_json(decision.flow),
        "tallies": to_json(decision.tallies) if _counts_later(decision) else None,
    }


def unfolded(row: Mapping[str, Any]) -> Decision:
    """A folded start of a row, as it acts after all: under the limits that held when it was decided."""
    kept = row["tallies"]
    return msgspec.structs.replace(
        decision(row),
        state=DecisionState.READY,
        reason=UNFOLDED,
        tallies=() if kept is None else msgspec.json.decode(kept, type=tuple[Tally, ...]),
    )


def unfolded_row(decision: Decision) -> Row:
    """What becomes of its row. It counts once, however often it is folded again."""
    return {
        "action": decision.action,
        "reason": decision.reason,
        "trace": to_json(decision.trace),
        "workflow_id": decision.workflow_id,
        "lane": _clean(decision.lane),
        "state": decision.state,
        "tallies": None,
    }


def decision(row: Mapping[str, Any]) -> Decision:
    """The decision of a row."""
    return Decision(
        id=row["id"],
        event_id=row["event_id"],
        cause=row["cause"],
        rule=row["rule"],
        action=Action(row["action"]),
        reason=row["reason"],
        trace=msgspec.json.decode(row["trace"], type=tuple[Finding, ...]),
        playbook=row["playbook"],
        with_=msgspec.json.decode(row["with"]),
        key=row["key"],
        stage=row["stage"],
        workflow_id=row["workflow_id"],
        lane=row["lane"],
        wait_id=row["wait_id"],
        configuration=row["configuration"],
        state=DecisionState(row["state"]),
        attempts=row["attempts"],
        decided_at=row["decided_at"],
        delivered_at=row["delivered_at"],
        again=row["again"],
        note=row["note"],
        due_at=row["due_at"],
        flow=Flow() if row["flow"] is None else msgspec.json.decode(row["flow"], type=Flow),
        place=row["lane_number"] or 0,
    )


def refusal_row(refusal: Refusal) -> Row:
    """A line of the refusal log."""
    return {
        "at": refusal.at,
        "source": clean(refusal.source),
        "reason": refusal.reason,
        "detail": clean(refusal.detail),
        "headers": to_json([clean(name) for name in refusal.headers]),
    }


def refusal(row: Mapping[str, Any]) -> Refusal:
    """The refusal of a row."""
    return Refusal(
        at=row["at"],
        source=row["source"],
        reason=Reason(row["reason"]),
        detail=row["detail"],
        headers=msgspec.json.decode(row["headers"], type=tuple[str, ...]),
    )


def to_json(value: Any) -> str:
    """The value as JSON text; what JSON has no word for is written as text."""
    return msgspec.json.encode(value, enc_hook=str).decode()


def _counts_later(decision: Decision) -> bool:
    return decision.state is DecisionState.FOLDED and bool(decision.tallies)


def _clean(text: str | None) -> str | None:
    return None if text is None else clean(text)
