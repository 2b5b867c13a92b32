"""The tests that live in rules: each example asked of its rule, and what differs from what was expected; pure.

A rule is asked alone, a backstop after all others, of a run that nobody waits for: what waits, limits and earlier
events would change isn't asked.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orchestrator.dispatch.decide import BROKEN, Known, decide
from orchestrator.errors import OperatorError, Refused
from orchestrator.events import Event
from orchestrator.inbox.inbox import Action, Decision
from orchestrator.rehearsal.reading import Proof, event_in, proof_of
from orchestrator.rehearsal.requests import Request, RequestError, parsed
from orchestrator.rules.match import on
from orchestrator.rules.operators import is_glob, same
from orchestrator.rules.rule import Destination, Example, Finding, Match, Rule
from orchestrator.rules.steps import CALL, are_called
from orchestrator.sources.source import Source
from workflows.flow import Flow

RUN = "run"
CALLS = "call"


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What examples are asked with: all rules, because a backstop hangs on what the others do.

    `fixture` reads a file below the configuration, and raises `OperatorError`.
    """

    rules: Sequence[Rule]
    sources: Mapping[str, Source]
    fixture: Callable[[str], bytes]
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that came out otherwise than expected."""

    what: str
    expected: Any
    actual: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of one example. `broken` says why its event couldn't be asked at all."""

    rule: str
    file: str
    example: Example
    reason: str = ""
    differences: tuple[Difference, ...] = ()
    trace: tuple[Finding, ...] = ()
    proof: Proof | None = None
    broken: str | None = None

    @property
    def passed(self) -> bool:
        """Whether everything was as expected."""
        return self.broken is None and not self.differences


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a rule says to an event. `action` is None where it does nothing.

    `flow` is None where no other event comes to the same run, `forward` where it goes nowhere.
    """

    action: str | None
    reason: str
    key: str | None
    with_: Mapping[str, Any]
    playbook: str | None
    trace: tuple[Finding, ...]
    stage: str | None = None
    flow: Flow | None = None
    forward: Destination | None = None

    @property
    def failed(self) -> Finding | None:
        """The finding that decided against the event."""
        return None if self.action else Match(matched=False, trace=self.trace).failed


def judged(rule: Rule, example: Example, around: Around) -> Verdict:
    """What comes of one example."""
    try:
        request = _request(example.event, around)
        source = _source(request, rule, around)
        event = event_in(request, source, around.now)
        proof = proof_of(request, source, around.now)
    except Refused as error:
        refused = Difference(what="signature", expected="one that fits, or none", actual=str(error))
        return _verdict(rule, example, differences=(refused,))
    except OperatorError as error:
        return _verdict(rule, example, broken=str(error))
    answer = answer_of(rule, event, source, around.rules)
    return _verdict(
        rule,
        example,
        reason=answer.reason,
        differences=tuple(_differences(example, answer)),
        trace=answer.trace,
        proof=proof,
    )


def answer_of(rule: Rule, event: Event, source: Source, rules: Sequence[Rule]) -> Answer:
    """What the rule says to the event, alone, or as the backstop of these rules."""
    beside = rules if rule.backstop else [rule]
    known = Known(rules=beside, waits=[], own_actors=source.own_actors, runs={}, configuration="")
    decided = [one for one in decide(event, 1, known) if one.cause == rule.id]
    if decided:
        return answered(decided[0], rule)
    finding = on(rule, event)
    return Answer(
        action=None, reason="no match: on", key=None, with_={}, playbook=None, trace=(finding,)
    )


def answered(decision: Decision, rule: Rule) -> Answer:
    """What a decision by this rule says, without what only a delivery needs."""
    acts = decision.action is not Action.IGNORE
    does = CALLS if are_called(decision.playbook) else RUN
    started = decision.action is Action.START
    keyed = acts and not (started and decision.key == decision.event_id)
    return Answer(
        action=(does if started else str(decision.action)) if acts else None,
        reason=decision.reason,
        key=decision.key if keyed else None,
        with_=decision.with_ if started else {},
        playbook=(decision.playbook or "").removeprefix(CALL) or None if acts else None,
        trace=decision.trace,
        stage=decision.stage if started else None,
        flow=decision.flow if started and keyed else None,
        forward=rule.forward if acts else None,
    )


def _verdict(rule: Rule, example: Example, **found: Any) -> Verdict:
    return Verdict(rule=rule.name, file=rule.file, example=example, **found)


def _request(name: str, around: Around) -> Request:
    try:
        return parsed(around.fixture(name))
    except RequestError as error:
        raise OperatorError(f"{name}:{error.line}: {error}") from None


def _source(request: Request, rule: Rule, around: Around) -> Source:
    names = [request.source] if request.source else _named(rule)
    found = [around.sources[name] for name in dict.fromkeys(names) if name in around.sources]
    if len(found) == 1:
        return found[0]
    if request.source:
        raise OperatorError(f"it rings /hooks/{request.source}, which is no source")
    raise OperatorError(
        f"expected a request to /hooks/SOURCE: {request.path!r} names none, nor does the rule's `on`"
    )


def _named(rule: Rule) -> list[str]:
    sources = [pattern.partition("/")[0] for pattern in rule.on]
    return [name for name in sources if not is_glob(name)]


def _differences(example: Example, answer: Answer) -> Iterator[Difference]:
    expected, came = example.expected, answer.action is not None
    # A mistake in a template is no condition that failed: nobody means it who expects no match.
    broken = answer.reason.startswith(BROKEN) and expected.failed is None
    if expected.match is not came or broken:
        said = "true" if came else f"{'true, but' if broken else 'false:'} {answer.reason}"
        yield Difference(what="match", expected=str(expected.match).lower(), actual=said)
        return
    failed = None if answer.failed is None else answer.failed.path
    asked = (
        ("key", expected.key, answer.key),
        ("action", expected.action, answer.action),
        ("failed", expected.failed, failed or answer.reason),
    )
    for what, wanted, actual in asked:
        if wanted is not None and wanted != actual:
            yield Difference(what=what, expected=wanted, actual=actual)
    for name, wanted in (expected.with_ or {}).items():
        if name not in answer.with_ or not same(answer.with_[name], wanted):
            actual = answer.with_.get(name, "(missing)")
            yield Difference(what=f"with.{name}", expected=wanted, actual=actual)
