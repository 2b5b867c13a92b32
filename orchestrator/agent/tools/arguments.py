"""What a playbook lets the arguments of a call be, and how their schema tells the model so; it calls nothing.

A policy is checked on the full arguments, bound ones included, and again just before a call leaves. What a call doesn't
give isn't checked, except where the tool's own default would break the policy, or where an amount has a bound and no
default is published: then it must be given.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from orchestrator.agent.hands.fitting import faults
from orchestrator.rules.operators import asks, same
from orchestrator.rules.rule import Operator
from workflows.playbook import Allowed

Policy = Mapping[str, Allowed]
"""By the argument's name."""

SHOWN: Final = 200
"""Characters of a value that a complaint repeats."""

# What we add to a text ourselves is none of the model's, so no pattern must foresee it.
_MARKER: Final = re.compile(r"\s*<!-- doorbell:[0-9a-z.]{1,60} -->\s*\Z")
_COMBINED: Final = ("anyOf", "oneOf", "allOf")


def breaches(policy: Policy, arguments: Mapping[str, Any], marked: str | None = None) -> list[str]:
    """What of the arguments isn't allowed, one line each; `marked` is the one that has our marker at its end."""
    return [
        f"{name}: expected {words(allowed)}, got {_told(wrong)}"
        for name, allowed in policy.items()
        if name in arguments
        for wrong in _wrong(allowed, _unmarked(arguments[name], marked=name == marked))
    ]


