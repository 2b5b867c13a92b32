"""`POST /hooks/{source}`: bytes in, one committed row, one honest answer; it knows no rule and no database.

A raw ASGI application, because a framework's request costs more than the signature, the parsing and the disk
together. A 2xx is sent only after the commit (promise D2); every refusal has a named reason (D1, D5).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final, Protocol

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from orchestrator.database import DatabaseError
from orchestrator.doorbell.body import (
    Gone,
    Room,
    check_announced,
    header_names,
    read_body,
    single_headers,
)
from orchestrator.doorbell.clients import Trusted, client_of
from orchestrator.doorbell.deadlines import Deadlines
from orchestrator.doorbell.problems import CONTENT_TYPE, PROBLEMS, RETRY_AFTER, body_of
from orchestrator.doorbell.proofs import Fetch, Knock, Letter, asked, kept_of, opened, proof_of
from orchestrator.errors import Reason, Refused, SenderError
from orchestrator.inbox.inbox import Arrival, Duplicate, Kept, Quarantined, Receipt, Refusal
from orchestrator.sources.greeting import Reply
from orchestrator.sources.source import Source
from orchestrator.telemetry.lines import DeliveryLine
from orchestrator.telemetry.words import Outcome

DEADLINE: Final = 10.0
"""Seconds for a body, and again for its commit; GitHub itself waits no longer."""

OUTCOMES: Final[Mapping[type[Receipt], Outcome]] = {
    Kept: Outcome.ACCEPTED,
    Duplicate: Outcome.DUPLICATE,
    Quarantined: Outcome.QUARANTINED,
}

NO_CONTENT: Final = HTTPStatus.NO_CONTENT.value
AT_ONCE: Final = 128
"""Events of one batch that wait for the disk together: half of what one commit takes."""


class Keeps(Protocol):
    """Where verified deliveries go."""

    async def keep(self, arrival: Arrival) -> Receipt:
        """Keep it on disk. Raises `Overloaded` or `DatabaseError`."""


class Tell(Protocol):
    """Where the one word about each request goes."""

    def __call__(
        self, line: DeliveryLine, began: datetime, ended: datetime, traceparent: str | None = None
    ) -> None:
        """Tell of it; never waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the door is made of; `now`, `new_id` and the deadline are its only surprises.

    `fetch` is how it gets a pinned certificate or confirms a listed subscription; without it, neither.
    """

    sources: Callable[[], Mapping[str, Source]]
    commit: Keeps
    refuse: Callable[[Refusal], Awaitable[None]]
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    tell: Tell
    deadline: float = DEADLINE
    trusted: Trusted = ()
    room: Room = field(default_factory=Room)
    deadlines: Deadlines = field(default_factory=Deadlines)
    fetch: Fetch | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A status with its JSON, and what is told of it."""

    status: int
    body: bytes
    line: DeliveryLine
    content_type: str = "application/json"
    headers: tuple[tuple[bytes, bytes], ...] = ()


