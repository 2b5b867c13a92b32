"""Whether a rule wants an event, and why; pure and total: no JSON that is an event makes it raise.

Nothing is short-circuited: every leaf under `when:` is asked and recorded, so `why` can show all of it.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from orchestrator.events import Event
from orchestrator.expressions import Expression
from orchestrator.rules.operators import asking_each, like
from orchestrator.rules.reading import Reading, shown
from orchestrator.rules.rule import (
    All,
    Any_,
    Cel,
    Condition,
    Finding,
    Leaf,
    Match,
    Not,
    Operator,
    Rule,
)
from orchestrator.templates import Template, TemplateError, render_tree

LONGEST_KEY: Final = 1_000
"""Characters: a key stands in every list of runs, and goes with its run through Temporal."""

Ask = Callable[[Reading, list[Finding]], bool]
"""Whether something holds of an event; its findings are put at the end of the list, in the file's order."""

Shared = dict[tuple[str, str, str], "_Question | Ask"]
"""What several rules ask in the same words, in the same place; an event is asked it once for all of them."""


class _Question:
    """A leaf made ready: what every value at `place` is asked, and whether one of them should say yes, or none.

    What several rules ask is asked `often`.
    """

    __slots__ = ("expected", "often", "one", "operator", "own", "place", "wants")

    def __init__(self, leaf: Leaf, own: str) -> None:
        self.own, self.place, self.often = own, leaf.path, False
        self.operator, self.expected = leaf.operator.value, shown(leaf.expected)
        self.one, self.wants = asking_each(leaf.operator, leaf.expected)


def match(rule: Rule, event: Event) -> Match:
    """Whether everything under the rule's `when` holds, with every finding in the file's order.

    What stands before it, `on` and `trust`, has findings of its own: `on` and `trust.guards`.
    """
    return matched(asked_of(rule), Reading(event))


def asked_of(rule: Rule, shared: Shared | None = None) -> Ask:
    """The rule's `when`, made ready to be asked of many events, together with rules that share what they ask."""
    return _ask(rule.when, "when", {} if shared is None else shared)


def matched(ask: Ask, reading: Reading, *before: Finding) -> Match:
    """Whether it holds of this event, with every finding; those from before stand first."""
    trace = [*before]
    held = ask(reading, trace)
    return Match(matched=held, trace=tuple(trace))


def on_matches(rule: Rule, event: Event) -> bool:
    """Whether one of the rule's globs fits `source/type`."""
    return like(f"{event.source}/{event.type}", rule.on)


def on(rule: Rule, event: Event) -> Finding:
    """The finding about `source/type`."""
    return about_on(rule.on, f"{event.source}/{event.type}")


def about_on(patterns: Sequence[str], rang: str) -> Finding:
    """The finding about `source/type` and the globs that it is held against."""
    return Finding(
        path="on",
        operator=Operator.GLOB.value,
        expected=list(patterns),
        actual=rang,
        held=like(rang, patterns),
    )


def key_of(rule: Rule, event: Event, reading: Reading | None = None) -> str | None:
    """The correlation key the rule gives this event. Raises `TemplateError` where it can't be made."""
    if rule.key is None:
        return None
    key = Template.parse(rule.key).render((reading or Reading(event)).plain)
    if not isinstance(key, str) or not all(key.partition(":")):
        raise TemplateError(f"{rule.key}: expected a key such as issue:7, got {key!r}")
    if len(key) > LONGEST_KEY:
        said = f"expected a key of at most {LONGEST_KEY} characters, got {len(key)}"
        raise TemplateError(f"{rule.key}: {said}")
    return key


def inputs_of(rule: Rule, event: Event, reading: Reading | None = None) -> dict[str, Any]:
    """The playbook's inputs for this event. Raises `TemplateError` where one can't be made."""
    scope = (reading or Reading(event)).plain
    return {name: render_tree(value, scope) for name, value in rule.with_.items()}


def _ask(condition: Condition, path: str, shared: Shared) -> Ask:
    return _all(_parts(condition, path, shared))


