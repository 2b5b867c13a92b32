"""What people and programs are shown of events and runs: plain dictionaries, the same for every command.

It reads the inbox and the ledger and changes neither.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from orchestrator import asked
from orchestrator.configuration.broken import rules_in
from orchestrator.configuration.files import kept_files
from orchestrator.database import Transaction
from orchestrator.dispatch.decide import OTHERS
from orchestrator.dispatch.reached import run_reached
from orchestrator.inbox.inbox import Action, Ahead, Decision, DecisionState, Entry, Refusal
from orchestrator.inbox.orders import Pause
from orchestrator.ledger import (
    artifacts,
    calls,
    claims,
    configurations,
    conversations,
    quarantines,
    shortfalls,
    tallies,
    turns,
    waits,
)
from orchestrator.ledger.conversations import Conversation
from orchestrator.ledger.tallies import Writes
from orchestrator.ledger.turns import Turn
from orchestrator.nearness import nearest
from orchestrator.queueing import standing
from orchestrator.rules.rule import Finding, Rule
from orchestrator.rules.rulebook import Page, pages_of
from orchestrator.rules.steps import are_called, steps_in
from orchestrator.stores import Stores
from orchestrator.tending.unheld import of_no_rule
from orchestrator.unasked import Unasked, unasked
from workflows.messages import RunState

Shown = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What is known beside entries and decisions: the runs they reached, what is paused, what must go first."""

    reached: Mapping[tuple[str, str], str] = field(default_factory=dict)
    pauses: Sequence[Pause] = ()
    ahead: Mapping[str, Ahead] = field(default_factory=dict)


async def events(stores: Stores, entries: Sequence[Entry], *, bare: bool = False) -> list[Shown]:
    """Events with their decisions, or `bare` ones, in the order given."""
    if bare:
        return [_event(entry, (), _Known()) for entry in entries]
    ids = [entry.id for entry in entries]
    decided = await stores.inbox.decisions(ids)
    reached = await stores.ledger.read(conversations.by_events, ids)
    pauses = await stores.inbox.pauses()
    ahead = await stores.inbox.ahead(
        [one.id for each in decided.values() for one in each if _is_ready(one)]
    )
    known = _Known(reached=reached, pauses=pauses, ahead=ahead)
    return [_event(entry, decided.get(entry.id, []), known) for entry in entries]


async def why(stores: Stores, entry: Entry) -> Shown:
    """An event with what every rule said to it, what its runs cost so far, and which rule came nearest to acting."""
    (shown,) = await events(stores, [entry])
    ids = [decision["id"] for decision in shown["decisions"]]
    taken = await stores.ledger.read(claims.claimed, ids)
    made = (await stores.inbox.decisions([entry.id])).get(entry.id, [])
    by = await _decided_by(stores, made)
    asked, others = [], []
    for decision in shown["decisions"]:
        pages = await stores.ledger.read(_pages, decision)
        if pages is None:
            cost = await stores.ledger.read(_cost, decision["run_id"])
            told = {"run": cost, "claimed": taken.get(decision["id"]), **by[decision["id"]]}
            asked.append({**decision, **told})
        else:
            beside = _rules_asked(made, decision["redelivery"])
            found = unasked(pages, beside, entry.source, entry.type)
            others += [_not_asked(decision, one) for one in found]
    decisions = [*asked, *others]
    acted = any(decision["action"] != Action.IGNORE for decision in decisions)
    near = None if acted else nearest(decisions)
    return {**shown, "decisions": decisions, "nearest": near["rule"] if near else None}


def _rules_asked(made: Sequence[Decision], again: int | None) -> set[str]:
    """The names of the rules that were asked when the event was sent so; a wait bears the name of its run's rule."""
    return {one.rule for one in made if one.again == again and not one.cause.startswith("wait:")}


async def _decided_by(stores: Stores, made: Sequence[Decision]) -> dict[str, Shown]:
    """By decision, the digest of the files that made it, how its rule stood in them, what came of a person's word."""
    digests = {decision.configuration for decision in made}
    rules = {digest: await stores.ledger.read(rules_of, digest) for digest in digests}
    words = await stores.ledger.read(asked.came_of, [decision.id for decision in made])
    return {
        decision.id: {
            "became": words.get(decision.id),
            "configuration": decision.configuration or None,
            "text": rules[decision.configuration].get(decision.rule),
        }
        for decision in made
    }


def rules_of(connection: Transaction, digest: str) -> dict[str, str]:
    """How every rule stood in the files of that digest, by name; {} when they weren't kept."""
    kept = configurations.find(connection, digest)
    return {} if kept is None else rules_in(kept_files(Path(), kept.content).texts)


def _pages(connection: Transaction, decision: Shown) -> list[Page] | None:
    digest = decision.get("pages")
    kept = artifacts.get(connection, digest) if digest else None
    return None if kept is None else pages_of(kept.body)


def _cost(connection: Transaction, run_id: str | None) -> Shown | None:
    conversation = conversations.find(connection, run_id) if run_id else None
    if run_id is None or conversation is None:
        return None
    spent = turns.spent(connection, run_id)
    return {
        "state": str(conversation.state),
        "outcome": str(conversation.outcome) if conversation.outcome else None,
        "reason": conversation.reason or None,
        "writes": str(tallies.writes(connection, [run_id]).get(run_id, "")),
        "turns": len(turns.replied(connection, run_id)),
        "tokens": spent.input_tokens + spent.output_tokens,
        "usd": float(spent.usd),
        "unpriced_turns": spent.unpriced,
    }


