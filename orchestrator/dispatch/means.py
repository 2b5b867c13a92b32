"""What the rooms of the dispatcher work with, and how they read a kept entry; it decides and delivers nothing."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from orchestrator.configuration.configuration import Configuration
from orchestrator.database import Database
from orchestrator.dispatch.forwards import Forwards
from orchestrator.dispatch.runs import Runs
from orchestrator.errors import SenderError
from orchestrator.events import Event
from orchestrator.inbox.inbox import Entry, Inbox, event_of
from orchestrator.sources.authors import author_in
from orchestrator.sources.source import Source
from orchestrator.telemetry.instruments import DispatchInstruments, uncounted
from orchestrator.telemetry.spans import Tracing, Untraced


@dataclass(kw_only=True, slots=True)
class Means:
    """One for each service. `sources` and `configuration` answer with what is in force now.

    `jitter` gives a number in [0, 1). Without `forwards`, what must be forwarded waits. `kept` are the
    rulebooks whose pages are on disk; `holding` the ids of limited rules of which something may be held; `gone` the
    limits that rules keep which a configuration, by its digest, lacks.
    """

    inbox: Inbox
    ledger: Database
    runs: Runs
    configuration: Callable[[], Configuration]
    sources: Callable[[], dict[str, Source]]
    now: Callable[[], datetime]
    log: Any
    forwards: Forwards | None = None
    counts: DispatchInstruments = field(default_factory=uncounted)
    tracing: Tracing = field(default_factory=Untraced)
    jitter: Callable[[], float] = random.random
    kept: set[str] = field(default_factory=set)
    holding: set[str] = field(default_factory=set)
    gone: dict[tuple[str, str], int | None] = field(default_factory=dict)


def event_in(means: Means, entry: Entry) -> Event | str:
    """The event that an entry means, or why it can't be read."""
    source = means.sources().get(entry.source)
    if source is None:
        return f"source {entry.source!r} is no longer configured"
    try:
        data = source.dialect.read(entry.headers, entry.body).data
        return event_of(entry, data, author_in(source.dialect, data))
    except SenderError as error:
        return f"the payload can't be read: {error}"
    except Exception as error:
        # One event that our reading stumbles over must not stop those behind it.
        means.log.exception("read.failed", event_id=entry.id)
        return bug(error)


def bug(error: Exception) -> str:
    """What is written down where we stumbled: never the exception's words, which may quote the payload."""
    return f"a bug of ours, please report it: {type(error).__name__}"
