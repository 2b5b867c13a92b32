"""A destination for forwarded events over a bare socket: it counts what came, and behaves as badly as it is told to."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from datetime import timedelta

from orchestrator.configuration.configuration import Configuration
from orchestrator.dispatch.destinations import Destinations, destinations
from orchestrator.dispatch.posting import Resolve
from orchestrator.inbox.inbox import Action, Decision, Entry, EntryState
from orchestrator.known_secrets import redact_of
from orchestrator.rules.rule import Destination, Rule
from orchestrator.secrets import Secret
from tests.support.builders import NOW, configuration, rule
from tests.support.roads import Clock

WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NEWER = "whsec_bmV3ZXIgc2VjcmV0IG9mIG91cnMgMTIz"


@dataclass(frozen=True, kw_only=True)
class Came:
    """One request as it arrived; header names in lower case."""

    line: str
    headers: Mapping[str, str]
    body: bytes


Behave = Callable[[asyncio.StreamWriter], Awaitable[None]]


def answering(status: int, body: bytes = b"", **headers: str) -> Behave:
    """A whole answer; `retry_after` names `Retry-After`."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = (
        f"HTTP/1.1 {status} So\r\ncontent-length: {len(body)}\r\nconnection: close\r\n{lines}\r\n"
    )

    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(head.encode() + body)

    return behave


@dataclass(kw_only=True)
class Receiver:
    """It answers with `behaviours`, one for each request, the last of them from then on."""

    port: int = 0
    came: list[Came] = field(default_factory=list)
    connections: int = 0
    behaviours: list[Behave] = field(default_factory=lambda: [answering(204)])
    tasks: list["asyncio.Task[None] | None"] = field(default_factory=list)

    def url(self, path: str = "/events", host: str = "127.0.0.1", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.tasks.append(asyncio.current_task())
        with closing(writer), suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            pairs = [line.split(": ", 1) for line in head[1:] if line]
            headers = {name.lower(): value for name, value in pairs}
            assert len(headers) == len(pairs), "a header came twice"
            body = await reader.readexactly(int(headers["content-length"]))
            self.came.append(Came(line=head[0], headers=headers, body=body))
            behave = self.behaviours.pop(0) if self.behaviours[1:] else self.behaviours[0]
            await behave(writer)
            await writer.drain()


@asynccontextmanager
async def receiving(
    *behaviours: Behave, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Receiver]:
    """Receive until the block ends."""
    receiver = Receiver()
    receiver.behaviours = list(behaviours) or receiver.behaviours
    server = await asyncio.start_server(receiver.take, "127.0.0.1", 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for task in receiver.tasks:
            if task is not None:
                task.cancel()
        await asyncio.gather(*filter(None, receiver.tasks), return_exceptions=True)


def destination(url: str, **changes: object) -> Destination:
    """A destination on this machine."""
    values = {
        "url": url,
        "label": url.partition("/events")[0],
        "secrets": (Secret("env:NEW", WHSEC),),
        "timeout": timedelta(seconds=5),
        "private": True,
    }
    return Destination(**values | changes)


def decision(**changes: object) -> Decision:
    values = {
        "id": "dec_1",
        "event_id": "evt_1",
        "cause": "onward",
        "rule": "onward",
        "action": Action.FORWARD,
        "reason": "matched",
        "lane": "forward:onward:1",
    }
    return Decision(**values | changes)


def entry(body: bytes = b'{"n": 7}', **changes: object) -> Entry:
    values = {
        "position": 1,
        "id": "evt_1",
        "source": "github",
        "delivery_id": "d1",
        "type": "issues.opened",
        "subject": "acme/api#7",
        "actor": None,
        "keys": ("issue:acme/api#7",),
        "headers": {"content-type": "application/json"},
        "received_at": NOW,
        "state": EntryState.DECIDED,
    }
    return Entry(body=body, **values | changes)


class Lines(list):
    """A log that keeps names and values."""

    def say(self, name: str, **values: object) -> None:
        self.append((name, values))

    info = warning = error = say


@dataclass(kw_only=True)
class Sending:
    """Destinations on a clock that a test moves, with the rules of the moment."""

    rules: list[Rule]
    clock: Clock
    log: Lines
    to: Destinations

    async def forward(self, **changes: object) -> None:
        await self.to.forward(decision(**changes), entry())


def sending(
    *found: Destination, resolve: Resolve | None = None, tls: ssl.SSLContext | None = None
) -> Sending:
    rules = [rule("onward", playbook=None, forward=each) for each in found]
    clock, log = Clock(), Lines()

    def now() -> Configuration:
        return configuration(*rules)

    known = redact_of({}, now)
    to = destinations(
        now,
        clock.now,
        log,
        redact=lambda text: known().text(text),
        resolve=resolve,
        tls=tls,
    )
    return Sending(rules=rules, clock=clock, log=log, to=to)


def resolving_to(*answers: list[str]) -> tuple[Resolve, list[tuple[str, int]]]:
    """A resolver that gives these, one after the other and the last from then on; and what it was asked."""
    left, asked = list(answers), []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return left.pop(0) if left[1:] else left[0]

    return resolve, asked
