"""The operations of a description that were named, as tools: arguments, places, annotations; it sends nothing."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final, Literal

from mcp_servers.openapi.document import Unusable, followed, mapping
from mcp_servers.openapi.schemas import Schemas

METHODS: Final = ("get", "head", "put", "delete", "post", "patch")
READS: Final = frozenset({"GET", "HEAD"})
REPEATABLE: Final = frozenset({"GET", "HEAD", "PUT", "DELETE"})
"""Methods of which HTTP says that many equal requests leave what one leaves (RFC 9110, 9.2.2)."""

Place = Literal["path", "query", "header", "field", "body"]
_PLACES: Final[Mapping[str, Place]] = {"path": "path", "query": "query", "header": "header"}
# https://spec.openapis.org/oas/v3.1.1#parameter-object: parameters of these names are to be ignored
_OURS: Final = frozenset({"accept", "content-type", "authorization"})
FORM: Final = "application/x-www-form-urlencoded"
LONGEST_NAME: Final = 64
LONGEST: Final = 1024
"""Characters of a description that the model is told of one tool."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """One argument of a tool: what the API calls it, where it goes and how it is written there."""

    name: str
    place: Place
    schema: Mapping[str, Any]
    required: bool
    style: str = "form"
    explode: bool = True
    as_json: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation as a tool: `arguments` by their names there, `media` is what its body is."""

    tool: str
    method: str
    path: str
    title: str
    about: str
    arguments: Mapping[str, Argument]
    media: str | None
    definitions: Mapping[str, Any]

    @property
    def schema(self) -> dict[str, Any]:
        """The tool's input schema, which stands alone."""
        required = [name for name, one in self.arguments.items() if one.required]
        return {
            "type": "object",
            "properties": {name: dict(one.schema) for name, one in self.arguments.items()},
            **({"required": required} if required else {}),
            "additionalProperties": False,
            **({"$defs": dict(self.definitions)} if self.definitions else {}),
        }


def operations(root: Mapping[str, Any], wanted: Sequence[str]) -> dict[str, Operation]:
    """The operations with these ids (or `METHOD /path` where they have none), by tool. Raises `Unusable`."""
    known = dict(_known(root))
    found: dict[str, Operation] = {}
    for name in wanted:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise Unusable(f"the description has no operation {name!r}{hint}")
        operation = _operation(root, tool_name(name), *known[name])
        if operation.tool in found:
            raise Unusable(f"two operations would be the tool {operation.tool!r}: leave one out")
        found[operation.tool] = operation
    return found


def tool_name(operation: str) -> str:
    """What the tool of an operation is called: its id, in the characters that tools may have."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", operation).strip("_")


def _known(root: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, str]]]:
    for path, there in mapping(root.get("paths")).items():
        for method, said in followed(root, there).items():
            if method in METHODS:
                own = mapping(said).get("operationId")
                yield str(own or f"{method.upper()} {path}"), (method, path)


def _operation(root: Mapping[str, Any], tool: str, method: str, path: str) -> Operation:
    there = followed(root, root["paths"][path])
    said = mapping(there[method])
    schemas = Schemas(root)
    arguments = dict(_parameters(root, schemas, there, said))
    media, body = _body(root, schemas, said, arguments)
    return Operation(
        tool=tool,
        method=method.upper(),
        path=path,
        title=str(said.get("summary") or tool),
        about=_about(method, path, said),
        arguments=arguments | body,
        media=media,
        definitions=schemas.definitions,
    )


def _about(method: str, path: str, said: Mapping[str, Any]) -> str:
    words = [str(said[key]).strip() for key in ("summary", "description") if said.get(key)]
    told = "\n".join(dict.fromkeys(words)) or f"{method.upper()} {path}"
    return told if len(told) <= LONGEST else f"{told[: LONGEST - 1]}…"


def _parameters(
    root: Mapping[str, Any], schemas: Schemas, there: Mapping[str, Any], said: Mapping[str, Any]
) -> Iterator[tuple[str, Argument]]:
    every: dict[tuple[str, str], Mapping[str, Any]] = {}
    for one in [*(there.get("parameters") or ()), *(said.get("parameters") or ())]:
        read = followed(root, one)
        every[str(read.get("name")), str(read.get("in"))] = read
    taken: set[str] = set()
    for (name, where), read in every.items():
        if where == "header" and name.lower() in _OURS:
            continue
        if where in _PLACES:
            argument = _safe(name) if _safe(name) not in taken else f"{_safe(name)}_{where}"
            taken.add(argument)
            yield argument, _parameter(schemas, name, _PLACES[where], read)
        elif read.get("required"):
            raise Unusable(f"the parameter {name!r} goes into a {where}, which is not supported")


def _parameter(schemas: Schemas, name: str, place: Place, read: Mapping[str, Any]) -> Argument:
    content = mapping(read.get("content"))
    inner = next(iter(content.values()), {}) if content else read
    style = str(read.get("style") or ("form" if place == "query" else "simple"))
    return Argument(
        name=name,
        place=place,
        schema=_told(schemas.converted(mapping(inner).get("schema") or {}), read),
        required=place == "path" or read.get("required") is True,
        style=style,
        explode=bool(read.get("explode", style == "form")),
        as_json=bool(content),
    )


def _told(schema: Any, read: Mapping[str, Any]) -> dict[str, Any]:
    words = read.get("description")
    return {**mapping(schema), **({"description": str(words).strip()} if words else {})}


def _body(
    root: Mapping[str, Any],
    schemas: Schemas,
    said: Mapping[str, Any],
    taken: Mapping[str, Argument],
) -> tuple[str | None, dict[str, Argument]]:
    """What the body is, and its arguments: its fields where they have names of their own, else the whole."""
    if "requestBody" not in said:
        return None, {}
    body = followed(root, said["requestBody"])
    media, content = _media(mapping(body.get("content")))
    schema = mapping(content).get("schema") or {}
    fields = None if media == "text/plain" else schemas.fields(schema)
    needed = body.get("required") is True
    safe = [] if fields is None else [_safe(field) for field in fields[0]]
    if fields is None or len({*taken, *safe}) < len(taken) + len(safe):
        name = "body" if "body" not in taken else "request_body"
        whole = _told(schemas.converted(schema), body)
        return media, {name: Argument(name=name, place="body", schema=whole, required=needed)}
    properties, required = fields
    return media, {
        _safe(name): Argument(
            name=name,
            place="field",
            schema=mapping(schemas.converted(one)),
            required=needed and name in required,
        )
        for name, one in properties.items()
    }


def _safe(name: str) -> str:
    """What an argument is called, in the characters that the names of arguments may have: `page[size]` is page_size."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", name).strip("_")[:LONGEST_NAME] or "value"


def _media(content: Mapping[str, Any]) -> tuple[str, Any]:
    for media, said in content.items():
        bare = media.partition(";")[0].strip().lower()
        if bare == "application/json" or bare.endswith("+json"):
            return bare, said
    for media in (FORM, "text/plain"):
        if media in content:
            return media, content[media]
    raise Unusable(
        f"expected a body of JSON, a form or plain text, got {', '.join(content) or 'nothing'}: leave the operation out"
    )
