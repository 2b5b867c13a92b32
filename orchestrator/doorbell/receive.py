"""`POST /hooks/{source}`: bytes in, one committed row, one honest answer; it knows no rule and no database.

A raw ASGI application, because a framework's request costs more than the signature, the parsing and the disk
together. A 2xx is sent only after the commit (promise D2); every refusal has a named reason (D1, D5).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from orchestrator.database import DatabaseError
from orchestrator.doorbell.body import (
    Gone,
    Room,
    check_announced,
    header_names,
    read_body,
    single_headers,
)
from orchestrator.doorbell.problems import CONTENT_TYPE, PROBLEMS, RETRY_AFTER, body_of
from orchestrator.errors import Reason, Refused, SenderError
from orchestrator.inbox.inbox import Arrival, Duplicate, Kept, Quarantined, Receipt, Refusal
from orchestrator.sources.source import Reading, Source

DEADLINE: Final = 10.0
"""Seconds for a body, and again for its commit; GitHub itself waits no longer."""

HEAVY: Final = 256 * 1024
"""Bytes from which a body is verified and read in a thread, so that it doesn't hold up the others."""


class Keeps(Protocol):
    """Where verified deliveries go."""

    async def keep(self, arrival: Arrival) -> Receipt:
        """Keep it on disk. Raises `Overloaded` or `DatabaseError`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the door is made of; `now`, `new_id` and the deadline are its only surprises."""

    sources: Callable[[], Mapping[str, Source]]
    commit: Keeps
    refuse: Callable[[Refusal], Awaitable[None]]
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    log: FilteringBoundLogger
    deadline: float = DEADLINE
    room: Room = field(default_factory=Room)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A status with its JSON, and what the log line says about it."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: tuple[tuple[bytes, bytes], ...] = ()
    line: Mapping[str, Any] = field(default_factory=dict)


def door(
    sources: Callable[[], Mapping[str, Source]],
    commit: Keeps,
    refuse: Callable[[Refusal], Awaitable[None]],
    now: Callable[[], datetime],
    new_id: Callable[[], str],
    log: FilteringBoundLogger,
    *,
    deadline: float = DEADLINE,
) -> ASGIApp:
    """The application to mount at `/hooks`; what is left of the path names the source."""
    parts = Parts(
        sources=sources,
        commit=commit,
        refuse=refuse,
        now=now,
        new_id=new_id,
        log=log,
        deadline=deadline,
    )

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP:
            await _ring(parts, scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008, "reason": "Only POST rings here"})

    return application


async def _ring(parts: Parts, scope: Any, receive: Receive, send: Send) -> None:
    received_at = parts.now()
    name = _source_name(scope["path"])
    try:
        answer = await _keep(parts, scope, receive, name, received_at)
    except SenderError as error:
        answer = await _refused(parts, scope, error, name, received_at)
    except (DatabaseError, TimeoutError) as error:
        answer = _problem(Reason.OVERLOADED, {"error": str(error) or "the commit took too long"})
    except Gone:
        parts.log.info("delivery", source=name, outcome="gone")
        return
    milliseconds = round((parts.now() - received_at).total_seconds() * 1000, 1)
    parts.log.info("delivery", source=name, status=answer.status, ms=milliseconds, **answer.line)
    await _send(send, answer)


async def _keep(
    parts: Parts, scope: Any, receive: Receive, name: str, received_at: datetime
) -> Answer:
    if scope["method"] != "POST":
        raise Refused(Reason.METHOD_NOT_ALLOWED, "expected POST")
    source = parts.sources().get(name)
    if source is None:
        raise Refused(Reason.UNKNOWN_SOURCE, "expected the name of a source")
    headers = single_headers(scope["headers"])
    check_announced(headers, source.max_body)
    body = await read_body(receive, source.max_body, parts.deadline, parts.room)
    reading = await _proved(source, headers, body, received_at)
    arrival = _arrival(source, reading, headers, body, received_at, parts.new_id())
    async with asyncio.timeout(parts.deadline):
        receipt = await parts.commit.keep(arrival)
    return _kept(receipt, reading, len(body))


