"""An OpenAPI description as plain values: its version, its address and what a reference means; it opens no file."""

import json
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

DEEPEST: Final = 100
"""References that lead to references; whoever has more has a circle."""


class Unusable(Exception):
    """A description, or a flag, that no server can be made of: the operator must mend it."""


def document(text: str) -> Mapping[str, Any]:
    """The description in a YAML or JSON text. Raises `Unusable`."""
    try:
        read = (
            json.loads(text) if text.lstrip()[:1] == "{" else YAML(typ="safe", pure=True).load(text)
        )
    except (ValueError, YAMLError) as error:
        raise Unusable(f"expected YAML or JSON: {str(error).partition(chr(10))[0]}") from None
    found = plain(read)
    if not isinstance(found, Mapping):
        raise Unusable("expected an OpenAPI description, got a text that is no mapping")
    version = str(found.get("openapi", ""))
    if not version.startswith("3."):
        told = (
            f"swagger: {found['swagger']}"
            if "swagger" in found
            else f"openapi: {version or 'nothing'}"
        )
        raise Unusable(f"expected `openapi: 3.x`, got `{told}`: convert it to OpenAPI 3 first")
    return found


def plain(value: Any) -> Any:
    """The value with words as keys and without YAML's dates: only what JSON knows."""
    match value:
        case Mapping():
            return {str(key): plain(one) for key, one in value.items()}
        case list():
            return [plain(one) for one in value]
        case date():
            return value.isoformat()
        case _:
            return value


def mapping(value: Any) -> Mapping[str, Any]:
    """The value where it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def followed(root: Mapping[str, Any], node: Any) -> Mapping[str, Any]:
    """What a node is, its references followed to their end. Raises `Unusable`."""
    for _ in range(DEEPEST):
        reference = mapping(node).get("$ref")
        if not isinstance(reference, str):
            return mapping(node)
        node = target(root, reference)
    raise Unusable(f"expected references that end somewhere, got the circle at {node!r}")


def target(root: Mapping[str, Any], reference: str) -> Any:
    """What a reference inside the description names. Raises `Unusable`."""
    if not reference.startswith("#/"):
        raise Unusable(
            f"expected a reference inside the file, got {reference!r}: bundle the files into one"
        )
    node: Any = root
    for step in reference.removeprefix("#/").split("/"):
        name = step.replace("~1", "/").replace("~0", "~")
        if not isinstance(node, Mapping) or name not in node:
            raise Unusable(f"the reference {reference!r} leads nowhere")
        node = node[name]
    return node


def address(root: Mapping[str, Any]) -> str | None:
    """Where the API says it is, its variables at their defaults; None where that is no whole address."""
    servers = root.get("servers")
    first = mapping(servers[0]) if isinstance(servers, list) and servers else {}
    url = str(first.get("url", ""))
    for name, variable in mapping(first.get("variables")).items():
        url = url.replace(f"{{{name}}}", str(mapping(variable).get("default", "")))
    return url if url.startswith(("http://", "https://")) else None
