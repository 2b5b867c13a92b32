"""A rule is intent: which events it wants, and what to do with them; it knows no YAML and matches nothing itself.

Paths start at the payload: `issue.labels[*].name` reads `event["issue"]["labels"][any]["name"]`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from workflows.playbook import Stage


class Operator(StrEnum):
    """What a leaf may ask of the values at its path."""

    EQ = "eq"
    NE = "ne"
    IN = "in"
    NONE = "none"
    HAS = "has"
    GT = "gt"
    GE = "ge"
    LT = "lt"
    LE = "le"
    EXISTS = "exists"
    GLOB = "glob"
    REGEX = "regex"


@dataclass(frozen=True, slots=True)
class Leaf:
    """One question about one path."""

    path: str
    operator: Operator
    expected: Any


@dataclass(frozen=True, slots=True)
class Cel:
    """The escape hatch: a CEL expression over `event source type subject actor id headers`."""

    expression: str


@dataclass(frozen=True, slots=True)
class All:
    """Every one holds; true when empty. `listed` means it stood as `all: [...]`, not as the lines of a mapping."""

    conditions: tuple["Condition", ...]
    listed: bool = False


@dataclass(frozen=True, slots=True)
class Any_:  # noqa: N801 - typing has the name without the line
    """At least one holds."""

    conditions: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """It does not hold."""

    condition: "Condition"


Condition = Leaf | Cel | All | Any_ | Not


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of a trace: what was asked where, what came, and whether it held.

    `path` says where in the rule file's own words (`when.repository.full_name`, `when.any[1].cel`).
    """

    path: str
    operator: str
    expected: Any
    actual: Any
    held: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Whether a rule wants an event, with every finding that led there."""

    matched: bool
    trace: tuple[Finding, ...]

    @property
    def failed(self) -> Finding | None:
        """The first finding that decided against the event, for the one-line reason; None when it matched.

        What stands inside an `any` or a `not` decides nothing by itself: their own finding does.
        """
        if self.matched:
            return None
        groups: tuple[str, ...] = ()
        for finding in self.trace:
            if finding.path.startswith(groups):
                continue
            if not finding.held:
                return finding
            if finding.operator in {"any", "not"}:
                groups = (*groups, f"{finding.path}[", f"{finding.path}.")
        return None


class Mode(StrEnum):
    """How events of one key meet a run that is already there."""

    SIGNAL = "signal"
    PARALLEL = "parallel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Whose events may start anything: bots only by exact login, ourselves never unless asked."""

    bots: frozenset[str] = frozenset()
    ignore_self: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule. `on` are globs over `source/type`; `with_` and `key` hold templates; `id` outlives a rename."""

    id: str
    name: str
    on: tuple[str, ...]
    when: Condition
    playbook: str
    with_: Mapping[str, Any] = field(default_factory=dict)
    key: str | None = None
    mode: Mode = Mode.SIGNAL
    trust: Trust = field(default_factory=Trust)
    stage: Stage = Stage.PREVIEW
    file: str = ""
    line: int = 0