def door(
    sources: Callable[[], Mapping[str, Source]],
    commit: Keeps,
    refuse: Callable[[Refusal], Awaitable[None]],
    now: Callable[[], datetime],
    new_id: Callable[[], str],
    tell: Tell,
    *,
    deadline: float = DEADLINE,
    trusted: Trusted = (),
    fetch: Fetch | None = None,
) -> ASGIApp:
    """The application to mount at `/hooks`; what is left of the path names the source."""
    parts = Parts(
        sources=sources,
        commit=commit,
        refuse=refuse,
        now=now,
        new_id=new_id,
        tell=tell,
        deadline=deadline,
        trusted=trusted,
        fetch=fetch,
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
        why = str(error) or "the commit took too long"
        answer = _problem(name, Reason.OVERLOADED, why)
    except Gone:
        answer = None
    except BaseException:
        _tell(
            parts, scope, DeliveryLine(source=name, outcome=Outcome.FAULT, status=500), received_at
        )
        raise
    if answer is None:
        # Whoever is gone hears nothing; whose chunks can't be read is still there, and must not wait for ever.
        answer = _problem(name, Reason.BROKEN_OFF, "the body broke off")
        answer.line.outcome, answer.line.reason = Outcome.GONE, None
    answer.line.status = answer.status
    _tell(parts, scope, answer.line, received_at)
    await _send(send, answer)


def _tell(parts: Parts, scope: Any, line: DeliveryLine, began: datetime) -> None:
    peer = scope.get("client")
    if peer is not None:
        line.from_ = client_of(peer[0], scope["headers"], parts.trusted)
    parts.tell(line, began, parts.now(), _traceparent(scope["headers"]))


def _traceparent(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    # Nobody has signed it: it is only ever a link from our trace to the sender's.
    return next(
        (value.decode("latin-1") for name, value in headers if name == b"traceparent"), None
    )


async def _keep(
    parts: Parts, scope: Any, receive: Receive, name: str, received_at: datetime
) -> Answer:
    source = parts.sources().get(name)
    if scope["method"] != "POST":
        return _asked(name, source, scope)
    if source is None:
        raise Refused(Reason.UNKNOWN_SOURCE, "expected the name of a source")
    headers = single_headers(scope["headers"])
    check_announced(headers, source.max_body)
    body = await read_body(receive, source.max_body, parts.deadline, parts.room, parts.deadlines)
    proof = proof_of(scope, source, headers)
    knock = Knock(
        source=source, headers=kept_of(source, headers), proof=proof, body=body, at=received_at
    )
    found = await opened(knock, parts.fetch)
    if isinstance(found, Reply):
        return _replied(found, None, DeliveryLine(source=name, outcome=Outcome.GREETED))
    if source.batch is None:
        return await _keep_one(parts, knock, found.pop())
    return await _keep_all(parts, knock, found)


def _asked(name: str, source: Source | None, scope: Any) -> Answer:
    query = scope.get("query_string", b"").decode("latin-1")
    headers = {name.decode("latin-1").lower(): value for name, value in scope["headers"]}
    texts = {name: value.decode("latin-1").strip() for name, value in headers.items()}
    reply = asked(source, scope["method"], query, texts)
    return _replied(reply, None, DeliveryLine(source=name, outcome=Outcome.GREETED))


async def _keep_one(parts: Parts, knock: Knock, letter: Letter) -> Answer:
    arrival = _arrival(knock, letter, parts.new_id())
    reply = _reply(knock.source, letter)
    # What was read is many times as large as its bytes, and must not wait for the disk with them.
    del letter
    with parts.deadlines.within(parts.deadline):
        receipt = await parts.commit.keep(arrival)
    told = _told(receipt)
    line = DeliveryLine(
        source=arrival.source,
        outcome=OUTCOMES[type(receipt)],
        event_id=told["event"],
        duplicate_of=told["duplicate_of"],
        delivery_id=arrival.delivery_id,
        type=arrival.type,
        bytes=len(arrival.body),
    )
    return _thanks(reply, told, line)


async def _keep_all(parts: Parts, knock: Knock, letters: Sequence[Letter]) -> Answer:
    """Keep every event of a batch; if one can't be kept, the sender rings again and the others are duplicates."""
    receipts: list[Receipt] = []
    with parts.deadlines.within(parts.deadline):
        for start in range(0, len(letters), AT_ONCE):
            arrivals = [
                _arrival(knock, letter, parts.new_id())
                for letter in letters[start : start + AT_ONCE]
            ]
            receipts += await asyncio.gather(*map(parts.commit.keep, arrivals))
    told = [_told(receipt) for receipt in receipts]
    line = DeliveryLine(
        source=knock.source.name,
        outcome=Outcome.SPLIT,
        events=len(told),
        kept=sum(isinstance(receipt, Kept) for receipt in receipts),
        bytes=len(knock.body),
    )
    reply = _reply(knock.source, letters[0]) if letters else None
    return _thanks(reply, told[0] if len(told) == 1 else {"events": told}, line)


def _reply(source: Source, letter: Letter) -> Reply | None:
    return None if source.thanks is None else source.thanks(letter.reading)


def _thanks(reply: Reply | None, told: Mapping[str, Any], line: DeliveryLine) -> Answer:
    if reply is None:
        return Answer(status=202, body=msgspec.json.encode(told), line=line)
    return _replied(reply, told, line)


def _replied(reply: Reply, told: Mapping[str, Any] | None, line: DeliveryLine) -> Answer:
    return Answer(
        status=reply.status,
        body=msgspec.json.encode(told) if reply.body is None else reply.body,
        content_type=reply.content_type,
        headers=reply.headers,
        line=line,
    )


def _arrival(knock: Knock, letter: Letter, new_id: str) -> Arrival:
    reading = letter.reading
    return Arrival(
        id=new_id,
        source=knock.source.name,
        delivery_id=reading.delivery_id,
        type=reading.type,
        subject=reading.subject,
        actor=reading.actor,
        keys=reading.keys,
        headers=knock.headers,
        body=letter.body,
        received_at=knock.at,
        dedupe_body=knock.source.dedupe_body,
        lasting=reading.lasting,
    )


def _told(receipt: Receipt) -> Mapping[str, Any]:
    status, event, of = _named(receipt)
    return {"event": event, "status": status, "duplicate_of": of, "hint": f"doorbell why {event}"}


def _named(receipt: Receipt) -> tuple[str, str, str | None]:
    match receipt:
        case Kept():
            return "kept", receipt.id, None
        case Duplicate():
            return "duplicate", receipt.of, receipt.of
        case Quarantined():
            return "quarantined", receipt.id, receipt.of


async def _refused(parts: Parts, scope: Any, error: SenderError, name: str, at: datetime) -> Answer:
    answer = _problem(name, error.reason, error.detail)
    if error.reason is not Reason.OVERLOADED:
        refusal = Refusal(
            at=at,
            source=name,
            reason=error.reason,
            detail=error.detail,
            headers=header_names(scope["headers"]),
        )
        try:
            with parts.deadlines.within(parts.deadline):
                await parts.refuse(refusal)
        except (DatabaseError, SenderError, TimeoutError):
            # The refusal stands whether or not it could be remembered; this line says that it wasn't.
            answer.line.unrecorded = True
    return answer


def _problem(name: str, reason: Reason, detail: str) -> Answer:
    deferred = reason is Reason.OVERLOADED
    extra: tuple[tuple[bytes, bytes], ...] = ()
    match reason:
        case Reason.METHOD_NOT_ALLOWED:
            extra = ((b"allow", b"POST"),)
        case Reason.OVERLOADED | Reason.UNKNOWN_SUBSCRIPTION:
            extra = ((b"retry-after", str(RETRY_AFTER).encode()),)
        case Reason.TOO_LARGE | Reason.TOO_SLOW | Reason.BROKEN_OFF | Reason.UNSUPPORTED_ENCODING:
            # The rest of the body is not going to be read.
            extra = ((b"connection", b"close"),)
        case _:
            pass
    return Answer(
        status=PROBLEMS[reason].status,
        body=body_of(reason),
        content_type=CONTENT_TYPE,
        headers=extra,
        line=DeliveryLine(
            source=name,
            outcome=Outcome.DEFERRED if deferred else Outcome.REFUSED,
            reason=reason,
            detail=detail,
        ),
    )


async def _send(send: Send, answer: Answer) -> None:
    headers = [*answer.headers]
    if answer.status != NO_CONTENT:
        headers.append((b"content-type", answer.content_type.encode()))
        headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})


def _source_name(path: str) -> str:
    # A mount sees "/github/"; anything that isn't one segment names no source. Bounded for log and table.
    slash, _, name = path.removesuffix("/").partition("/")
    return name[:64] if not slash else ""
