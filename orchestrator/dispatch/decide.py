"""What an event means for every rule and every waiting run: values in, decisions out; it acts on nothing.

Every rule whose `on` fits gets exactly one decision with its trace, also when it did not match; the others share
one, which names their pages, so that `why` always has an answer for each. A wait outranks a rule: an event that wakes
a run by its wait is folded out of that run's mailbox.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from typing import Any

from msgspec.structs import replace

from orchestrator.dispatch.awaited import Wanted, Weighed, loop, missed, weighed
from orchestrator.dispatch.late import left_alone, too_late
from orchestrator.dispatch.limits import SOUND, nobody_else, tallies_of, unsure
from orchestrator.dispatch.ours import ours_because
from orchestrator.errors import OperatorError
from orchestrator.events import Event
from orchestrator.inbox.inbox import FOLDED, Action, Decision, DecisionState
from orchestrator.inbox.tallies import Tally
from orchestrator.rules.match import inputs_of, key_of
from orchestrator.rules.reading import Reading
from orchestrator.rules.rule import Destination, Finding, Operator, Rule, decisive
from orchestrator.rules.rulebook import Concerned, Page, Rulebook, might_want
from orchestrator.rules.steps import rendered, title_of
from orchestrator.rules.trust import guards, ourselves, too_far
from orchestrator.sources.source import OPERATOR
from orchestrator.templates import TemplateError
from workflows.flow import Flow, Mode
from workflows.messages import Kind

OURSELVES = "doorbell:ourselves"
PERSON = "doorbell:operator"
OTHERS = "doorbell:others"
"""Causes of decisions that no rule took; no rule can have such a name."""

BETWEEN = "\x1f"
"""What keeps the parts of a hashed text apart."""

IGNORE, SETTLED = Action.IGNORE, DecisionState.SETTLED
"""Here, because to look at an enumeration takes as long as to make a finding."""

BROKEN = "the rule is broken for this event: "
"""How the reason begins where a rule matches, and can't do what it should."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What deciding may know beside the event: rules, waits, who we are, which runs a person may name.

    `again` is the position of the person's word that redelivers the event: then everything is decided anew, however
    late it is. Otherwise rules leave alone what was first sent longer than `catch_up` before it came.
    `foreign` are runs of other installations; `hops` and `chain` say how many runs of ours led to the event.
    `held` says what keeps a person's `run.apply` from being carried out; `unsound` are the rules with a mistake.
    """

    rules: Sequence[Rule]
    waits: Sequence[Wanted]
    own_actors: frozenset[str]
    runs: Mapping[str, str]
    configuration: str
    again: int | None = None
    catch_up: timedelta | None = None
    foreign: frozenset[str] = frozenset()
    hops: int = 0
    chain: str = ""
    held: str = ""
    unsound: Sequence[Page] = ()

    def unsound_on(self, event: Event) -> list[str]:
        """The rules with a mistake that might have wanted an event of this kind."""
        return [one.name for one in self.unsound if might_want(one, event.source, event.type)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asking:
    """One event before all rules: read once, and whose doing it is found out once.

    `named` is the hash of how the ids of its decisions begin.
    """

    event: Event
    reading: Reading
    known: Known
    ours: str | None
    taken: frozenset[str | None]
    named: "hashlib._Hash"
    guarded: dict[int, tuple[Finding, ...]] = field(default_factory=dict)


def decide(event: Event, position: int, known: Known) -> list[Decision]:
    """All decisions about one event."""
    if event.source == OPERATOR:
        return [_person(event, known)]
    ours = ours_because(event, known.own_actors, known.foreign)
    reading = Reading(event)
    waits = [] if ours else known.waits
    found = weighed(waits, reading, position, known.hops, known.chain)
    waited = [about_a_wait(event, one) for one in found]
    woken = [decision for decision in waited if decision.action is Action.RESUME]
    asking = _Asking(
        event=event,
        reading=reading,
        known=known,
        ours=ours,
        taken=frozenset(decision.workflow_id for decision in woken),
        named=hashlib.sha256(f"{event.id}{BETWEEN}".encode()),
    )
    decided = _rules(asking)
    stale = too_late(event, known.catch_up) if known.again is None else None
    if stale:
        decided = [left_alone(decision, stale) for decision in decided]
    if ours:
        decided.append(_ignored(event, OURSELVES, "", ours))
    reached = asking.taken | {one.workflow_id for one in decided if one.action is Action.START}
    late = [about_a_wait(event, one) for one in missed(waits, event, position, reached)]
    every = [*waited, *decided, *late]
    return every if known.again is None else [_numbered(one, known.again) for one in every]


def workflow_id_of(rule_id: str, key: str) -> str:
    """A title people can read, and a hash that keeps keys apart whatever strangers put into them."""
    readable = re.sub(r"[^A-Za-z0-9._:@-]+", "-", f"{rule_id}:{key}")[:160]
    return f"{readable}~{_hash(rule_id, key)[:12]}"


def _numbered(decision: Decision, again: int) -> Decision:
    numbered = decision_id(decision.event_id, decision.cause, again)
    return replace(decision, id=numbered, again=again)


def _rules(asking: _Asking) -> list[Decision]:
    event, book = asking.event, Rulebook.of(asking.known.rules)
    concerned = book.concerned(event.source, event.type)
    decided = _each(asking, concerned)
    others = len(book) - len(concerned)
    return [_others(asking, book, others), *decided] if others else decided


def _each(asking: _Asking, concerned: Sequence[Concerned]) -> list[Decision]:
    """What each rule says, the backstop last: it is asked what came of the others."""
    first = [each for each in concerned if not each.rule.backstop]
    decided = [_rule(asking, each) for each in first]
    backstops = [each for each in concerned if each.rule.backstop]
    if backstops:
        acted = [one.rule for one in decided if one.action is not Action.IGNORE]
        broken = [one.rule for one in decided if one.reason.startswith(BROKEN)]
        unsound = asking.known.unsound_on(asking.event)
        nobody = nobody_else([*acted, *broken], unsound, woke=bool(asking.taken))
        decided += [_rule(asking, each, nobody) for each in backstops]
    return decided


def _others(asking: _Asking, book: Rulebook, count: int) -> Decision:
    """One line for all rules whose `on` doesn't fit: a thousand of them must cost an event no thousand rows."""
    event, said = asking.event, "1 rule" if count == 1 else f"{count} rules"
    finding = Finding(
        path="on",
        operator=Operator.GLOB.value,
        expected=said,
        actual=f"{event.source}/{event.type}",
        held=False,
    )
    reason = "no match: on" if count == 1 else f"no match: on ({said})"
    ignored = _ignored(event, OTHERS, "", reason, (finding,), asking.known)
    return replace(ignored, with_={"pages": book.digest, "rules": count})


