"""Input schemas the Messages API accepts, made from what MCP servers publish; it knows no tool and no server."""

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import lru_cache, partial
from itertools import count
from typing import Any, Final
from urllib.parse import unquote

from jsonschema import Draft202012Validator, FormatChecker, SchemaError

_NAMED = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
_DATA = frozenset({"const", "default", "enum", "example", "examples", "required"})
_COMBINATORS = ("allOf", "anyOf", "oneOf")
_DROPPED = frozenset({"$schema", "$id", "id", "$dynamicRef"})
_DEFINITION = re.compile(r"#/(\$defs|definitions)/[^/%]+")
_NO_FORMATS: Final = FormatChecker(formats=())
"""A pattern in another language's words is still a schema."""
_PROPERTY = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
_REMEMBERED: Final = 65_536
"""Characters up to which a schema is remembered as judged: every opening of a run brings the same ones."""
_HEAVIEST: Final = 10_000
"""Schemas that one reference may hold one and the same value against."""


def repair(schema: Any) -> dict[str, Any]:
    """An input schema the Messages API accepts: an object, nothing combined at the top, all references local.

    The server still validates what it's sent; a repaired schema may only say less, never something else.

    Raises:
        ValueError: where no such schema exists; the text says why.
    """
    try:
        return _repaired(schema)
    except RecursionError:
        raise ValueError("expected a schema of bearable depth, got one nested too deeply") from None


def _repaired(schema: Any) -> dict[str, Any]:
    if schema is None or schema is True or schema == {}:
        return {"type": "object", "properties": {}}
    root = _modern(_mapping("a JSON Schema object", schema))
    merged = _merged(root, root, seen=set())
    if merged.get("type", "object") != "object" and "object" not in merged["type"]:
        raise ValueError(f"expected arguments of type 'object', got type {merged['type']!r}")
    merged |= {"type": "object", "properties": _properties(merged)}
    _check(merged)
    return _followed(_standing_alone(merged, root))


def _mapping(expected: str, value: Any) -> Mapping[str, Any]:
    match value:
        case Mapping():
            return value
        case _:
            raise ValueError(f"expected {expected}, got {value!r}")


def _modern(node: Any) -> Any:
    """The same schema in the words of draft 2020-12, where older drafts said it otherwise."""
    return _changed(node, lambda one: _readable(_renamed(one)))


