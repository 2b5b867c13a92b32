"""tools.lock as a value: the definitions of tools that a person has accepted; it asks no server and decides nothing.

The text is canonical: the same lock is the same bytes, so that a change of it reads well in a review.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

from pydantic import Field, ValidationError

from orchestrator.configuration.keys import Shape
from orchestrator.errors import Mistake
from orchestrator.servers import HttpServer, Server, StdioServer

VERSION: Final = 1
MEND: Final = "take the version before it, or delete the file and run `doorbell lock`"

# Sets that JSON writes as lists: their order says nothing, and servers change it from start to start.
_SETS: Final = frozenset({"required", "enum", "type"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedTool:
    """A definition that was accepted; `accepted_at` is when somebody did so by name, in seconds since 1970."""

    definition: Mapping[str, Any]
    accepted_at: float | None = None

    @property
    def hash(self) -> str:
        """The name of exactly this definition."""
        return hash_of(self.definition)


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedServer:
    """How a server was reached (a digest) and called itself, and its tools by name."""

    reached: str
    identity: str
    tools: Mapping[str, LockedTool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """All that is locked, by server; one that is not `sound` accepts nothing."""

    servers: Mapping[str, LockedServer] = field(default_factory=dict)
    sound: bool = True

    def tool(self, server: str, name: str) -> LockedTool | None:
        """What is locked of a tool."""
        locked = self.servers.get(server)
        return None if locked is None else locked.tools.get(name)


def hash_of(definition: Mapping[str, Any]) -> str:
    """The name of a definition, however it is ordered: the SHA-256 of its `content`."""
    return sha256(content(definition)).hexdigest()


def content(definition: Mapping[str, Any]) -> bytes:
    """A definition as the bytes that its name is of."""
    text = json.dumps(_ordered(definition), sort_keys=True, ensure_ascii=True, default=str)
    return text.encode()


def reached(server: Server, python: str) -> str:
    """The name of the way a server is reached, without what rotates or differs from machine to machine.

    `python` is the program that stands for the word.
    """
    return sha256(json.dumps(_way(server, python)).encode()).hexdigest()[:16]


def text_of(lock: Lock) -> str:
    """The lock as it stands in its file."""
    servers = {
        name: {
            "identity": server.identity,
            "reached": server.reached,
            "tools": {tool: _tool_text(locked) for tool, locked in server.tools.items()},
        }
        for name, server in lock.servers.items()
    }
    told = {"version": VERSION, "servers": servers}
    return json.dumps(told, indent=1, sort_keys=True, ensure_ascii=True) + "\n"


def lock_of(text: str, file: str) -> tuple[Lock, list[Mistake]]:
    """The lock in a text, or one that accepts nothing, and what is wrong with it."""
    try:
        shape = _LockShape.model_validate_json(text)
        servers = {name: _server(server) for name, server in shape.servers.items()}
    except ValidationError as error:
        return Lock(sound=False), [_mistake(file, str(error.errors(include_url=False)[0]["msg"]))]
    except ValueError as error:
        return Lock(sound=False), [_mistake(file, str(error))]
    if shape.version != VERSION:
        said = f"expected version {VERSION}, got {shape.version}"
        return Lock(sound=False), [_mistake(file, said)]
    return Lock(servers=servers), []


class _ToolShape(Shape):
    hash: str
    definition: dict[str, Any]
    accepted: datetime | None = None


class _ServerShape(Shape):
    identity: str
    reached: str
    tools: dict[str, _ToolShape] = Field(default_factory=dict)


class _LockShape(Shape):
    version: int
    servers: dict[str, _ServerShape]


def _server(shape: _ServerShape) -> LockedServer:
    tools = {name: _tool(name, tool) for name, tool in shape.tools.items()}
    return LockedServer(reached=shape.reached, identity=shape.identity, tools=tools)


def _tool(name: str, shape: _ToolShape) -> LockedTool:
    accepted = shape.accepted.timestamp() if shape.accepted else None
    locked = LockedTool(definition=shape.definition, accepted_at=accepted)
    if locked.hash != shape.hash:
        raise ValueError(f"the hash of {name!r} isn't that of its definition: it was edited")
    return locked


def _tool_text(locked: LockedTool) -> dict[str, Any]:
    told: dict[str, Any] = {"hash": locked.hash, "definition": _ordered(locked.definition)}
    if locked.accepted_at is not None:
        told["accepted"] = datetime.fromtimestamp(locked.accepted_at, tz=UTC).isoformat()
    return told


def _ordered(value: Any) -> Any:
    match value:
        case Mapping():
            return {key: _member(key, one) for key, one in value.items()}
        case list() | tuple():
            return [_ordered(one) for one in value]
        case _:
            return value


def _way(server: Server, python: str) -> list[str]:
    match server:
        case HttpServer(url=url):
            return [url]
        case StdioServer(command=command):
            return ["python" if word == python else word for word in command]


def _member(key: str, value: Any) -> Any:
    ordered = _ordered(value)
    if key in _SETS and isinstance(ordered, list):
        return sorted(ordered, key=lambda one: json.dumps(one, sort_keys=True))
    return ordered


def _mistake(file: str, said: str) -> Mistake:
    return Mistake(file=file, line=1, column=1, message=f"can't be used: {said}; {MEND}")
