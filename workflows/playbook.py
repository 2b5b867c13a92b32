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


class InputType(StrEnum):
    """What a rule may hand to a playbook. `text` may never stand in the prose: it could be a stranger's words."""

    SLUG = "slug"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    TEXT = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What one conversation may spend; every limit is checked before the call that would pass it."""

    usd: Decimal = Decimal("0.50")
    tokens: int = 300_000
    turns: int = 25
    tool_calls: int = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteLimit:
    """How often a conversation may use one write tool."""

    max: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Playbook:
    """A goal in prose with the means to reach it.

    `tools` maps a server's name to the tools the playbook wants from it. `bind` maps `server` or
    `server.tool` to arguments the model can't choose (templates over `with`); `writes` maps `server.tool` to
    its limit. `prose` is the instructions, a template over `with`. `digest` names exactly this text.
    """

    name: str
    digest: str
    model: str
    max_tokens: int
    inputs: Mapping[str, InputType]
    tools: Mapping[str, tuple[str, ...]]
    bind: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    writes: Mapping[str, WriteLimit] = field(default_factory=dict)
    budget: Budget = field(default_factory=Budget)
    prose: str = ""