async def _proved(
    source: Source, headers: Mapping[str, str], body: bytes, now: datetime
) -> Reading:
    if len(body) < HEAVY:
        return _read(source, headers, body, now)
    return await asyncio.to_thread(_read, source, headers, body, now)


def _read(source: Source, headers: Mapping[str, str], body: bytes, now: datetime) -> Reading:
    secrets = [secret.reveal().encode() for secret in source.secrets]
    source.scheme.verify(headers, body, secrets, now)
    return source.dialect.read(headers, body)


def _arrival(
    source: Source,
    reading: Reading,
    headers: Mapping[str, str],
    body: bytes,
    received_at: datetime,
    new_id: str,
) -> Arrival:
    return Arrival(
        id=new_id,
        source=source.name,
        delivery_id=reading.delivery_id,
        type=reading.type,
        subject=reading.subject,
        actor=reading.actor,
        keys=reading.keys,
        headers=headers,
        body=body,
        received_at=received_at,
        dedupe_body=source.dedupe_body,
    )


def _kept(receipt: Receipt, reading: Reading, size: int) -> Answer:
    status, event, of = _named(receipt)
    told = {"event": event, "status": status, "duplicate_of": of, "hint": f"doorbell why {event}"}
    line = {"outcome": status, "event_id": event, "delivery_id": reading.delivery_id}
    return Answer(
        status=202,
        body=msgspec.json.encode(told),
        line={**line, "type": reading.type, "bytes": size},
    )


def _named(receipt: Receipt) -> tuple[str, str, str | None]:
    match receipt:
        case Kept():
            return "kept", receipt.id, None
        case Duplicate():
            return "duplicate", receipt.of, receipt.of
        case Quarantined():
            return "quarantined", receipt.id, receipt.of


async def _refused(parts: Parts, scope: Any, error: SenderError, name: str, at: datetime) -> Answer:
    line = {"outcome": "refused", "reason": str(error.reason), "detail": error.detail}
    if error.reason is not Reason.OVERLOADED:
        refusal = Refusal(
            at=at,
            source=name,
            reason=error.reason,
            detail=error.detail,
            headers=header_names(scope["headers"]),
        )
        try:
            async with asyncio.timeout(parts.deadline):
                await parts.refuse(refusal)
        except (DatabaseError, SenderError, TimeoutError):
            # The refusal stands whether or not it could be remembered; this line says that it wasn't.
            line["unrecorded"] = "true"
    return _problem(error.reason, line)


def _problem(reason: Reason, line: Mapping[str, Any]) -> Answer:
    extra: tuple[tuple[bytes, bytes], ...] = ()
    match reason:
        case Reason.METHOD_NOT_ALLOWED:
            extra = ((b"allow", b"POST"),)
        case Reason.OVERLOADED:
            extra = ((b"retry-after", str(RETRY_AFTER).encode()),)
        case Reason.TOO_LARGE | Reason.TOO_SLOW | Reason.UNSUPPORTED_ENCODING:
            # The rest of the body is not going to be read.
            extra = ((b"connection", b"close"),)
        case _:
            pass
    return Answer(
        status=PROBLEMS[reason].status,
        body=body_of(reason),
        content_type=CONTENT_TYPE,
        headers=extra,
        line={**line, "outcome": "deferred"} if reason is Reason.OVERLOADED else line,
    )


async def _send(send: Send, answer: Answer) -> None:
    headers = [
        (b"content-type", answer.content_type.encode()),
        (b"content-length", str(len(answer.body)).encode()),
        *answer.headers,
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})


def _source_name(path: str) -> str:
    # A mount sees "/github/"; anything that isn't one segment names no source. Bounded for log and table.
    slash, _, name = path.removesuffix("/").partition("/")
    return name[:64] if not slash else ""