def left_out(policy: Policy, schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> list[str]:
    """What isn't given and must be, one line each; arguments that the tool doesn't have can't be."""
    properties = schema["properties"]
    return [
        f"{name}: expected {words(allowed)}, got nothing"
        for name, allowed in policy.items()
        if name in properties and name not in arguments
        if _must_be_given(properties[name], allowed)
    ]


def as_said(arguments: Mapping[str, Any], marked: str | None) -> dict[str, Any]:
    """These arguments as they were said, without our marker at the end of the one that has it."""
    return {name: _unmarked(value, marked=name == marked) for name, value in arguments.items()}


def crowded(schema: Mapping[str, Any], arguments: Mapping[str, Any], marked: str | None) -> str:
    """That our marker has no room behind a text, in words for the model; empty where it has."""
    text, prop = arguments.get(marked or ""), schema["properties"].get(marked)
    most = prop.get("maxLength") if isinstance(prop, Mapping) else None
    if not isinstance(text, str) or not isinstance(most, int) or len(text) <= most:
        return ""
    said = len(_unmarked(text, marked=True))
    ours = len(text) - said
    room = f"{max(most - ours, 0)} characters at most, for {ours} of {most} are ours"
    return f"{marked}: expected {room}, got {said}"


def narrowed(schema: Mapping[str, Any], policy: Policy) -> dict[str, Any]:
    """The same schema of an object, with what the policy allows in it; nothing that isn't allowed fits by default."""
    properties = dict(schema["properties"])
    required = list(schema.get("required") or ())
    for name, allowed in policy.items():
        if name in properties:
            told = _narrowed(properties[name], allowed, _definitions(schema))
            if _must_be_given(told, allowed):
                told.pop("default", None)
                required += [] if name in required else [name]
            properties[name] = told
    changed = {**schema, "properties": properties}
    return {**changed, "required": required} if required else changed


def misfits(
    policy: Policy, schema: Mapping[str, Any], bound: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """Which arguments the tool doesn't have, or could never be given, or are bound to what isn't allowed; and why."""
    for name, allowed in policy.items():
        if name not in schema["properties"]:
            yield name, "the tool has no such argument"
            continue
        if name in bound:
            for line in breaches({name: allowed}, bound):
                yield name, f"`bind` gives it another value: {line}"
        elif allowed.values is not None:
            fitting = _fitting(schema["properties"][name], allowed.values, _definitions(schema))
            if not fitting:
                yield name, f"its schema takes none of {_listed(allowed.values)}"


def words(allowed: Allowed) -> str:
    """What is allowed, for the model and for people."""
    said = []
    if allowed.values is not None:
        said.append(f"one of {_listed(allowed.values)}")
    if allowed.pattern is not None:
        said.append(f"text that matches {allowed.pattern} as a whole")
    if allowed.at_most is not None:
        said.append(f"a number of at most {allowed.at_most:g}")
    return " and ".join(said)


def _wrong(allowed: Allowed, value: Any) -> Iterator[Any]:
    """The value, or those of a list, that aren't allowed."""
    each = value if isinstance(value, list | tuple) else (value,)
    return (one for one in each if not _fits(allowed, one))


def _unmarked(value: Any, *, marked: bool) -> Any:
    return _MARKER.sub("", value) if marked and isinstance(value, str) else value


def _fits(allowed: Allowed, value: Any) -> bool:
    if allowed.values is not None and not any(same(value, one) for one in allowed.values):
        return False
    if allowed.pattern is not None and not _matches(allowed.pattern, value):
        return False
    return allowed.at_most is None or _is_at_most(value, allowed.at_most)


def _matches(pattern: str, value: Any) -> bool:
    if not isinstance(value, str):
        return False
    return asks(Operator.REGEX, rf"\A(?:{pattern})\z", [value])


def _is_at_most(value: Any, most: float) -> bool:
    # What is no number is neither more nor less, and what has no end can't be sent.
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return (isinstance(value, int) or math.isfinite(value)) and value <= most


def _narrowed(prop: Any, allowed: Allowed, definitions: Mapping[str, Any]) -> dict[str, Any]:
    told = dict(prop) if isinstance(prop, Mapping) else {}
    keywords: dict[str, Any] = {}
    if allowed.values is not None:
        keywords["enum"] = _fitting(prop, allowed.values, definitions)
    if allowed.at_most is not None:
        keywords["maximum"] = allowed.at_most
    is_list = told.get("type") in ("array", ["array", "null"], ["null", "array"])
    unclear = not is_list and {"array", None} & set(_kinds(told))
    if allowed.pattern is not None or unclear:
        # No pattern in a schema: those are matched by backtracking, and this text is the model's.
        told["description"] = f"{told.get('description', '')} Allowed: {words(allowed)}.".strip()
    if unclear:
        return told
    return _within(told, keywords) if is_list else _stricter(told, keywords)


def _within(prop: dict[str, Any], keywords: Mapping[str, Any]) -> dict[str, Any]:
    items = prop.get("items")
    return {**prop, "items": _stricter(items if isinstance(items, Mapping) else {}, keywords)}


def _stricter(prop: Mapping[str, Any], keywords: Mapping[str, Any]) -> dict[str, Any]:
    most = [one["maximum"] for one in (prop, keywords) if "maximum" in one]
    return {**prop, **keywords, **({"maximum": min(most)} if most else {})}


def _kinds(prop: Any) -> Iterator[str | None]:
    """Which types a schema may admit; None where that can't be told from it alone."""
    if not isinstance(prop, Mapping):
        return
    if "$ref" in prop:
        yield None
    kind = prop.get("type", ())
    yield from [kind] if isinstance(kind, str) else kind
    for combination in _COMBINED:
        for one in prop.get(combination) or ():
            yield from _kinds(one)


def _fitting(prop: Any, values: Sequence[Any], definitions: Mapping[str, Any]) -> list[Any]:
    """Those of the values that the schema of an argument takes, alone or in a list."""
    schema = {**definitions, "properties": {"it": prop}}
    return [one for one in values if any(not faults(schema, {"it": it}) for it in (one, [one]))]


def _must_be_given(prop: Mapping[str, Any], allowed: Allowed) -> bool:
    default = prop.get("default")
    if default is None:
        # Left out, an amount often means all there is: a refund without one is a whole one.
        return allowed.at_most is not None
    return any(True for _ in _wrong(allowed, default))


def _definitions(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {key: schema[key] for key in ("$defs", "definitions") if key in schema}


def _listed(values: Iterable[Any]) -> str:
    return ", ".join(map(_told, values))


def _told(value: Any) -> str:
    said = repr(value)
    return said if len(said) <= SHOWN else f"{said[: SHOWN - 1]}…"
