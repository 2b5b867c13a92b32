"""How to answer: the playbook as a run carries it; it knows no file, no YAML and no vendor.

A playbook is pinned into a conversation when the conversation opens. Editing the file never changes a
conversation that is waiting; it changes the next one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

MAX_TOOLS = 40
"""Built-in tools included (promise H1)."""

MAX_TOOL_TOKENS = 16_000
"""Of tool definitions, as estimated from their JSON (promise H1)."""


class Effect(StrEnum):
    """What a tool call does to the world.

    `read` changes nothing and may be repeated; `write` may be repeated only because its server is known to be
    idempotent; `write-once` must never be sent twice.
    """

    READ = "read"
    WRITE = "write"
    WRITE_ONCE = "write-once"


class Stage(StrEnum):
    """Whether a rule's runs may write: `preview` records writes as proposals, `live` makes them."""

    PREVIEW = "preview"
    LIVE = "live"


class OverBudget(StrEnum):
    """What a run does whose next turn could pass a cap: wait for money, take its leave, or fail."""

    PARK = "park"
    FINISH = "finish"
    FAIL = "fail"


class Unseen(StrEnum):
    """What becomes of the parts of a stranger's text that a person would not see."""

    SHOW = "show"
    STRIP = "strip"


class InputType(StrEnum):
    """What a rule may hand to a playbook. `text` may never stand in the prose: it could be a stranger's words."""

    SLUG = "slug"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    TEXT = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What one conversation may spend; every limit is checked before the call that would pass it.

    `active` are the seconds in which it works, `open` those from its beginning, waits included; None means no limit.
    """

    usd: Decimal = Decimal("0.50")
    tokens: int = 300_000
    turns: int = 25
    tool_calls: int = 60
    active: float | None = None
    open: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What one argument may be: one of the `values` (or a list of some), text of a `pattern`, or `at_most` a number."""

    values: tuple[Any, ...] | None = None
    pattern: str | None = None
    at_most: float | None = None


class OnTimeout(StrEnum):
    """What becomes of a call that nobody approved in time."""

    DENY = "deny"
    FAIL = "fail"
    PARK = "park"


class OnDrift(StrEnum):
    """What a run does when a tool is no longer what was locked: wait for a person, or go on without it."""

    PARK = "park"
    DROP = "drop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Approve:
    """A person must say yes to the call: one of `by` (`role:maintainer`, a name), within `ttl` seconds.

    `when` is CEL over the call's `args`, `tool` and `effect`; empty means always.
    """

    by: tuple[str, ...]
    ttl: float
    on_timeout: OnTimeout = OnTimeout.DENY
    when: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteLimit:
    """How often a conversation may use one write tool, with which arguments, and with whose consent.

    `verify` is the tool (`server.tool`) that shows what became of a call of which nobody knows.
    """

    max: int = 1
    args: Mapping[str, Allowed] = field(default_factory=dict)
    approve: Approve | None = None
    verify: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """The event that brings a call's real answer: `events` are `source/type` globs, `key` a template over `result`.

    `until` is CEL over the event; empty means the first one. `timeout` in seconds.
    """

    events: tuple[str, ...]
    key: str
    timeout: float
    until: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextPolicy:
    """How the model is shown what others wrote: invisible characters and HTML comments."""

    invisible: Unseen = Unseen.SHOW
    comments: Unseen = Unseen.SHOW


class Tokens(StrEnum):
    """What becomes of a write that carries what looks like somebody's token or key."""

    REFUSE = "refuse"
    ALLOW = "allow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Screening:
    """What one write may carry: so many different links and mentions, and tokens or none.

    A secret of ours leaves in no call, whatever stands here.
    """

    links: int = 20
    mentions: int = 10
    tokens: Tokens = Tokens.REFUSE


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A prompt of a server; `arguments` are templates over `with`."""

    server: str
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Playbook:
    """A goal in prose with the means to reach it.

    `tools` maps a server's name to the tools the playbook wants from it. `bind` maps `server` or
    `server.tool` to arguments the model can't choose (templates over `with`); `writes` maps `server.tool` to
    its limit, `waits` to the event that answers it later. `optional` are servers it can do without. `prose` is the
    instructions, a template over `with`. `digest` names exactly this text. `text` is how the model is shown what
    others wrote; `approve` who must consent to calls that change something, where `writes` doesn't say. `on_drift` is
    what becomes of a tool whose definition isn't the one that was locked. `screening` is what a write may carry.
    `read` are the resources that may be read, as `server:uri` or a template of URIs; `prompt` is what a conversation
    begins with.
    """

    name: str
    digest: str
    model: str
    max_tokens: int
    inputs: Mapping[str, InputType]
    tools: Mapping[str, tuple[str, ...]]
    bind: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    writes: Mapping[str, WriteLimit] = field(default_factory=dict)
    waits: Mapping[str, Callback] = field(default_factory=dict)
    optional: tuple[str, ...] = ()
    budget: Budget = field(default_factory=Budget)
    prose: str = ""
    text: TextPolicy = field(default_factory=TextPolicy)
    approve: Approve | None = None
    on_drift: OnDrift = OnDrift.PARK
    screening: Screening = field(default_factory=Screening)
    read: tuple[str, ...] = ()
    prompt: Prompt | None = None

    def consent_for(self, tool: str, effect: Effect) -> Approve | None:
        """Who must consent to calls of `server.tool`: as its own line says, else as all that change something."""
        limit = self.writes.get(tool)
        if limit is not None and limit.approve is not None:
            return limit.approve
        return None if effect is Effect.READ else self.approve
