"""Whether a rule wants an event, and why; pure and total: no JSON that is an event makes it raise.

Nothing is short-circuited: every leaf under `when:` is asked and recorded, so `why` can show all of it.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from orchestrator.events import Event
from orchestrator.expressions import Expression, ExpressionError
from orchestrator.rules.operators import asks, like
from orchestrator.rules.paths import values_at
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

MISSING = "(missing)"
"""What a finding shows as the actual value where the path leads nowhere."""

SHOWN_TEXT = 200
SHOWN_ITEMS = 10

Findings = Iterator[Finding]


def match(rule: Rule, event: Event) -> Match:
    """Whether everything under the rule's `when` holds, with every finding in the file's order.

    What stands before it, `on` and `trust`, has findings of its own: `on` and `trusted`.
    """
    held, findings = _ask(rule.when, "when", event.scope())
    return Match(matched=held, trace=tuple(findings))


def on_matches(rule: Rule, event: Event) -> bool:
    """Whether one of the rule's globs fits `source/type`."""
    return like(f"{event.source}/{event.type}", rule.on)


def on(rule: Rule, event: Event) -> Finding:
    """The finding about `source/type`."""
    return Finding(
        path="on",
        operator=Operator.GLOB.value,
        expected=list(rule.on),
        actual=f"{event.source}/{event.type}",
        held=on_matches(rule, event),
    )


def trusted(rule: Rule, event: Event, own_actors: frozenset[str]) -> Finding | None:
    """Why the one who acted may start nothing here, or None where they may.

    Ourselves (by id, or by login in any case) never, unless `ignore_self: false`; a bot only by its exact login.
    """
    actor = event.actor
    if actor is None:
        return None
    names = {name.casefold() for name in (actor.id, actor.login) if name}
    if rule.trust.ignore_self and names & {own.casefold() for own in own_actors}:
        return _distrust("trust.ignore_self", "not one of our own actors", actor.login or actor.id)
    if actor.bot and actor.login not in rule.trust.bots:
        return _distrust("trust.bots", sorted(rule.trust.bots), actor.login or actor.id)
    return None


def key_of(rule: Rule, event: Event) -> str | None:
    """The correlation key the rule gives this event. Raises `TemplateError` where it can't be made."""
    if rule.key is None:
        return None
    key = Template.parse(rule.key).render(event.scope())
    if not isinstance(key, str) or not all(key.partition(":")):
        raise TemplateError(f"{rule.key}: expected a key such as issue:7, got {key!r}")
    return key


def inputs_of(rule: Rule, event: Event) -> dict[str, Any]:
    """The playbook's inputs for this event. Raises `TemplateError` where one can't be made."""
    scope = event.scope()
    return {name: render_tree(value, scope) for name, value in rule.with_.items()}


def _ask(condition: Condition, path: str, scope: Mapping[str, Any]) -> tuple[bool, list[Finding]]:
    match condition:
        case Leaf():
            finding = _leaf(condition, path, scope["event"])
            return finding.held, [finding]
        case Cel():
            finding = _cel(condition, path, scope)
            return finding.held, [finding]
        case All():
            return _all(condition, path, scope)
        case Any_():
            return _any(condition, path, scope)
        case Not():
            return _not(condition, path, scope)


def _leaf(leaf: Leaf, path: str, payload: Any) -> Finding:
    values = values_at(payload, leaf.path)
    single = len(values) == 1 and "[*]" not in leaf.path
    return Finding(
        path=f"{path}.{leaf.path}",
        operator=leaf.operator.value,
        expected=_shown(leaf.expected),
        actual=MISSING if not values else _shown(values[0] if single else values),
        held=asks(leaf.operator, leaf.expected, values),
    )


def _cel(cel: Cel, path: str, scope: Mapping[str, Any]) -> Finding:
    try:
        held, because = _compiled(cel.expression).holds(scope)
    except ExpressionError as error:
        held, because = False, str(error)
    return Finding(
        path=f"{path}.cel",
        operator="cel",
        expected=cel.expression,
        actual=because or held,
        held=held,
    )


def _all(group: All, path: str, scope: Mapping[str, Any]) -> tuple[bool, list[Finding]]:
    asked = [
        _ask(condition, f"{path}.all[{index}]" if group.listed else path, scope)
        for index, condition in enumerate(group.conditions)
    ]
    return all(held for held, _ in asked), [finding for _, found in asked for finding in found]


def _any(group: Any_, path: str, scope: Mapping[str, Any]) -> tuple[bool, list[Finding]]:
    asked = [
        _ask(condition, f"{path}.any[{index}]", scope)
        for index, condition in enumerate(group.conditions)
    ]
    count = sum(held for held, _ in asked)
    own = Finding(
        path=f"{path}.any", operator="any", expected="at least one", actual=count, held=count > 0
    )
    return own.held, [own, *(finding for _, found in asked for finding in found)]


def _not(negation: Not, path: str, scope: Mapping[str, Any]) -> tuple[bool, list[Finding]]:
    inner = negation.condition
    if isinstance(inner, Any_):  # a list under `not`: none of them may hold
        asked = [
            _ask(condition, f"{path}.not[{index}]", scope)
            for index, condition in enumerate(inner.conditions)
        ]
    else:
        asked = [_ask(inner, f"{path}.not", scope)]
    count = sum(held for held, _ in asked)
    own = Finding(path=f"{path}.not", operator="not", expected=0, actual=count, held=count == 0)
    return own.held, [own, *(finding for _, found in asked for finding in found)]


def _distrust(path: str, expected: Any, actual: str | None) -> Finding:
    return Finding(path=path, operator="trust", expected=expected, actual=actual, held=False)


@lru_cache(maxsize=1024)
def _compiled(expression: str) -> Expression:
    return Expression.compile(expression)


def _shown(value: Any) -> Any:
    """A trace is kept for each event: a line of it stays small whatever the payload holds."""
    match value:
        case str() if len(value) > SHOWN_TEXT:
            return f"{value[:SHOWN_TEXT]}... ({len(value)} characters)"
        case Mapping():
            return f"(a mapping of {len(value)})"
        case list() | tuple():
            more = [f"... ({len(value)} values)"] if len(value) > SHOWN_ITEMS else []
            return [
                _shown(each) if not isinstance(each, list) else f"(a list of {len(each)})"
                for each in value[:SHOWN_ITEMS]
            ] + more
        case _:
            return value