def _not_asked(decision: Shown, one: Unasked) -> Shown:
    return {
        **{name: value for name, value in decision.items() if name != "pages"},
        "rule": one.rule,
        "reason": one.reason,
        "trace": [finding(one.line)],
        "run": None,
    }


def paused(found: Sequence[Pause], rules: Sequence[Rule]) -> list[Shown]:
    """What is paused, by whom and since when; of a rule also whether one of these, in force, has that name."""
    unheld = of_no_rule(found, {rule.name for rule in rules})
    return [
        {
            "what": str(pause.what),
            "name": pause.name,
            "by": pause.by,
            "at": _iso(pause.at.timestamp()),
            "in_force": pause not in unheld,
        }
        for pause in found
    ]


def dead(decision: Decision) -> Shown:
    """A dead letter in one line of a list."""
    return {
        "id": decision.id,
        "event": decision.event_id,
        "rule": decision.rule or decision.cause,
        "action": str(decision.action),
        "attempts": decision.attempts,
        "reason": decision.note,
        "decided_at": _moment(decision.decided_at),
    }


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


def run_lines(connection: Transaction, found: Sequence[Conversation]) -> list[Shown]:
    """Runs, each in one line of a list."""
    written = tallies.writes(connection, [one.run_id for one in found])
    return [run_line(one, written.get(one.run_id, tallies.NONE)) for one in found]


def run_line(conversation: Conversation, written: Writes) -> Shown:
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
        "writes": asdict(written),
        "opened_at": _iso(conversation.opened_at),
        "ended_at": _iso(conversation.ended_at) if conversation.ended_at else None,
        "pruned_at": _iso(conversation.pruned_at) if conversation.pruned_at else None,
    }


def run(connection: Transaction, run_id: str, ui: str | None, namespace: str) -> Shown:
    """A run with everything it did. Raises LookupError."""
    conversation = conversations.one(connection, run_id)
    spent = turns.spent(connection, run_id)
    replies = turns.replied(connection, run_id)
    return {
        **run_lines(connection, [conversation])[0],
        "model": conversation.model,
        "scripted": conversation.scripted,
        "workflow_id": conversation.workflow_id,
        "configuration": conversation.configuration,
        "events": conversations.heard(connection, run_id),
        "turns": len(replies),
        "tool_calls": [_call(call) for call in calls.of_run(connection, run_id)],
        "quarantines": [one.words for one in quarantines.of_run(connection, run_id)],
        "spent": {
            "usd": float(spent.usd),
            "input_tokens": spent.input_tokens,
            "output_tokens": spent.output_tokens,
            "cached_tokens": spent.cached_tokens,
            "unpriced_turns": spent.unpriced,
            "assumed_attempts": spent.assumed,
        },
        "account": _account(connection, conversation, replies),
        **asked.beside(connection, run_id),
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


def _event(
    entry: Entry,
    decided: Sequence[Decision],
    known: _Known,
) -> Shown:
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
        "decisions": [
            _decision(decision, run_reached(decision, entry.id, decided, known.reached))
            | standing(decision, entry.source, known.pauses, known.ahead.get(decision.id))
            for decision in decided
        ],
    }


def _decision(decision: Decision, run_id: str | None) -> Shown:
    return {
        "id": decision.id,
        "rule": decision.rule or decision.cause,
        "action": str(decision.action),
        "reason": decision.reason,
        "state": str(decision.state),
        "run_id": run_id,
        "trace": [finding(line) for line in decision.trace],
        "due_at": _moment(decision.due_at) if _is_ready(decision) else None,
        **({"to": decision.with_.get("to")} if decision.action is Action.FORWARD else {}),
        **({"call": _called(decision)} if _calls(decision) else {}),
        **({"pages": decision.with_.get("pages")} if decision.cause == OTHERS else {}),
    }


def _is_ready(decision: Decision) -> bool:
    return decision.state is DecisionState.READY


def _calls(decision: Decision) -> bool:
    return decision.action is Action.START and are_called(decision.playbook)


def _called(decision: Decision) -> list[Shown]:
    return [{"tool": step.tool, "args": dict(step.args)} for step in steps_in(decision.with_)]


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


def _account(
    connection: Transaction, conversation: Conversation, replies: Sequence[Turn]
) -> str | None:
    """The model's last words, with which every playbook ends, or parks over its own budget; None while it works."""
    match conversation.state:
        case RunState.ENDED if replies:
            return turns.text_of(replies[-1]) or None
        case RunState.PARKED:
            return shortfalls.summary(connection, conversation.run_id) or None
        case _:
            return None


def _waiting_for(connection: Transaction, conversation: Conversation) -> Shown | None:
    if conversation.state is RunState.PARKED:
        return {"kind": "person", "reason": conversation.reason}
    requests, applied = asked.of_run(connection, conversation.run_id)
    if requests:
        return {"kind": "people", "requests": requests}
    for wait in waits.of_run(connection, conversation.run_id):
        if wait.state == "open" and conversation.state is RunState.WAITING:
            until = _iso(wait.deadline_at)
            if not wait.patterns:
                return {"kind": "time", "until": until}
            return {"kind": "event", "events": list(wait.patterns), "key": wait.key, "until": until}
    return {"kind": "people", "requests": applied} if applied else None


def _moment(at: datetime | None) -> str | None:
    return None if at is None else _iso(at.timestamp())


def _iso(seconds: float) -> str:
    return (
        datetime.fromtimestamp(seconds, UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )
