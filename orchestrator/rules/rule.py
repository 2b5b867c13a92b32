"""A rule is intent: which events it wants, and what to do with them; it knows no YAML and matches nothing itself.

Paths start at the payload: `issue.labels[*].name` reads `event["issue"]["labels"][any]["name"]`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

from msgspec import Struct

from orchestrator.rules.caps import Caps
from orchestrator.rules.limits import Dedupe, Limits
from orchestrator.rules.schedule import Schedule
from orchestrator.rules.steps import Step, title_of
from orchestrator.secrets import Secret
from workflows.flow import Coalesce, Mode
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


class Finding(Struct, frozen=True, kw_only=True, gc=False):
    """One line of a trace: what was asked where, what came, and whether it held.

    `path` says where in the rule file's own words (`when.repository.full_name`, `when.any[1].cel`).
    """

    # A structure, because an event makes thousands of them, and a dataclass takes ten times as long; nothing that it
    # holds can lead back to it, so the collector need not look.

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
        """The first finding that decided against the event, for the one-line reason; None when it matched."""
        return None if self.matched else decisive(self.trace)


def decisive(trace: Sequence[Finding]) -> Finding | None:
    """The first finding that decided against the event; what doesn't hold inside a group need not."""
    for finding in trace:
        if not finding.held:
            if ".any[" not in finding.path and ".not" not in finding.path:
                return finding
            break
    return next((finding for finding in deciding(trace) if not finding.held), None)


def deciding(trace: Iterable[Finding]) -> Iterator[Finding]:
    """The findings that decide by themselves; of an `any` and a `not` it is their own, not those inside."""
    groups: tuple[str, ...] = ()
    for finding in trace:
        if finding.path.startswith(groups):
            continue
        yield finding
        if finding.operator in {"any", "not"}:
            groups = (*groups, f"{finding.path}[", f"{finding.path}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Whose events may start anything. Names are logins or `id:583231`; what is empty asks nothing.

    But no bots are admitted where none is named. `allow` vouches for somebody whatever their association; `deny` wins
    over all. Further than `max_hops` runs down a chain nothing starts, and on one subject all runs write no more than
    `max_writes_per_subject` times in 24 hours.
    """

    associations: frozenset[str] = frozenset()
    allow: frozenset[str] = frozenset()
    deny: frozenset[str] = frozenset()
    bots: frozenset[str] = frozenset()
    forks: bool = False
    ignore_self: bool = True
    max_hops: int = 3
    max_writes_per_subject: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where a rule forwards its events. Nothing is sent while a reference in `unset` is unset.

    `label` is what may be shown of the URL: scheme, host and port. `private` allows private addresses and http.
    """

    url: str
    label: str
    secrets: tuple[Secret, ...]
    timeout: timedelta
    private: bool = False
    headers: Mapping[str, str | Secret] = field(default_factory=dict)
    unset: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What an example expects of its rule; None asks nothing, and of `with_` only the inputs that it names.

    `action` is `run`, `forward` or what else a rule does; `failed` the path of the finding that decided against it.
    """

    match: bool
    key: str | None = None
    action: str | None = None
    with_: Mapping[str, Any] | None = None
    failed: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One of the tests that a rule carries: a raw request in a file below the configuration, and what is expected."""

    event: str
    expected: Expected
    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule. `on` are globs over `source/type`; `with_` and `key` hold templates; `id` outlives a rename.

    Exactly one of `playbook`, `forward` and `call` says what it does.
    """

    id: str
    name: str
    on: tuple[str, ...]
    when: Condition
    playbook: str | None = None
    forward: Destination | None = None
    call: tuple[Step, ...] = ()
    with_: Mapping[str, Any] = field(default_factory=dict)
    key: str | None = None
    mode: Mode = Mode.SIGNAL
    coalesce: Coalesce | None = None
    trust: Trust = field(default_factory=Trust)
    stage: Stage = Stage.PREVIEW
    schedule: Schedule | None = None
    caps: Caps = field(default_factory=Caps)
    limits: Limits = field(default_factory=Limits)
    dedupe: Dedupe | None = None
    backstop: bool = False
    tests: tuple[Example, ...] = ()
    file: str = ""
    line: int = 0

    @property
    def does(self) -> str:
        """What it does, in the words of its file."""
        if self.forward is not None:
            return f"forward → {self.forward.label}"
        return title_of(self.call) if self.call else f"run {self.playbook}"
