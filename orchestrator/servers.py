"""The hands, as configured: how to reach an MCP server and what it can't be trusted to say about itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.secrets import Secret
from workflows.playbook import Effect


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnActor:
    """How a server tells as whom it writes: a tool without arguments, and where its JSON holds id and login.

    `sources` are those that name us so.
    """

    tool: str
    id: str | None = "id"
    login: str | None = "login"
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """At most `most` in any `window` seconds; `said` is how the file writes it, such as 10/s."""

    most: int
    window: float
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLimits:
    """How many calls at once and how often, and how many seconds one waits for its turn; None asks nothing."""

    concurrent: int | None = None
    pace: Pace | None = None
    wait: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How many seconds a call may take, and how many characters of its result are shown; None: as many as usual."""

    timeout: float | None = None
    result: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth:
    """Client credentials: a token is fetched from the authorization server `issuer`, and from no other."""

    client_id: str
    client_secret: Secret
    issuer: str
    scope: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StdioServer:
    """A child process; its environment is PATH and HOME plus what is declared.

    By tool: its effect, the argument by which a repeated call is known, and the one that gets our marker ("" is none).
    """

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str | Secret] = field(default_factory=dict)
    directory: Path = Path()
    effects: Mapping[str, Effect] = field(default_factory=dict)
    idempotency: Mapping[str, str] = field(default_factory=dict)
    markers: Mapping[str, str] = field(default_factory=dict)
    own_actor: OwnActor | None = None
    limits: CallLimits | None = None
    tool_limits: Mapping[str, CallLimits] = field(default_factory=dict)
    bounds: Bounds = Bounds()
    tool_bounds: Mapping[str, Bounds] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpServer:
    """A Streamable HTTP endpoint."""

    name: str
    url: str
    bearer: Secret | None = None
    oauth: OAuth | None = None
    headers: Mapping[str, str | Secret] = field(default_factory=dict)
    effects: Mapping[str, Effect] = field(default_factory=dict)
    idempotency: Mapping[str, str] = field(default_factory=dict)
    markers: Mapping[str, str] = field(default_factory=dict)
    own_actor: OwnActor | None = None
    limits: CallLimits | None = None
    tool_limits: Mapping[str, CallLimits] = field(default_factory=dict)
    bounds: Bounds = Bounds()
    tool_bounds: Mapping[str, Bounds] = field(default_factory=dict)


Server = StdioServer | HttpServer


def bounds_of(server: Server | None, tool: str) -> Bounds:
    """The bounds of a tool's calls; what isn't said of the tool is said of its server."""
    if server is None:
        return Bounds()
    whole, own = server.bounds, server.tool_bounds.get(tool, Bounds())
    return Bounds(
        timeout=whole.timeout if own.timeout is None else own.timeout,
        result=whole.result if own.result is None else own.result,
    )
