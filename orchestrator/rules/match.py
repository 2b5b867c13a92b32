"""Whether a rule wants an event, and why; pure and total: no JSON that is an event makes it raise.

Nothing is short-circuited: every leaf under `when:` is asked and recorded, so `why` can show all of it.
"""

from collections.abc import Callable, Sequence
from typing import Any

from orchestrator.events import Event
from orchestrator.expressions import Expression
from orchestrator.rules.operators import asking, like
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

Ask = Callable[[Reading, list[Finding]], bool]
"""Whether something holds of an event; its findings are put at the end of the list, in the file's order."""

Shared = dict[tuple[str, str, str], Ask]
"""What several rules ask in the same words, in the same place; an event is asked it once for all of them."""


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
    return key


def inputs_of(rule: Rule, event: Event, reading: Reading | None = None) -> dict[str, Any]:
    """The playbook's inputs for this event. Raises `TemplateError` where one can't be made."""
    scope = (reading or Reading(event)).plain
    return {name: render_tree(value, scope) for name, value in rule.with_.items()}


def _ask(condition: Condition, path: str, shared: Shared) -> Ask:
    match condition:
        case Leaf():
            return _leaf(condition, path, shared)
        case Cel():
            return _cel(condition, path, shared)
        case All():
            return _all(condition, path, shared)
        case Any_():
            places = _numbered(condition.conditions, f"{path}.any", shared)
            return _counted(places, f"{path}.any", expected="at least one")
        case Not(Any_(conditions)):  # a list under `not`: none of them may hold
            return _counted(_numbered(conditions, f"{path}.not", shared), f"{path}.not", expected=0)
        case Not(inner):
            return _counted([_ask(inner, f"{path}.not", shared)], f"{path}.not", expected=0)


def _leaf(leaf: Leaf, path: str, shared: Shared) -> Ask:
    own, operator, expected = f"{path}.{leaf.path}", leaf.operator.value, shown(leaf.expected)
    place, question = leaf.path, asking(leaf.operator, leaf.expected)

    def find(reading: Reading) -> Finding:
        values, actual = reading.at(place)
        return Finding(
            path=own, operator=operator, expected=expected, actual=actual, held=question(values)
        )

    return shared.setdefault((own, operator, repr(leaf.expected)), _once(find))


def _cel(cel: Cel, path: str, shared: Shared) -> Ask:
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


def _all(group: All, path: str, shared: Shared) -> Ask:
    asks = (
        _numbered(group.conditions, f"{path}.all", shared)
        if group.listed
        else [_ask(condition, path, shared) for condition in group.conditions]
    )
    if len(asks) == 1:
        return asks[0]

    def ask(reading: Reading, trace: list[Finding]) -> bool:
        held = True
        for each in asks:
            if not each(reading, trace):
                held = False
        return held

    return ask


def _counted(asks: Sequence[Ask], path: str, expected: Any) -> Ask:
    """A group with a finding of its own, which stands before those of its members."""
    operator, none = path.rpartition(".")[2], expected == 0

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
