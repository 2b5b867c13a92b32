"""`openapi:` in servers.yaml: an API's description as the child that serves it; it knows no schema and sends nothing.

The child (`mcp_servers.openapi`) reads the same file, and only if it is still the one that was checked here.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from orchestrator.configuration.document import Place
from orchestrator.configuration.server_shapes import ServerShape
from orchestrator.errors import Flaw
from orchestrator.rules.load import closest
from orchestrator.secrets import Secret
from workflows.playbook import Effect

REMEMBERED: Final = 32
"""Descriptions that aren't read again while their text is the same."""

_EFFECTS: Final[Mapping[str, Effect]] = {
    "get": Effect.READ,
    "head": Effect.READ,
    "put": Effect.WRITE,
    "delete": Effect.WRITE,
    "post": Effect.WRITE_ONCE,
    "patch": Effect.WRITE_ONCE,
}
"""What a method does; that PUT and DELETE may be repeated is HTTP's own promise (RFC 9110, 9.2.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What is read of a description here: the method of each operation by its name, and whether it says where it is."""

    methods: Mapping[str, str]
    addressed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Childhood:
    """How the child is started: its command, its environment, and what the methods of its operations say."""

    command: tuple[str, ...]
    env: Mapping[str, str | Secret]
    effects: Mapping[str, Effect]


def openapi_flaws(shape: ServerShape, texts: Mapping[str, str], at: Place) -> Iterator[Flaw]:
    """Everything that is wrong with a server that is described."""
    file = _file(shape)
    if not shape.operations:
        yield Flaw(at, "expected `operations:`, the ids of those that may be called", key=True)
    if shape.auth is not None and shape.auth.oauth is not None:
        yield Flaw(
            (*at, "auth", "oauth"), "expected `bearer` beside `openapi:`, got `oauth`", key=True
        )
    if file not in texts:
        said = "expected a file of this directory, named *.openapi.yaml or *.openapi.json"
        yield Flaw((*at, "openapi"), f"{said}, got {shape.openapi!r}{closest(file, texts)}")
        return
    try:
        found = described(texts[file])
    except ValueError as error:
        yield Flaw((*at, "openapi"), f"{file}: {error}")
        return
    yield from _misnamed(shape, found, at)
    if shape.base_url is None and not found.addressed:
        said = f"expected `base_url:`: {file} has no whole address under `servers:`"
        yield Flaw(at, said, key=True)


def _misnamed(shape: ServerShape, found: Described, at: Place) -> Iterator[Flaw]:
    tools: set[str] = set()
    for index, name in enumerate(shape.operations or ()):
        if name not in found.methods:
            said = f"{_file(shape)} has no operation {name!r}{closest(name, found.methods)}"
            yield Flaw((*at, "operations", index), said)
        if tool_name(name) in tools:
            yield Flaw((*at, "operations", index), f"the tool {tool_name(name)!r} is there already")
        tools.add(tool_name(name))
    for name in shape.tools:
        if name not in tools:
            said = f"no operation under `operations:` is the tool {name!r}{closest(name, tools)}"
            yield Flaw((*at, "tools", name), said, key=True)


def childhood(
    shape: ServerShape,
    texts: Mapping[str, str],
    bearer: Secret | None,
    headers: Mapping[str, str | Secret],
) -> Childhood:
    """The child of a server without flaws; it is started in the configuration's directory."""
    file, wanted = _file(shape), shape.operations or []
    variables = {name: f"OPENAPI_HEADER_{number}" for number, name in enumerate(sorted(headers), 1)}
    # Arguments are seen by every user of the machine: there stand names, and the values in the environment.
    flags = [word for name in variables for word in ("--header", f"{name}={variables[name]}")]
    base = [] if shape.base_url is None else ["--base-url", shape.base_url]
    methods = described(texts[file]).methods
    return Childhood(
        # Without -P, a directory of the configuration could stand before the program's own.
        command=(
            *(sys.executable, "-P", "-m", "mcp_servers.openapi", file),
            *(*base, *flags, "--operations", *wanted),
        ),
        env={
            "OPENAPI_SHA256": _digest(texts[file]),
            **({} if bearer is None else {"OPENAPI_BEARER": bearer}),
            **{variables[name]: value for name, value in headers.items()},
        },
        effects={tool_name(name): _EFFECTS[methods[name]] for name in wanted},
    )


def tool_name(operation: str) -> str:
    """What the tool of an operation is called: its id, in the characters that tools may have."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", operation).strip("_")


@lru_cache(maxsize=REMEMBERED)
def described(text: str) -> Described:
    """What a description says, in YAML or JSON. Raises ValueError."""
    root = _root(text)
    methods: dict[str, str] = {}
    for path, there in _mapping(root.get("paths")).items():
        for method, said in _mapping(there).items():
            if method in _EFFECTS:
                own = _mapping(said).get("operationId")
                methods[str(own or f"{method.upper()} {path}")] = method
    servers = root.get("servers")
    first = _mapping(servers[0]) if isinstance(servers, list) and servers else {}
    return Described(
        methods=methods, addressed=str(first.get("url", "")).startswith(("http://", "https://"))
    )


def _root(text: str) -> Mapping[str, Any]:
    try:
        read = (
            json.loads(text) if text.lstrip()[:1] == "{" else YAML(typ="safe", pure=True).load(text)
        )
    except (ValueError, YAMLError, RecursionError) as error:
        raise ValueError(f"expected YAML or JSON: {str(error).partition(chr(10))[0]}") from None
    version = str(_mapping(read).get("openapi", "nothing"))
    if not version.startswith("3."):
        raise ValueError(f"expected `openapi: 3.x`, got {version}: convert it to OpenAPI 3 first")
    return _mapping(read)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _file(shape: ServerShape) -> str:
    return PurePosixPath(shape.openapi or "").as_posix()


def _digest(text: str) -> str:
    return sha256(text.replace("\r\n", "\n").replace("\r", "\n").encode()).hexdigest()
