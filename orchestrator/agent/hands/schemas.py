"""Input schemas the Messages API accepts, made from what MCP servers publish; it knows no tool and no server."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from jsonschema import Draft202012Validator, SchemaError

_NAMED = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
_DATA = frozenset({"const", "default", "enum", "example", "examples", "required"})
_COMBINATORS = ("allOf", "anyOf", "oneOf")
_PROPERTY = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
_REMEMBERED: Final = 65_536
"""Characters up to which a schema is remembered as judged: every opening of a run brings the same ones."""


def repair(schema: Any) -> dict[str, Any]:
    """An input schema the Messages API accepts: an object, nothing combined at the top, all references local.

    The server still validates what it's sent; a repaired schema may only say less, never something else.

    Raises:
        ValueError: where no such schema exists; the text says why.
    """
    if schema is None or schema is True or schema == {}:
        return {"type": "object", "properties": {}}
    root = _modern(_mapping("a JSON Schema object", schema))
    merged = _merged(root, root, seen=set())
    if merged.get("type", "object") != "object" and "object" not in merged["type"]:
        raise ValueError(f"expected arguments of type 'object', got type {merged['type']!r}")
    merged |= {"type": "object", "properties": _properties(merged)}
    _check(merged)
    return merged


def _mapping(expected: str, value: Any) -> Mapping[str, Any]:
    match value:
        case Mapping():
            return value
        case _:
            raise ValueError(f"expected {expected}, got {value!r}")


def _modern(node: Any) -> Any:
    """The same schema in the words of draft 2020-12, where older drafts said it otherwise."""
    match node:
        case list():
            return [_modern(item) for item in node]
        case Mapping():
            kept = {
                key: value for key, value in node.items() if key not in {"$schema", "$id", "id"}
            }
            return {key: _keyword(key, value) for key, value in _renamed(kept).items()}
        case _:
            return node


def _renamed(node: dict[str, Any]) -> dict[str, Any]:
    if isinstance(node.get("items"), list):
        node["prefixItems"] = node.pop("items")
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        flag = node.get(exclusive)
        if isinstance(flag, bool):
            del node[exclusive]
            if flag and bound in node:
                node[exclusive] = node.pop(bound)
    return node


def _keyword(key: str, value: Any) -> Any:
    if key in _DATA:
        return value
    if key in _NAMED and isinstance(value, Mapping):
        return {name: _modern(child) for name, child in value.items()}
    return _modern(value)


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
    for reference in _references(schema):
        _target(schema, reference)


@lru_cache(maxsize=512)
def _judged(text: str) -> str | None:
    """Where a schema breaks JSON Schema's own, and how; it takes milliseconds each time it's asked anew."""
    try:
        Draft202012Validator.check_schema(json.loads(text))
    except SchemaError as wrong:
        return f"{wrong.json_path}: {wrong.message}"
    return None


def _references(node: Any) -> Iterator[str]:
    match node:
        case list():
            for item in node:
                yield from _references(item)
        case Mapping():
            if isinstance(node.get("$ref"), str):
                yield node["$ref"]
            for key, value in node.items():
                if key not in _DATA:
                    yield from _references(value)
        case _:
            return


def _target(root: Mapping[str, Any], reference: str) -> Mapping[str, Any]:
    # Only inside the document: a reference elsewhere would make a validator fetch what a stranger named.
    if reference == "#":
        return root
    node: Any = root
    for step in reference.removeprefix("#/").split("/"):
        step = step.replace("~1", "/").replace("~0", "~")  # noqa: PLW2901 - RFC 6901's unescaping
        if not reference.startswith("#/") or not isinstance(node, Mapping) or step not in node:
            raise ValueError(f"expected a reference inside the schema, got {reference!r}")
        node = node[step]
    return node if isinstance(node, Mapping) else {}
