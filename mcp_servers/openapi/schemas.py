"""Schemas of an OpenAPI description as JSON Schema that stands alone; it knows no operation."""

import re
from collections.abc import Mapping
from typing import Any, Final

from mcp_servers.openapi.document import followed, mapping, target

_DROPPED: Final = frozenset(
    {"discriminator", "xml", "externalDocs", "example", "examples", "nullable"}
)
DEEPEST_WHOLE: Final = 10
"""Objects that are made of objects; what goes deeper is one argument instead of many."""
_NAMED: Final = frozenset({"properties", "patternProperties", "dependentSchemas"})
_DATA: Final = frozenset({"const", "default", "enum", "required"})


class Schemas:
    """Converts the schemas of one tool, and collects under `definitions` what they refer to.

    What only a response may hold (`readOnly`) is left out of what is sent.
    """

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._names: dict[str, str] = {}
        self.definitions: dict[str, Any] = {}

    def converted(self, node: Any) -> Any:
        """The same schema in the words of draft 2020-12, its references into `$defs`. Raises `Unusable`."""
        match node:
            case list():
                return [self.converted(one) for one in node]
            case Mapping():
                return self._object(node)
            case _:
                return node

    def _object(self, node: Mapping[str, Any]) -> dict[str, Any]:
        said = {
            key: value
            for key, value in node.items()
            if key not in _DROPPED and not key.startswith("x-")
        }
        said = _writable(_bounded(said))
        found = {key: self._keyword(key, value) for key, value in said.items()}
        return _nullable(found) if node.get("nullable") is True else found

    def _keyword(self, key: str, value: Any) -> Any:
        if key in _DATA:
            return value
        if key == "$ref" and isinstance(value, str):
            return f"#/$defs/{self._defined(value)}"
        if key in _NAMED:
            return {name: self.converted(one) for name, one in mapping(value).items()}
        return self.converted(value)

    def _defined(self, reference: str) -> str:
        if reference not in self._names:
            name = _fresh(reference, self.definitions)
            # The name is taken before the schema is read: one that holds itself would never end.
            self._names[reference], self.definitions[name] = name, {}
            self.definitions[name] = self.converted(target(self._root, reference))
        return self._names[reference]

    def fields(self, node: Any, depth: int = 0) -> tuple[dict[str, Any], list[str]] | None:
        """The fields of an object and which it needs, before they are converted; None where it is none.

        One that must be another's as well (`allOf`) is read together with it.
        """
        found = followed(self._root, node)
        if depth > DEEPEST_WHOLE or "oneOf" in found or "anyOf" in found:
            return None
        properties = dict(mapping(found.get("properties")))
        required = list(found.get("required") or ())
        for part in found.get("allOf") or ():
            inner = self.fields(part, depth + 1)
            if inner is None:
                return None
            properties |= inner[0]
            required += inner[1]
        return _kept(properties, required) if properties else None


def _kept(properties: dict[str, Any], required: list[str]) -> tuple[dict[str, Any], list[str]]:
    written = {name: one for name, one in properties.items() if not mapping(one).get("readOnly")}
    return written, [name for name in dict.fromkeys(required) if name in written]


def _writable(node: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(node.get("properties"), Mapping):
        return node
    known = node["properties"]
    # A name that is required but not described here may be described beside it.
    silent = [name for name in node.get("required") or () if name not in known]
    properties, required = _kept(dict(known), list(node.get("required") or ()))
    needed = {"required": required + silent} if "required" in node else {}
    return {**node, "properties": properties, **needed}


def _bounded(node: dict[str, Any]) -> dict[str, Any]:
    """OpenAPI 3.0 says with a flag what later drafts say with a number."""
    found = dict(node)
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        flag = found.get(exclusive)
        if isinstance(flag, bool):
            del found[exclusive]
            if flag and bound in found:
                found[exclusive] = found.pop(bound)
    return found


def _nullable(node: dict[str, Any]) -> dict[str, Any]:
    kind = node.get("type")
    if not isinstance(kind, str):
        return {"anyOf": [node, {"type": "null"}]}
    values = {"enum": [*node["enum"], None]} if None not in node.get("enum", [None]) else {}
    return {**node, "type": [kind, "null"], **values}


def _fresh(reference: str, taken: Mapping[str, Any]) -> str:
    base = re.sub(r"[^A-Za-z0-9_.-]", "_", reference.rpartition("/")[2]) or "schema"
    name, number = base, 1
    while name in taken:
        number += 1
        name = f"{base}_{number}"
    return name
