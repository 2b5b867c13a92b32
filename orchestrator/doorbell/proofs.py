"""What the door does with a delivery before it is one: the proof, the greeting, the split; it keeps nothing.

Most sources need none of this but the proof. The private parts of a request (a token, the query, the peer's address)
are put together for the scheme alone and forgotten with it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from orchestrator.errors import Reason, Refused, SenderError
from orchestrator.signatures.scheme import PEER, QUERY
from orchestrator.signatures.sns import CertificateWanted, SnsScheme
from orchestrator.sources.greeting import Greeting, Reply
from orchestrator.sources.source import Reading, Source

HEAVY: Final = 256 * 1024
"""Bytes from which a body is verified and read in a thread, so that it doesn't hold up the others."""

Fetch = Callable[[str], Awaitable[bytes]]
"""Get the bytes at a pinned address. Raises `OSError` where that fails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One event of a delivery: what it says, and its own bytes."""

    reading: Reading
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Knock:
    """A request as it came; `proof` has what `headers` leave out."""

    source: Source
    headers: Mapping[str, str]
    proof: Mapping[str, str]
    body: bytes
    at: datetime


def proof_of(scope: Any, source: Source, headers: Mapping[str, str]) -> Mapping[str, str]:
    """The headers, and of the private parts those that the scheme asks for."""
    private = source.scheme.private
    if not private:
        return headers
    raw = {name.lower(): value for name, value in scope["headers"]}
    peer = scope.get("client")
    found = {
        QUERY: scope.get("query_string", b"").decode("latin-1"),
        PEER: "" if peer is None else str(peer[0]),
        "authorization": raw.get(b"authorization", b"").decode("latin-1").strip(),
    }
    return {**headers, **{name: value for name, value in found.items() if name in private}}


def kept_of(source: Source, headers: Mapping[str, str]) -> Mapping[str, str]:
    """The headers without those in which a secret travels."""
    private = source.scheme.private
    if not private:
        return headers
    return {name: value for name, value in headers.items() if name not in private}


async def opened(knock: Knock, fetch: Fetch | None) -> Reply | list[Letter]:
    """The delivery's events, or the answer to a greeting. Raises `SenderError`."""
    try:
        answer = await _off_the_loop(knock)
    except CertificateWanted as wanted:
        await _learn(knock.source, wanted.url, fetch)
        answer = await _off_the_loop(knock)
    if isinstance(answer, Reply) and answer.fetch is not None:
        await fetched(answer.fetch, fetch)
    return answer


def asked(source: Source | None, method: str, query: str, headers: Mapping[str, str]) -> Reply:
    """The answer to a method that isn't POST. Raises `Refused` where the source has no use for it."""
    handshake = None if source is None else source.handshake
    reply = None
    if handshake is not None and method in handshake.methods:
        reply = handshake.hello(query, headers)
    if reply is None:
        raise Refused(Reason.METHOD_NOT_ALLOWED, "expected POST")
    return reply


def open_now(knock: Knock) -> Reply | list[Letter]:
    """The same as `opened`, on this thread and with what is known. Raises `SenderError`, `CertificateWanted`."""
    source = knock.source
    secrets = [secret.reveal().encode() for secret in source.secrets]
    source.scheme.verify(knock.proof, knock.body, secrets, knock.at)
    if source.handshake is not None:
        proving = _proving(knock, secrets)
        greeting = Greeting(headers=knock.headers, body=knock.body, secret=proving)
        reply = source.handshake.greet(greeting)
        if reply is not None:
            return reply
    bodies = [knock.body] if source.batch is None else source.batch.split(knock.body)
    return [Letter(reading=source.dialect.read(knock.headers, one), body=one) for one in bodies]


async def fetched(url: str, fetch: Fetch | None) -> bytes:
    """The bytes at a pinned address. Raises `SenderError` (deferred): the sender asks again."""
    if fetch is None:
        raise SenderError(
            Reason.OVERLOADED, "this door fetches nothing: it was started without a way to"
        )
    try:
        return await fetch(url)
    except OSError as error:
        raise SenderError(
            Reason.OVERLOADED, f"{url.partition('?')[0]} can't be fetched: {error}"
        ) from None


async def _off_the_loop(knock: Knock) -> Reply | list[Letter]:
    if len(knock.body) < HEAVY:
        return open_now(knock)
    return await asyncio.to_thread(open_now, knock)


async def _learn(source: Source, url: str, fetch: Fetch | None) -> None:
    if isinstance(source.scheme, SnsScheme):
        source.scheme.learn(url, await fetched(url, fetch))


def _proving(knock: Knock, secrets: list[bytes]) -> bytes:
    """The first secret that proves it alone."""
    for secret in secrets:
        try:
            knock.source.scheme.verify(knock.proof, knock.body, [secret], knock.at)
        except Refused:
            continue
        return secret
    return b""
