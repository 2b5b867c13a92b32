"""What is asked of an MCP server about its events, and how that can end; values and one protocol, it asks nobody."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol

from orchestrator.servers import HttpServer


class Trouble(StrEnum):
    """Why a server doesn't ring us: the closed set that logs and counters use."""

    NO_SERVER = "no_server"
    """There is none of that name, or not one that can ring."""
    UNREACHABLE = "unreachable"
    NO_EVENTS = "no_events"
    """It knows no events at all."""
    NOT_FOUND = "not_found"
    """It knows no such event, or no longer."""
    NO_WEBHOOK = "no_webhook"
    """It tells of this event in other ways only."""
    FORBIDDEN = "forbidden"
    EXHAUSTED = "exhausted"
    """It has as many subscriptions of ours as it takes."""
    UNSUPPORTED = "unsupported"
    CALLBACK = "callback"
    """It could not reach our door, or didn't get its challenge back."""
    INVALID = "invalid"
    """It won't have these arguments."""
    REFUSED = "refused"
    UNREADABLE = "unreadable"


CODES: Final[Mapping[int, Trouble]] = {
    -32601: Trouble.NO_EVENTS,
    -32602: Trouble.INVALID,
    **{
        -32011 - by: trouble
        for by, trouble in enumerate(
            (
                Trouble.NOT_FOUND,
                Trouble.FORBIDDEN,
                Trouble.EXHAUSTED,
                Trouble.UNSUPPORTED,
                Trouble.CALLBACK,
            )
        )
    },
    **{
        -32023 - by: trouble
        for by, trouble in enumerate(
            (
                Trouble.NOT_FOUND,
                Trouble.FORBIDDEN,
                Trouble.EXHAUSTED,
                Trouble.UNSUPPORTED,
                Trouble.CALLBACK,
            )
        )
    },
}
"""The sketch's numbers (and ChatGPT's), and those of SEP-3415: the same five, twelve further down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A subscription as its server hears of it; `arguments` is JSON. It is called by all of this but the last three."""

    event: str
    arguments: str
    url: str
    secret: str
    cursor: str | None
    ttl: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """What the server made of it. `until` None: it never ends; `truncated`: events since our cursor are lost."""

    id: str
    until: datetime | None
    cursor: str | None
    truncated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """Nothing came of it; `said` is for people."""

    why: Trouble
    said: str


class AsksForEvents(Protocol):
    """Whoever speaks of events with MCP servers."""

    async def subscribe(self, server: HttpServer, asked: Asked, *, look: bool) -> Granted | Denied:
        """Ask to be rung, or to be rung further; `look` first whether the server has such an event."""

    async def unsubscribe(self, server: HttpServer, asked: Asked) -> Denied | None:
        """Ask to be rung no more."""