def _parts(condition: Condition, path: str, shared: Shared) -> list[_Question | Ask]:
    """What must all hold, in the file's order."""
    match condition:
        case Leaf():
            return [_leaf(condition, path, shared)]
        case Cel():
            return [_cel(condition, path, shared)]
        case All(conditions, listed):
            places = [f"{path}.all[{n}]" if listed else path for n in range(len(conditions))]
            inside = zip(conditions, places, strict=True)
            return [part for each, place in inside for part in _parts(each, place, shared)]
        case Any_():
            asks = _numbered(condition.conditions, f"{path}.any", shared)
            return [_counted(asks, f"{path}.any", expected="at least one")]
        case Not(Any_(conditions)):  # a list under `not`: none of them may hold
            asks = _numbered(conditions, f"{path}.not", shared)
            return [_counted(asks, f"{path}.not", expected="none of these")]
        case Not(inner):
            return [
                _counted(
                    [_ask(inner, f"{path}.not", shared)], f"{path}.not", expected="none of these"
                )
            ]


def _leaf(leaf: Leaf, path: str, shared: Shared) -> "_Question | Ask":
    own = f"{path}.{leaf.path}"
    place = (own, leaf.operator.value, repr(leaf.expected))
    known = shared.get(place)
    if known is None:
        return shared.setdefault(place, _Question(leaf, own))
    if isinstance(known, _Question):
        known.often = True
    return known


def _cel(cel: Cel, path: str, shared: Shared) -> "_Question | Ask":
    own, expression = f"{path}.cel", Expression.compile(cel.expression)

    def find(reading: Reading) -> Finding:
        held, because = expression.holds(reading.values)
        return Finding(
            path=own, operator="cel", expected=cel.expression, actual=because or held, held=held
        )

    return shared.setdefault((own, "cel", cel.expression), _once(find))


def _once(find: Callable[[Reading], Finding]) -> Ask:
    """Ask an event, and from then on know what it said."""

    def ask(reading: Reading, trace: list[Finding]) -> bool:
        finding = reading.findings.get(find)
        if finding is None:
            finding = reading.findings[find] = find(reading)
        trace.append(finding)
        return finding.held

    return ask


def _all(parts: Sequence[_Question | Ask]) -> Ask:
    """All of these, asked one after the other in one loop: an event asks hundreds of rules."""
    plan: list[Any] = []

    def ask(reading: Reading, trace: list[Finding]) -> bool:
        if not plan:
            # Only now is it known what other rules ask too.
            plan.extend(map(_planned, parts))
        held, found, findings = True, reading.found, reading.findings
        for often, place, one, wants, own, operator, expected in plan:
            if place is None:
                held = one(reading, trace) and held
                continue
            finding = None if often is None else findings.get(often)
            if finding is None:
                values, actual = found.get(place) or reading.at(place)
                yes = one(values[0]) if len(values) == 1 else any(map(one, values))
                finding = Finding(
                    path=own, operator=operator, expected=expected, actual=actual, held=yes is wants
                )
                if often is not None:
                    findings[often] = finding
            trace.append(finding)
            held = held and finding.held
        return held

    return ask


def _planned(part: _Question | Ask) -> tuple[Any, ...]:
    if not isinstance(part, _Question):
        return None, None, part, None, "", "", None
    often = part if part.often else None
    return often, part.place, part.one, part.wants, part.own, part.operator, part.expected


def _counted(asks: Sequence[Ask], path: str, expected: str) -> Ask:
    """A group with a finding of its own, which stands before those of its members."""
    operator = path.rpartition(".")[2]
    none = operator == "not"

    def ask(reading: Reading, trace: list[Finding]) -> bool:
        inside: list[Finding] = []
        count = sum([each(reading, inside) for each in asks])
        held = (count == 0) is none
        trace.append(
            Finding(path=path, operator=operator, expected=expected, actual=count, held=held)
        )
        trace += inside
        return held

    return ask


def _numbered(conditions: Sequence[Condition], path: str, shared: Shared) -> list[Ask]:
    return [
        _ask(condition, f"{path}[{index}]", shared) for index, condition in enumerate(conditions)
    ]
