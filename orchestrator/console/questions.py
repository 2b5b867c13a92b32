"""What a person may ask, say and do, as values; pure, and the same for the CLI, the REST API and an assistant's tools.

await console.ask(Runs(state=RunState.PARKED))
await console.say(Word(kind="run.cancel", named="5a1f95b87d5d.1"))
await console.act(Prune(dry_run=True))
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final, Protocol

from orchestrator.inbox.sought import Stand
from workflows.messages import RunState

Shown = dict[str, Any]
LIMIT: Final = 50
MOST: Final = 500
"""How many lines one answer holds at most."""

LAST: Final = "last"
"""Stands for the id of the newest event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """Events with what was decided about each, the newest first.

    `before` is the last one of the page before; after the event `after` only what was kept later. Without `decisions`
    nobody looks for them, and none is told.
    """

    source: str | None = None
    type: str | None = None
    stand: Stand | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: str | None = None
    after: str | None = None
    limit: int = LIMIT
    decisions: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event whole: how it was verified, decisions, runs, headers, body."""

    event: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The very bytes of an event, and what its source read in them."""

    event: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """What every rule said to an event."""

    event: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusals:
    """Deliveries that were not kept, the newest first."""

    source: str | None = None
    limit: int = LIMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetters:
    """What could not be delivered after many attempts, the oldest first."""

    limit: int = LIMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """Runs, the newest first; `before` is the last one of the page before."""

    state: RunState | None = None
    rule: str | None = None
    playbook: str | None = None
    key: str | None = None
    before: str | None = None
    limit: int = LIMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run: state, tool calls, money."""

    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """A run as a conversation."""

    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One tool call of a run, whole: all of its arguments, and all of its result that was stored."""

    run: str
    call: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LostRuns:
    """Runs that Temporal no longer knew, the newest first."""

    limit: int = LIMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Approvals:
    """What runs ask people, the newest first; with `every` also what is settled."""

    every: bool = False
    limit: int = LIMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One request: every field of its call, who may answer, what people said."""

    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What answers which events, what waits for it, what is paused, what is broken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule, with its text."""

    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Playbooks:
    """The sound playbooks, and the inputs of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """What a day cost against its caps; None is today."""

    day: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What is up and what is not."""


OfTheInbox = Events | Event | Delivery | Why | Refusals | DeadLetters
OfOneRun = Run | Log | Call
OfRuns = Runs | OfOneRun | LostRuns | Approvals | Approval
OfTheHouse = Rules | Rule | Playbooks | Spend | Status
Question = OfTheInbox | OfRuns | OfTheHouse


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """Something of `sources.operator.NAMES` about an id or a name.

    Said twice under the same `once` it is one word. `patience` is how many seconds to wait for what comes of it.
    """

    kind: str
    named: str
    more: Mapping[str, Any] = field(default_factory=dict)
    once: str | None = None
    patience: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Prune:
    """Forget what is old enough: by each source's policy, or with `keep` so much of every source."""

    keep: timedelta | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptNamespace:
    """The Temporal namespace that is looked at now is the one on which runs live, from now on."""


Act = Prune | AcceptNamespace
"""What a person does to the stores themselves; it wakes no run, so it is no row of the inbox."""


class Console(Protocol):
    """Whoever answers questions, takes words and does what is no word."""

    async def ask(self, question: Question) -> Any:
        """The answer, as JSON's types. Raises AskerError, or OperatorError."""

    async def say(self, word: Word) -> Shown:
        """Record the word and tell what came of it. Raises AskerError, or OperatorError.

        `event` records it; `accepted` is None while nobody has decided about it, `done` while more of it is to come;
        `named` is what it is about, by its whole id; `reason` says why, or why not; `run` is the run it reached or
        opened, `workflow` what it runs as; `request` what it answered as that stands now, `became` what came of it.
        """

    async def act(self, act: Act) -> Shown:
        """What was done. Raises AskerError, or OperatorError."""