def _rule(asking: _Asking, concerned: Concerned, last: Finding | None = None) -> Decision:
    rule, wanted, ask, trusts = concerned
    guarded = asking.guarded.get(trusts)
    if guarded is None:
        guarded = asking.guarded[trusts] = _guards(asking, rule)
    # What nobody can know is said only of an event that it would have acted on.
    unsure = last if last is not None and last.operator == SOUND else None
    trace = [wanted, *guarded] if last is None or unsure else [wanted, *guarded, last]
    if guarded or last is not None:
        for finding in trace:
            if not finding.held:
                return _not(asking, rule, trace, finding)
    if not ask(asking.reading, trace):
        return _not(asking, rule, trace, decisive(trace))
    return _not(asking, rule, [*trace, unsure], unsure) if unsure else _acted(asking, rule, trace)


def _guards(asking: _Asking, rule: Rule) -> tuple[Finding, ...]:
    """What stands before `when`: whoever acted, whatever they did; asked once for all rules that trust the same."""
    known = asking.known
    found = guards(rule, asking.event, known.own_actors)
    if rule.trust.ignore_self and asking.ours:
        mine = ourselves(asking.ours)
        found = found if mine in found else (*found, mine)
    far = too_far(rule.trust, known.hops)
    return found if far is None else (*found, far)


def _acted(asking: _Asking, rule: Rule, found: Sequence[Finding]) -> Decision:
    trace = tuple(found)
    try:
        if rule.forward is None:
            return _start(asking, rule, trace)
        return _forward(asking, rule, rule.forward, trace)
    except OperatorError as error:
        said = f"{BROKEN}{error}"
        return _ignored(asking.event, rule.id, rule.name, said, trace, asking.known)


def _forward(asking: _Asking, rule: Rule, to: Destination, trace: tuple[Finding, ...]) -> Decision:
    """Where it goes is looked up again when it goes: the decision only shows it, and holds nothing secret."""
    event, known = asking.event, asking.known
    key, unread = _key(asking, rule)
    return Decision(
        id=decision_id(event.id, rule.id),
        event_id=event.id,
        cause=rule.id,
        rule=rule.name,
        action=Action.FORWARD,
        reason=f"matched{unread}",
        trace=trace,
        with_={"to": to.label},
        key=key,
        lane=f"forward:{rule.id}:{_hash(event.id if key is None else key)[:20]}",
        configuration=known.configuration,
        tallies=_tallies(asking, rule, key),
    )


