"""What the activities work with: a value made once by the worker, so that nothing is looked up from afar."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from temporalio.exceptions import ApplicationError

from orchestrator.agent.hands import Hands
from orchestrator.agent.model import Claude
from orchestrator.configuration.configuration import Configuration
from orchestrator.database import Database
from orchestrator.errors import PersonError
from orchestrator.events import Event
from orchestrator.inbox.inbox import Entry, Inbox, event_of
from workflows.activities import PERSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """The worker's parts. `configuration` reads the files as they are now; `now` is seconds since 1970."""

    inbox: Inbox
    ledger: Database
    model: Claude
    hands: Hands
    configuration: Callable[[], Configuration]
    now: Callable[[], float]
    scripted: bool


def for_a_person(error: PersonError | str, *details: Any) -> ApplicationError:
    """The failure that makes a run park with this text; Temporal doesn't repeat it."""
    return ApplicationError(str(error), *details, type=PERSON, non_retryable=True)


async def event(means: Means, event_id: str) -> tuple[Entry, Event]:
    """A kept event with its payload, read again from the bytes that were signed. Raises PersonError."""
    entry = await means.inbox.entry(event_id)
    if entry is None:
        raise PersonError(f"event {event_id!r} is no longer in the inbox")
    source = means.configuration().sources.get(entry.source)
    if source is None:
        raise PersonError(
            f"source {entry.source!r} is no longer configured; put it back into sources.yaml"
        )
    return entry, event_of(entry, source.dialect.read(entry.headers, entry.body).data)
