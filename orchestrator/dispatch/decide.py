"""What an event means for every rule and every waiting run: values in, decisions out; it acts on nothing.

Every rule gets exactly one decision with its trace, also when it did not match, so that `why` always has an
answer. A wait outranks a rule: an event that wakes a run by its wait is folded out of that run's mailbox.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.errors import OperatorError
from orchestrator.events import Event
from orchestrator.inbox.inbox import Action, Decision, DecisionState
from orchestrator.rules.match import inputs_of, key_of, match, on, trusted
from orchestrator.rules.operators import like
from orchestrator.rules.rule import Finding, Mode, Rule
from orchestrator.sources.source import OPERATOR
from workflows.messages import Kind

MARKER = re.compile(r"<!-- doorbell:([0-9a-f]{12}\.[0-9]+) -->\s*\Z")
"""What we write at the end of every text that we post, so that we know our own words when they ring."""

NEWS = {
    "comment": "created",
    "review": "submitted",
    "issue": "opened",
    "pull_request": "opened",
    "discussion": "created",
}
"""Where a payload keeps a text, and the action by which that text is news; only the first that is there counts.

A person who labels our issue or deletes our comment rings with our text in the payload, and is not us.
"""

OURSELVES = "doorbell:ourselves"
PERSON = "doorbell:operator"
"""Causes of decisions that no rule took; no rule can have such a name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An open wait, as far as deciding needs it."""

    wait_id: str
    run_id: str
    workflow_id: str
    rule: str
    playbook: str
    patterns: tuple[str, ...]
    key: str
    since: int
    deadline_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What deciding may know beside the event: rules, open waits, who we are, which runs a person may name."""

    rules: Sequence[Rule]
    waits: Sequence[Wanted]
    own_actors: frozenset[str]
    runs: Mapping[str, str]
    configuration: str


def decide(event: Event, position: int, known: Known) -> list[Decision]:
    """All decisions about one event."""
    if event.source == OPERATOR:
        return [_person(event, known)]
    ours = ours_because(event, known.own_actors)
    woken = (
        []
        if ours
        else [_woken(event, wait) for wait in known.waits if wants(wait, event, position)]
    )
    taken = {decision.workflow_id for decision in woken}
    decided = [_rule(event, rule, known, taken) for rule in known.rules]
    if ours:
        decided.append(_ignored(event, OURSELVES, "", ours))
    return [*woken, *decided]


def wants(wait: Wanted, event: Event, position: int) -> bool:
    """Whether this event is the one a wait is open for: source, type, key, order and time."""
    return (
        position > wait.since
        and wait.key in event.keys
        and event.received_at.timestamp() <= wait.deadline_at
        and any(like(f"{event.source}/{event.type}", pattern) for pattern in wait.patterns)
    )


def woken_later(event: Event, wait: Wanted) -> Decision:
    """The decision a wait gets for an event that came before it; its id is the same whoever finds it first."""
    return _woken(event, wait)


def ours_because(event: Event, own_actors: frozenset[str]) -> str | None:
    """Why an event is our own doing, in words; None when somebody else did it."""
    actor = event.actor
    own = {name.casefold() for name in own_actors}
    if actor is not None and {(actor.id or "").casefold(), (actor.login or "").casefold()} & own:
        return f"our own write: {actor.login or actor.id} is one of our actors"
    marked = MARKER.search(_newest_text(event.data))
    return f"our own write: it ends in the marker of run {marked[1]}" if marked else None


def workflow_id_of(rule_id: str, key: str) -> str:
    """A title people can read, and a hash that keeps keys apart whatever strangers put into them."""
    readable = re.sub(r"[^A-Za-z0-9._:@-]+", "-", f"{rule_id}:{key}")[:160]
    return f"{readable}~{_hash(rule_id, key)[:12]}"


def _newest_text(data: Any) -> str:
    if not isinstance(data, dict):
        return ""
    name = next((name for name in NEWS if isinstance(data.get(name), dict)), None)
    if name is None or data.get("action") != NEWS[name]:
        return ""
    text = data[name].get("body")
    return text if isinstance(text, str) else ""