def _start(asking: _Asking, rule: Rule, trace: tuple[Finding, ...]) -> Decision:
    event, known = asking.event, asking.known
    key, unread = _key(asking, rule)
    given = _given(asking, rule)
    alone = rule.mode is Mode.PARALLEL or key is None
    # Redelivered, what runs alone gets a run of its own again.
    own = event.id if known.again is None else f"{event.id}#{known.again}"
    workflow_id = workflow_id_of(rule.id, own if alone or key is None else key)
    folded = workflow_id in asking.taken
    return Decision(
        id=decision_id(event.id, rule.id),
        event_id=event.id,
        cause=rule.id,
        rule=rule.name,
        action=Action.START,
        reason=FOLDED if folded else f"matched{unread}",
        trace=trace,
        playbook=title_of(rule.call) if rule.call else rule.playbook,
        with_=given,
        key=key or event.id,
        stage=rule.stage,
        workflow_id=workflow_id,
        lane=workflow_id,
        configuration=known.configuration,
        state=DecisionState.FOLDED if folded else DecisionState.READY,
        tallies=_tallies(asking, rule, key),
        flow=_flow(rule, alone=alone),
    )


def _key(asking: _Asking, rule: Rule) -> tuple[str | None, str]:
    """The rule's key for this event; where it can't be read there is none, and the reason goes on with why."""
    try:
        return key_of(rule, asking.event, asking.reading), ""
    except TemplateError as error:
        return None, f"; its key could not be read, so it runs alone: {error}"


def _given(asking: _Asking, rule: Rule) -> dict[str, Any]:
    """The inputs of its playbook, or the steps of its `call:`, with every template filled in."""
    if rule.call:
        return rendered(rule.call, asking.reading.plain)
    return inputs_of(rule, asking.event, asking.reading)


def _flow(rule: Rule, *, alone: bool) -> Flow:
    # Nobody else comes to a run of its own: it waits for nothing, and nothing takes its place.
    mode = Mode.PARALLEL if alone and rule.mode is not Mode.SIGNAL else rule.mode
    return Flow(mode=mode, coalesce=None if alone else rule.coalesce)


def _tallies(asking: _Asking, rule: Rule, key: str | None) -> tuple[Tally, ...]:
    if asking.known.again is not None:
        return ()
    return tallies_of(rule, asking.event, key, asking.reading)


def _not(asking: _Asking, rule: Rule, trace: Sequence[Finding], failed: Finding | None) -> Decision:
    known = asking.known
    reason = "no match" if failed is None else f"no match: {failed.path}"
    if failed is not None and failed.path == "trust.max_hops":
        reason = loop(failed, known.chain)
    elif failed is not None and failed.operator == SOUND:
        reason = unsure(failed)
    named = asking.named.copy()
    named.update(_first(rule.id))
    # Made here and not by `_ignored`: an event asks for hundreds of them.
    return Decision(
        id=f"dec_{named.hexdigest()[:20]}",
        event_id=asking.event.id,
        cause=rule.id,
        rule=rule.name,
        action=IGNORE,
        reason=reason,
        trace=tuple(trace),
        configuration=known.configuration,
        state=SETTLED,
    )


def about_a_wait(event: Event, weighed: Weighed) -> Decision:
    """The decision on an event that is for a wait; its id is the same whoever finds it, and when."""
    wait, cause = weighed.wait, f"wait:{weighed.wait.wait_id}"
    if weighed.but:
        waits = "" if weighed.but.startswith("late: ") else f"run {wait.run_id} still waits: "
        return _ignored(event, cause, wait.rule, f"{waits}{weighed.but}", weighed.trace)
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
    if "wait" in event.data:
        return _lapsed(event, known)
    kinds = {f"run.{kind}": kind for kind in (Kind.RESUME, Kind.APPLY, Kind.CANCEL)}
    run_id = str(event.data.get("run", ""))
    workflow_id = known.runs.get(run_id)
    if event.type not in kinds or workflow_id is None:
        return _ignored(event, PERSON, "", f"there is no run {run_id!r} that could {event.type}")
    if known.held:
        return _ignored(event, PERSON, "", known.held)
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


def _lapsed(event: Event, known: Known) -> Decision:
    """That the time of a wait is up which no turn waits for: the run hears it as it would hear its event."""
    for wait in known.waits:
        if wait.deadline_at < event.received_at.timestamp():
            reason = f"what run {wait.run_id} listened for did not come in time"
            return replace(about_a_wait(event, Weighed(wait)), reason=reason)
    return _ignored(event, PERSON, "", "no run listens for that any more")


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


@lru_cache(maxsize=4096)
def _first(cause: str) -> bytes:
    """How the id of the first decision of a cause ends."""
    return f"{cause}{BETWEEN}0".encode()


def _hash(*parts: str) -> str:
    return hashlib.sha256(BETWEEN.join(parts).encode()).hexdigest()
