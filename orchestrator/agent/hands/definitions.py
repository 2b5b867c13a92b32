"""What a server offers and how a call to it ended, as values; it knows no protocol and no vendor.

A call ends in exactly one of five ways: `Answered`, `Begun` (its server answers later, as a task), `Asks` (its server
wants something of people first), `NotSent` (safe to repeat) or `Lost` (nobody knows whether it acted). There is no
sixth, and none of them is an exception.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.configuration.locks import hash_of
from orchestrator.errors import PersonError


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolDefinition:
    """One tool in its server's own words; the three hints are claims, None where nothing was claimed.

    `annotations` are all of its claims as they came.
    """

    server: str
    name: str
    title: str | None = None
    description: str | None = None
    input_schema: Mapping[str, Any]
    read_only: bool | None = None
    destructive: bool | None = None
    idempotent: bool | None = None
    output_schema: Mapping[str, Any] | None = None
    annotations: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovered:
    """What a server said when it was asked; `identity` is its name and version, as it tells them."""

    server: str
    protocol: str
    identity: str
    tools: tuple[ToolDefinition, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The server answered, well or badly.

    `content` is ready for a `tool_result` of the Messages API; `full` is everything that came, for the
    artifact store, and `truncated` says that `content` shows only part of it.
    """

    content: tuple[dict[str, Any], ...]
    is_error: bool
    full: bytes
    full_media_type: str
    truncated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """The server took the call, and answers it later: as the task of this id, which is as good as a key to it.

    `document` is what else it said, as JSON; `ttl` and `poll` are in seconds, None where it names none.
    """

    task_id: str
    status: str
    said: str
    ttl: float | None
    poll: float | None
    document: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asks:
    """The server wants `requests` answered, each under its key, and then the call once more.

    `state` is the server's own and goes back to it as it came; nobody reads it. It has done nothing yet, unless it
    `answered`: then it asked in the middle of the call, and made do without.
    """

    requests: Mapping[str, Any]
    state: str | None = None
    answered: Answered | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Responses:
    """What goes along when a call is made once more: responses by key, and the state of its server."""

    given: Mapping[str, Any]
    state: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSent:
    """The request did not reach the server: nothing happened, asking again is safe.

    `held`: a limit of ours held it back, so that its server was not even looked for.
    """

    reason: str
    held: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """The request was sent and no answer came: it may have acted, or not."""

    reason: str


Outcome = Answered | Begun | Asks | NotSent | Lost


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a server fares: `closed` is well, `open` is left alone for `again_in` seconds, `half open` is being tried.

    `failures` are those in a row, `error` the last of them in words.
    """

    server: str
    state: str
    failures: int
    error: str | None
    again_in: float


BeforeSend = Callable[[], Awaitable[bool]]
"""Asked just before the bytes of a call leave; its False keeps them here."""

Progress = Callable[[str], None]
"""Told what a server says while it works."""


def canonical(definition: ToolDefinition) -> dict[str, Any]:
    """Everything that a definition says, as it is locked; what it doesn't say isn't there."""
    claims = {
        "readOnlyHint": definition.read_only,
        "destructiveHint": definition.destructive,
        "idempotentHint": definition.idempotent,
    }
    said = {name: claim for name, claim in claims.items() if claim is not None}
    made_of = {
        "name": definition.name,
        "title": definition.title,
        "description": definition.description,
        "input_schema": definition.input_schema,
        "output_schema": definition.output_schema,
        "annotations": {**said, **(definition.annotations or {})} or None,
    }
    return {name: value for name, value in made_of.items() if value is not None}


def definition_hash(definition: ToolDefinition) -> str:
    """The name of exactly this definition, however it is ordered."""
    return hash_of(canonical(definition))


class HandsUnreachable(PersonError):
    """A server could not be reached, or did not answer: the text says what was tried."""