def _rule(event: Event, rule: Rule, known: Known, taken: set[str | None]) -> Decision:
    wanted = on(rule, event)
    if not wanted.held:
        return _not(event, rule, known, (wanted,), wanted)
    guard = trusted(rule, event, known.own_actors)
    if guard is not None and not guard.held:
        return _not(event, rule, known, (wanted, guard), guard)
    if rule.trust.ignore_self and (ours := ours_because(event, known.own_actors)):
        self_guard = Finding(
            path="trust.ignore_self", operator="eq", expected=True, actual=ours, held=False
        )
        return _not(event, rule, known, (wanted, self_guard), self_guard)
    found = match(rule, event)
    trace = (wanted, *found.trace)
    if found.matched:
        return _start(event, rule, known, trace, taken)
    return _not(event, rule, known, trace, found.failed)


def _start(
    event: Event, rule: Rule, known: Known, trace: tuple[Finding, ...], taken: set[str | None]
) -> Decision:
    try:
        key = key_of(rule, event)
        given = inputs_of(rule, event)
    except OperatorError as error:
        return _ignored(
            event, rule.id, rule.name, f"the rule is broken for this event: {error}", trace, known
        )
    alone = rule.mode is Mode.PARALLEL or key is None
    workflow_id = workflow_id_of(rule.id, event.id if alone or key is None else key)
    folded = workflow_id in taken
    return Decision(
        id=decision_id(event.id, rule.id),
        event_id=event.id,
        cause=rule.id,
        rule=rule.name,
        action=Action.START,
        reason="folded: it wakes this very run by its wait" if folded else "matched",
        trace=trace,
        playbook=rule.playbook,
        with_=given,
        key=key or event.id,
        stage=rule.stage,
        workflow_id=workflow_id,
        lane=workflow_id,
        configuration=known.configuration,
        state=DecisionState.FOLDED if folded else DecisionState.READY,
    )


def _not(
    event: Event, rule: Rule, known: Known, trace: tuple[Finding, ...], failed: Finding | None
) -> Decision:
    reason = "no match" if failed is None else f"no match: {failed.path}"
    return _ignored(event, rule.id, rule.name, reason, trace, known)


def _woken(event: Event, wait: Wanted) -> Decision:
    cause = f"wait:{wait.wait_id}"
    return Decision(
        id=decision_id(event.id, cause),
        event_id=event.id,
        cause=cause,
        rule=wait.rule,
        action=Action.RESUME,
        reason=f"run {wait.run_id} waits for it",
        playbook=wait.playbook,
        key=wait.key,
        workflow_id=wait.workflow_id,
        lane=wait.workflow_id,
        wait_id=wait.wait_id,
        with_={"run": wait.run_id},
    )


def _person(event: Event, known: Known) -> Decision:
    kinds = {f"run.{kind}": kind for kind in (Kind.RESUME, Kind.APPLY, Kind.CANCEL)}
    run_id = str(event.data.get("run", ""))
    workflow_id = known.runs.get(run_id)
    if event.type not in kinds or workflow_id is None:
        return _ignored(event, PERSON, "", f"there is no run {run_id!r} that could {event.type}")
    return Decision(
        id=decision_id(event.id, PERSON),
        event_id=event.id,
        cause=PERSON,
        rule="",
        action=Action.CONTROL,
        reason=f"{event.type} by {event.data.get('by', 'a person')}",
        workflow_id=workflow_id,
        # A lane of its own: a person's word must pass a mailbox that is full.
        lane=f"{workflow_id}!person",
        with_={"run": run_id, "kind": kinds[event.type]},
    )


def _ignored(
    event: Event,
    cause: str,
    rule: str,
    reason: str,
    trace: tuple[Finding, ...] = (),
    known: Known | None = None,
) -> Decision:
    return Decision(
        id=decision_id(event.id, cause),
        event_id=event.id,
        cause=cause,
        rule=rule,
        action=Action.IGNORE,
        reason=reason,
        trace=trace,
        configuration=known.configuration if known else "",
        state=DecisionState.SETTLED,
    )


def decision_id(event_id: str, cause: str, number: int = 0) -> str:
    """Derived, so that deciding again writes nothing new. `number` counts deliberate redeliveries."""
    return f"dec_{_hash(event_id, cause, str(number))[:20]}"


def _hash(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
