"""The keys of servers.yaml and what may stand under each; it knows shapes only, and reaches no server."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from orchestrator.configuration.keys import Shape, Words
from orchestrator.configuration.quantities import Count, Duration, Per, Positive
from orchestrator.configuration.shapes import Reference, Text, api_url
from orchestrator.configuration.trust import OwnActorShape
from workflows.playbook import Effect

LONGEST_WAIT: Final = timedelta(minutes=1)
"""Waiting, connecting and the call itself are one attempt, and that may take seven minutes."""

SHORTEST_CALL: Final = timedelta(seconds=1)
LONGEST_CALL: Final = timedelta(minutes=5)
"""What takes longer is a task, or answered by an event: for that a run waits without holding a worker."""

LEAST_RESULT: Final = 1_000
MOST_RESULT: Final = 400_000
"""Characters, about 100k tokens: half of the window of a common model."""

WAIT: Final = timedelta(seconds=30)


def _issuer(value: Any) -> str:
    try:
        return api_url(value)
    except ValueError:
        said = "expected the issuer's URL as it calls itself, https://..., without user, query and fragment"
        raise ValueError(said) from None


def _bearable(value: timedelta) -> timedelta:
    if value > LONGEST_WAIT:
        raise ValueError(f"expected at most {LONGEST_WAIT.total_seconds():g}s, got more")
    return value


def _finite(value: timedelta) -> timedelta:
    if not SHORTEST_CALL <= value <= LONGEST_CALL:
        raise ValueError("expected a duration between 1s and 5m, got another")
    return value


def _showable(value: int) -> int:
    if not LEAST_RESULT <= value <= MOST_RESULT:
        raise ValueError(f"expected between 1k and 400k characters, got {value}")
    return value


Timeout = Annotated[Duration, AfterValidator(_finite)]
Shown = Annotated[Count, AfterValidator(_showable)]


class OAuthShape(Shape):
    """`oauth:`: client credentials, and the authorization server that they are for."""

    client_id: Text
    client_secret: Reference
    issuer: Annotated[str, BeforeValidator(_issuer)]
    scope: Words | None = None


class AuthShape(Shape):
    """How we prove ourselves to an MCP server: one of both."""

    bearer: Reference | None = None
    oauth: OAuthShape | None = None


class CallLimitsShape(Shape):
    """`limits:`: how many calls at once and how often; those beyond wait in order, for `wait` at most."""

    concurrent: Positive | None = None
    rate: Per | None = None
    wait: Annotated[Duration, AfterValidator(_bearable)] = WAIT


class ToolShape(Shape):
    """What a server can't be trusted to say about one of its tools, or has no word for.

    `idempotency` is the argument by which it knows a repeated call, `marker` the one whose text gets our marker. A call
    may take `timeout`, and `result` characters of what it returns are shown; both may stand at the server too.
    """

    effect: Effect | None = None
    idempotency: Words | None = None
    marker: Words | Literal[False] | None = None
    limits: CallLimitsShape | None = None
    timeout: Timeout | None = None
    result: Shown | None = None


class ServerShape(Shape):
    """One entry of servers.yaml: `url`, `command` or `openapi`."""

    url: Words | None = None
    openapi: Words | None = None
    base_url: Words | None = None
    operations: Annotated[list[Words], Field(min_length=1)] | None = None
    auth: AuthShape | None = None
    headers: Mapping[str, Text] = Field(default_factory=dict)
    command: Annotated[list[str], Field(min_length=1)] | None = None
    env: Mapping[str, Text] = Field(default_factory=dict)
    directory: Words | None = None
    tools: Mapping[str, ToolShape] = Field(default_factory=dict)
    own_actor: OwnActorShape | Literal[False] | None = None
    limits: CallLimitsShape | None = None
    timeout: Timeout | None = None
    result: Shown | None = None
