"""What a person may ask and say, as values; pure, and the same for the CLI, the REST API and an assistant's tools.

await console.ask(Runs(state=RunState.PARKED))
await console.say(Word(kind="run.cancel", named="5a1f95b87d5d.1"))
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
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
    """Events with what was decided about each, the newest first; `before` is the last one of the page before."""

    source: str | None = None
    type: str | None = None
    stand: Stand | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: str | None = None
    limit: int = LIMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event whole: how it was verified, decisions, runs, headers, body."""

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
class Spend:
    """What a day cost against its caps; None is today."""

    day: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What is up and what is not."""


OfTheInbox = Events | Event | Why | Refusals | DeadLetters
OfRuns = Runs | Run | Log | Approvals | Approval
OfTheHouse = Rules | Rule | Spend | Status
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


class Console(Protocol):
    """Whoever answers questions and takes words."""

    async def ask(self, question: Question) -> Any:
        """The answer, as JSON's types. Raises AskerError, or OperatorError."""

    async def say(self, word: Word) -> Shown:
        """Record the word and tell what came of it. Raises AskerError, or OperatorError.

        `event` records it; `accepted` is None while nobody has decided about it, `done` while more of it is to come;
        `reason` says why, or why not; `run` is the run it reached or opened, `request` what it answered as that stands
        now, `became` what came of it.
        """
