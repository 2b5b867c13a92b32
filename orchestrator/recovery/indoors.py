"""Ring our own door from inside: the ordinary way of a delivery, with its true age written beside it; no network.

The age is stamped behind the door, by a wrapper round what keeps deliveries, so that there is no way in for a header
that says the same from outside.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec

from orchestrator.dispatch.late import DELIVERED_AT
from orchestrator.doorbell.receive import Keeps
from orchestrator.inbox.inbox import Arrival, Receipt

App = Callable[[Any, Any, Any], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """What the door answered; `told` is its JSON, {} where that is none."""

    status: int
    told: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """A delivery on its way in after all; header names in lower case."""

    source: str
    headers: Mapping[str, str]
    body: bytes
    sent_at: datetime


Ring = Callable[[Late], Awaitable[Rung]]


@dataclass(frozen=True, slots=True)
class Stamped:
    """Keeps deliveries as another does, each with the moment it was first sent."""

    commit: Keeps
    sent_at: datetime

    async def keep(self, arrival: Arrival) -> Receipt:
        """See `Keeps.keep`."""
        stamp = {DELIVERED_AT: self.sent_at.isoformat()}
        return await self.commit.keep(replace(arrival, headers={**arrival.headers, **stamp}))


def indoors(door: Callable[[Keeps], App], commit: Keeps) -> Ring:
    """How to ring; `door` makes the application that would be mounted at `/hooks`, over what keeps deliveries."""

    async def ring(late: Late) -> Rung:
        answer = _Answer()
        app = door(Stamped(commit, late.sent_at))
        await app(_scope(late), _Request(late.body).receive, answer.send)
        return answer.rung()

    return ring


def _scope(late: Late) -> dict[str, Any]:
    headers = {**late.headers, "content-length": str(len(late.body))}
    return {
        "type": "http",
        "method": "POST",
        "path": f"/{late.source}",
        "query_string": b"",
        "headers": [
            (name.encode("latin-1", "replace"), value.encode("latin-1", "replace"))
            for name, value in headers.items()
        ],
        "client": None,
    }


class _Request:
    def __init__(self, body: bytes) -> None:
        self._messages: list[dict[str, Any]] = [
            {"type": "http.request", "body": body, "more_body": False}
        ]

    async def receive(self) -> dict[str, Any]:
        return self._messages.pop() if self._messages else {"type": "http.disconnect"}


class _Answer:
    def __init__(self) -> None:
        self._status = 0
        self._body = b""

    async def send(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
        else:
            self._body += message.get("body", b"")

    def rung(self) -> Rung:
        return Rung(status=self._status, told=told_of(self._body))


def told_of(body: bytes) -> Mapping[str, Any]:
    """The JSON object in an answer, {} where there is none."""
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
