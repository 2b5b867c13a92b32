"""What the activities work with: a value made once by the worker, so that nothing is looked up from afar."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from temporalio.exceptions import ApplicationError
from typing_extensions import override

from orchestrator.agent.hands.definitions import (
    BeforeSend,
    Discovered,
    Outcome,
    Progress,
    Responses,
)
from orchestrator.agent.hands.listings import Listings
from orchestrator.agent.hands.sights import Sight, Unseen
from orchestrator.agent.reply import Request, Said
from orchestrator.agent.text.redacting import Redact, nothing
from orchestrator.configuration.configuration import Configuration
from orchestrator.database import Database
from orchestrator.errors import PersonError
from orchestrator.events import Event
from orchestrator.inbox.inbox import Entry, Inbox, event_of
from orchestrator.inbox.orders import Pause
from orchestrator.servers import Server
from orchestrator.sources.authors import author_in
from orchestrator.sources.notices import NoticeDialect
from orchestrator.sources.operator import OperatorDialect
from orchestrator.sources.schedule import ScheduleDialect
from orchestrator.sources.source import DOORBELL, OPERATOR, SCHEDULE, Dialect
from orchestrator.telemetry.instruments import RunInstruments, uncounted_runs
from workflows.activities import PERSON

BUILT_IN: Final[Mapping[str, Dialect]] = {
    OPERATOR: OperatorDialect(),
    SCHEDULE: ScheduleDialect(),
    DOORBELL: NoticeDialect(),
}
"""How the events of our own sources are read, which stand in no file."""


class Model(Protocol):
    """Whoever answers a turn."""

    async def say(self, request: Request) -> Said:
        """One turn. Raises Unavailable or Rejected."""

    async def close(self) -> None:
        """Close the connections."""


class Hands(Protocol):
    """Whoever reaches the configured servers."""

    def learn(self, servers: Mapping[str, Server]) -> None:
        """Reach servers as they are configured now."""

    async def discover(self, server: str) -> Discovered:
        """What a server offers now. Raises HandsUnreachable."""

    async def call(
        self,
        server: str,
        tool: str,
        arguments: Mapping[str, Any],
        *,
        deadline: float,
        key: str,
        before_send: BeforeSend | None = None,
        progress: Progress | None = None,
        responses: Responses | None = None,
    ) -> Outcome:
        """Call a tool at most once; `deadline` is in seconds, `responses` are what its server wanted first."""

    async def close(self) -> None:
        """End every connection."""


class Tasks(Protocol):
    """Whoever reaches the tasks that calls became; `tool` is what was called."""

    async def look(self, server: str, tool: str, task_id: str, *, deadline: float) -> Sight:
        """How a task stands; `deadline` is in seconds."""

    async def respond(
        self, server: str, tool: str, task_id: str, given: Mapping[str, Any], *, deadline: float
    ) -> Sight:
        """Give a task the responses that it wants, by their keys; how it stands then."""

    async def call_off(self, server: str, tool: str, task_id: str, *, deadline: float) -> Sight:
        """Ask a server to stop a task, which it may heed or not; how it stands then."""


class NoTasks(Tasks):
    """Nobody does."""

    @override
    async def respond(
        self, server: str, tool: str, task_id: str, given: Mapping[str, Any], *, deadline: float
    ) -> Sight:
        return Unseen(reason=f"nothing here reaches the tasks of {server}")

    @override
    async def look(self, server: str, tool: str, task_id: str, *, deadline: float) -> Sight:
        return Unseen(reason=f"nothing here reaches the tasks of {server}")

    @override
    async def call_off(self, server: str, tool: str, task_id: str, *, deadline: float) -> Sight:
        return Unseen(reason=f"nothing here reaches the tasks of {server}")


async def as_it_is(_digest: str) -> None:
    """What is in force is as new as it gets."""


async def none_paused() -> Sequence[Pause]:
    """Nothing is paused: a rehearsal is by hand."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """The worker's parts. `configuration` answers with what is in force; `now` is seconds since 1970.

    `credential` names what the model is asked with, and doesn't tell it. `abreast` makes the configuration as new as
    the decision made by the one of a digest. `pause` sleeps so many seconds, `jitter` gives a number in [0, 1).
    `redact` tells the secrets that nobody may read. `pauses` says what people hold now.
    """

    inbox: Inbox
    ledger: Database
    model: Model
    hands: Hands
    configuration: Callable[[], Configuration]
    now: Callable[[], float]
    scripted: bool
    credential: str = ""
    abreast: Callable[[str], Awaitable[None]] = as_it_is
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random
    counts: RunInstruments = field(default_factory=uncounted_runs)
    listings: Listings = field(default_factory=Listings)
    redact: Redact = nothing
    tasks: Tasks = field(default_factory=NoTasks)
    pauses: Callable[[], Awaitable[Sequence[Pause]]] = none_paused


def for_a_person(error: PersonError | str, *details: Any) -> ApplicationError:
    """The failure that makes a run park with this text; Temporal doesn't repeat it."""
    return ApplicationError(str(error), *details, type=PERSON, non_retryable=True)


async def event(means: Means, event_id: str) -> tuple[Entry, Event]:
    """A kept event with its payload, read again from the bytes that were signed. Raises PersonError."""
    entry = await means.inbox.entry(event_id)
    if entry is None:
        raise PersonError(f"event {event_id!r} is no longer in the inbox")
    dialect = _dialect(means, entry.source)
    data = dialect.read(entry.headers, entry.body).data
    # A stranger who holds a secret of ours may show it to us; the model must not learn it from him.
    told = means.redact().tree(data)
    return entry, event_of(entry, told, author_in(dialect, data))


def _dialect(means: Means, name: str) -> Dialect:
    if name in BUILT_IN:
        return BUILT_IN[name]
    source = means.configuration().readable().get(name)
    if source is None:
        raise PersonError(f"source {name!r} is no longer configured; put it back into sources.yaml")
    return source.dialect