def _changed(node: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """The same schema with every schema in it changed; what is data stays."""
    match node:
        case list():
            return [_changed(item, change) for item in node]
        case Mapping():
            changed = change(dict(node))
            return {key: _keyword(key, value, change) for key, value in changed.items()}
        case _:
            return node


def _keyword(key: str, value: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    if key in _DATA:
        return value
    if key in _NAMED and isinstance(value, Mapping):
        return {name: _changed(child, change) for name, child in value.items()}
    return _changed(value, change)


def _renamed(node: dict[str, Any]) -> dict[str, Any]:
    node = {key: value for key, value in node.items() if key not in _DROPPED}
    if isinstance(node.get("items"), list):
        node["prefixItems"] = node.pop("items")
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        flag = node.get(exclusive)
        if isinstance(flag, bool):
            del node[exclusive]
            if flag and bound in node:
                node[exclusive] = node.pop(bound)
    return node


def _readable(node: dict[str, Any]) -> dict[str, Any]:
    """Without patterns in another language's words, which an API may refuse with all that is asked; they are told."""
    pattern, named = node.get("pattern"), node.get("patternProperties")
    if isinstance(pattern, str) and not _is_regex(pattern):
        del node["pattern"]
        node["description"] = f"{node.get('description', '')} Pattern: {pattern}".strip()
    if isinstance(named, Mapping) and not all(map(_is_regex, named)):
        node["patternProperties"] = {name: one for name, one in named.items() if _is_regex(name)}
        node["additionalProperties"] = True
    return node


def _is_regex(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        return False
    return True


def _merged(node: Mapping[str, Any], root: Mapping[str, Any], *, seen: set[str]) -> dict[str, Any]:
    """One flat object schema from a node whose top is a reference or a combination.

    Each reference is followed once: a second time could add nothing but, in a hostile schema, time.
    """
    flat = {key: value for key, value in node.items() if key not in (*_COMBINATORS, "$ref")}
    reference = node.get("$ref")
    if isinstance(reference, str) and reference not in seen:
        seen.add(reference)
        flat = _joined(flat, _merged(_target(root, reference), root, seen=seen), required=True)
    for combinator in _COMBINATORS:
        for branch in node.get(combinator) or ():
            if isinstance(branch, Mapping):
                part = _merged(branch, root, seen=seen)
                flat = _joined(flat, part, required=combinator == "allOf")
    return flat


def _joined(flat: dict[str, Any], part: Mapping[str, Any], *, required: bool) -> dict[str, Any]:
    properties = dict(flat.get("properties") or {})
    for name, schema in (part.get("properties") or {}).items():
        properties[name] = _either(properties[name], schema) if name in properties else schema
    needed = [*(flat.get("required") or ()), *((part.get("required") or ()) if required else ())]
    inherited = {key: part[key] for key in ("type", "description", "$defs") if key in part}
    joined = inherited | flat | {"properties": properties, "required": list(dict.fromkeys(needed))}
    # What one branch forbids another may name: merged, only the server can tell.
    return {key: value for key, value in joined.items() if key != "additionalProperties"}


def _either(one: Any, other: Any) -> Any:
    if one == other:
        return one
    known = one["anyOf"] if isinstance(one, Mapping) and set(one) == {"anyOf"} else [one]
    return {"anyOf": known if other in known else [*known, other]}


def _properties(schema: Mapping[str, Any]) -> dict[str, Any]:
    properties = _mapping("properties to be a mapping", schema.get("properties") or {})
    bad = [name for name in properties if not _PROPERTY.fullmatch(name)]
    if needed := [name for name in bad if name in (schema.get("required") or ())]:
        raise ValueError(f"required argument {needed[0]!r} has a name the Messages API refuses")
    return {name: value for name, value in properties.items() if name not in bad}


def _check(schema: Mapping[str, Any]) -> None:
    text = json.dumps(schema)
    judge = _judged if len(text) <= _REMEMBERED else _judged.__wrapped__
    if wrong := judge(text):
        raise ValueError(f"not a valid JSON Schema at {wrong}")


@lru_cache(maxsize=512)
def _judged(text: str) -> str | None:
    """Where a schema breaks JSON Schema's own, and how; it takes milliseconds each time it's asked anew."""
    try:
        Draft202012Validator.check_schema(json.loads(text), format_checker=_NO_FORMATS)
    except SchemaError as wrong:
        return f"{wrong.json_path}: {wrong.message}"
    return None


def _standing_alone(schema: dict[str, Any], root: Mapping[str, Any]) -> dict[str, Any]:
    """References lead to definitions only: an argument may be taken away or limited, and no other goes with it."""
    definitions, moved = dict(schema.get("$defs") or {}), dict[str, str]()
    waiting = [*_references(schema)]
    while waiting:
        reference = waiting.pop()
        if reference not in moved and not _DEFINITION.fullmatch(reference):
            name, target = _unused(reference, definitions), _modern(_copied(root, reference))
            definitions[name], moved[reference] = target, f"#/$defs/{name}"
            waiting += _references(target)
    if not moved:
        return schema
    alone: dict[str, Any] = _changed(
        {**schema, "$defs": definitions}, partial(_redirected, moved=moved)
    )
    _check(alone)
    return alone


def _copied(root: Mapping[str, Any], reference: str) -> Mapping[str, Any]:
    target = _target(root, reference)
    inside = ("$defs", "definitions") if target is root else ()
    return {key: value for key, value in target.items() if key not in inside}


def _unused(reference: str, taken: Collection[str]) -> str:
    name = re.sub(r"[^A-Za-z0-9_]+", "_", reference).strip("_") or "arguments"
    return next(one for n in count(1) if (one := name if n == 1 else f"{name}_{n}") not in taken)


def _redirected(node: dict[str, Any], moved: Mapping[str, str]) -> dict[str, Any]:
    reference = node.get("$ref")
    found = moved.get(reference) if isinstance(reference, str) else None
    return node if found is None else {**node, "$ref": found}


def _followed(schema: dict[str, Any]) -> dict[str, Any]:
    """The same schema, where all references lead to something, and none that is reached leads only to itself."""
    known, seen = dict[str, int | None](), set[str]()
    for reference in _references(schema):
        _target(schema, reference)
    waiting = [*_references({**schema, "$defs": {}, "definitions": {}})]
    while waiting:
        reference = waiting.pop()
        if reference not in seen:
            seen.add(reference)
            _weight({"$ref": reference}, schema, known)
            waiting += _references(_target(schema, reference))
    return schema


def _weight(node: Any, root: Mapping[str, Any], known: dict[str, int | None]) -> int:
    """How many schemas hold for the very value that this one holds for; None is known of what is being counted."""
    if not isinstance(node, Mapping):
        return 1
    total = 1 + sum(_weight(one, root, known) for one in _beside(node))
    if isinstance(reference := node.get("$ref"), str):
        if reference not in known:
            known[reference] = None
            known[reference] = _weight(_target(root, reference), root, known)
        if (more := known[reference]) is None:
            raise ValueError(f"the reference {reference!r} leads only to itself")
        total += more
    if total > _HEAVIEST:
        raise ValueError("its references multiply beyond what can be checked")
    return total


def _beside(node: Mapping[str, Any]) -> Iterator[Any]:
    """The schemas within one that hold for the same value, not for a part of it."""
    for word in _COMBINATORS:
        yield from node.get(word) or ()
    yield from (node[word] for word in ("not", "if", "then", "else") if word in node)
    yield from (node.get("dependentSchemas") or {}).values()


def _references(node: Any) -> Iterator[str]:
    match node:
        case list():
            for item in node:
                yield from _references(item)
        case Mapping():
            if isinstance(node.get("$ref"), str):
                yield node["$ref"]
            for key, value in node.items():
                if key in _NAMED and isinstance(value, Mapping):
                    yield from _references([*value.values()])
                elif key not in _DATA:
                    yield from _references(value)
        case _:
            return


def _target(root: Mapping[str, Any], reference: str) -> Mapping[str, Any]:
    # Only inside the document: a reference elsewhere would make a validator fetch what a stranger named.
    if reference == "#":
        return root
    node: Any = root
    for step in unquote(reference).removeprefix("#/").split("/"):
        step = step.replace("~1", "/").replace("~0", "~")  # noqa: PLW2901 - RFC 6901's unescaping
        if not reference.startswith("#/") or not _has(node, step):
            raise ValueError(f"expected a reference inside the schema, got {reference!r}")
        node = node[int(step)] if isinstance(node, list) else node[step]
    return node if isinstance(node, Mapping) else {}


def _has(node: Any, step: str) -> bool:
    if isinstance(node, list):
        return step.isdecimal() and step.isascii() and int(step) < len(node)
    return isinstance(node, Mapping) and step in node
