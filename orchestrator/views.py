"""What people and programs are shown of events and runs: plain dictionaries, the same for every command.

It reads the inbox and the ledger and changes neither.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from orchestrator.database import Transaction
from orchestrator.inbox.inbox import Action, Decision, Entry, Refusal
from orchestrator.ledger import calls, conversations, turns, waits
from orchestrator.ledger.conversations import Conversation
from orchestrator.ledger.turns import Turn
from orchestrator.rules.rule import Finding
from orchestrator.stores import Stores
from workflows.messages import RunState

Shown = dict[str, Any]


async def events(stores: Stores, entries: Sequence[Entry]) -> list[Shown]:
    """Events with their decisions, in the order given."""
    ids = [entry.id for entry in entries]
    decided = await stores.inbox.decisions(ids)
    reached = await stores.ledger.read(conversations.by_events, ids)
    return [_event(entry, decided.get(entry.id, []), reached) for entry in entries]


def refusals(found: Sequence[Refusal]) -> list[Shown]:
    """The refusal log, newest first."""
    return [
        {
            "at": _iso(refusal.at.timestamp()),
            "source": refusal.source,
            "reason": str(refusal.reason),
            "detail": refusal.detail,
            "headers": list(refusal.headers),
        }
        for refusal in found
    ]


def run_line(conversation: Conversation) -> Shown:
    """A run in one line of a list."""
    return {
        "id": conversation.run_id,
        "rule": conversation.rule,
        "playbook": conversation.playbook,
        "key": conversation.key,
        "stage": conversation.stage,
        "state": str(conversation.state),
        "reason": conversation.reason,
        "outcome": str(conversation.outcome) if conversation.outcome else None,
        "opened_at": _iso(conversation.opened_at),
        "ended_at": _iso(conversation.ended_at) if conversation.ended_at else None,
    }


def run(connection: Transaction, run_id: str, ui: str | None, namespace: str) -> Shown:
    """A run with everything it did. Raises LookupError."""
    conversation = conversations.one(connection, run_id)
    spent = turns.spent(connection, run_id)
    replies = turns.replied(connection, run_id)
    return {
        **run_line(conversation),
        "model": conversation.model,
        "scripted": conversation.scripted,
        "workflow_id": conversation.workflow_id,
        "configuration": conversation.configuration,
        "events": conversations.heard(connection, run_id),
        "turns": len(replies),
        "tool_calls": [_call(call) for call in calls.of_run(connection, run_id)],
        "spent": {
            "usd": float(spent.usd),
            "input_tokens": spent.input_tokens,
            "output_tokens": spent.output_tokens,
            "cached_tokens": spent.cached_tokens,
            "unpriced_turns": spent.unpriced,
            "assumed_attempts": spent.assumed,
        },
        "account": _account(conversation, replies),
        "waiting_for": _waiting_for(connection, conversation),
        "temporal_url": temporal_url(ui, namespace, conversation.workflow_id),
    }


def temporal_url(ui: str | None, namespace: str, workflow_id: str) -> str | None:
    """Where the Temporal UI shows a run; None when nobody said where the UI is."""
    if ui is None:
        return None
    return f"{ui.rstrip('/')}/namespaces/{quote(namespace)}/workflows/{quote(workflow_id, safe='')}"


def finding(found: Finding) -> Shown:
    """One line of a trace."""
    return {
        "path": found.path,
        "operator": found.operator,
        "expected": found.expected,
        "actual": found.actual,
        "held": found.held,
    }


def _event(entry: Entry, decided: Sequence[Decision], reached: dict[tuple[str, str], str]) -> Shown:
    return {
        "id": entry.id,
        "source": entry.source,
        "type": entry.type,
        "subject": entry.subject,
        "actor": (entry.actor.login or entry.actor.id) if entry.actor else None,
        "delivery_id": entry.delivery_id,
        "received_at": _iso(entry.received_at.timestamp()),
        "state": str(entry.state),
        "duplicates": entry.duplicates,
        "duplicate_of": entry.duplicate_of,
        "decisions": [_decision(entry, decision, reached) for decision in decided],
    }


def _decision(entry: Entry, decision: Decision, reached: dict[tuple[str, str], str]) -> Shown:
    named = (
        decision.with_.get("run") if decision.action in {Action.RESUME, Action.CONTROL} else None
    )
    found = reached.get((entry.id, decision.workflow_id or ""))
    return {
        "id": decision.id,
        "rule": decision.rule or decision.cause,
        "action": str(decision.action),
        "reason": decision.reason,
        "state": str(decision.state),
        "run_id": named or (None if decision.action is Action.IGNORE else found),
        "trace": [finding(line) for line in decision.trace],
    }


def _call(call: calls.Call) -> Shown:
    return {
        "id": call.call_id,
        "turn": call.turn,
        "server": call.server,
        "tool": call.tool,
        "effect": str(call.effect),
        "state": str(call.state),
        "attempts": call.attempt,
        "arguments": dict(call.arguments),
        "artifact": call.artifact,
    }


def _account(conversation: Conversation, replies: Sequence[Turn]) -> str | None:
    """The model's last words, which every playbook ends with; None while it is still at work."""
    if conversation.state is not RunState.ENDED or not replies:
        return None
    blocks = json.loads(replies[-1].content)
    return "\n".join(block["text"] for block in blocks if block["type"] == "text") or None


def _waiting_for(connection: Transaction, conversation: Conversation) -> Shown | None:
    if conversation.state is RunState.PARKED:
        return {"kind": "person", "reason": conversation.reason}
    for wait in waits.of_run(connection, conversation.run_id):
        if wait.state == "open" and conversation.state is RunState.WAITING:
            until = _iso(wait.deadline_at)
            return {"kind": "event", "events": list(wait.patterns), "key": wait.key, "until": until}
    return None


def _iso(seconds: float) -> str:
    return (
        datetime.fromtimestamp(seconds, UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )
