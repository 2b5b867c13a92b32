"""A request read as its source would read it, without the door: the event it means, and whether its signature holds.

The proof isn't asked for, as fixtures are written by hand; where one came along and the secret is there, it must fit.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final

from orchestrator.errors import Malformed, OperatorError, Reason, Refused, SenderError
from orchestrator.events import Event
from orchestrator.rehearsal.requests import Request
from orchestrator.signatures.scheme import PEER, QUERY
from orchestrator.signatures.sns import CertificateWanted
from orchestrator.sources.authors import author_in
from orchestrator.sources.source import Source

HERE: Final = "127.0.0.1"
OLD: Final = frozenset({Reason.STALE, Reason.FUTURE})
"""What a scheme says of a signature that fits: the clock of a fixture is always wrong."""


class Proof(StrEnum):
    """What is known of a request's signature."""

    VERIFIED = "verified"
    UNSIGNED = "not signed"
    UNCHECKED = "not checked"


def event_in(request: Request, source: Source, now: datetime) -> Event:
    """The one event of a request; its id is derived from its bytes.

    Raises `OperatorError` where the source can't read it, or it holds several events.
    """
    try:
        bodies = [request.body] if source.batch is None else source.batch.split(request.body)
        if len(bodies) != 1:
            raise OperatorError(f"expected one event in the delivery, got {len(bodies)}")
        headers = kept(request.headers, source)
        reading = source.dialect.read(headers, bodies[0])
    except SenderError as error:
        raise OperatorError(f"{source.name!r} can't read it: {error}{_hint(error)}") from None
    return Event(
        id=f"evt_{hashlib.sha256(bodies[0]).hexdigest()[:16]}",
        source=source.name,
        delivery_id=reading.delivery_id,
        type=reading.type,
        subject=reading.subject,
        actor=reading.actor,
        keys=reading.keys,
        received_at=now,
        headers=headers,
        data=reading.data,
        author=author_in(source.dialect, reading.data),
    )


def proof_of(request: Request, source: Source, now: datetime) -> Proof:
    """What its signature is worth. Raises `Refused` for one that is wrong."""
    secrets = [secret.reveal().encode() for secret in source.secrets]
    if not secrets and source.scheme.proves.body:
        return Proof.UNCHECKED
    headers = {**request.headers, QUERY: request.query, PEER: HERE}
    try:
        source.scheme.verify(headers, request.body, secrets, now)
    except CertificateWanted:
        return Proof.UNCHECKED
    except Refused as error:
        if error.reason is Reason.NO_SIGNATURE:
            return Proof.UNSIGNED
        if error.reason not in OLD:
            raise
    return Proof.VERIFIED


def kept(headers: Mapping[str, str], source: Source) -> dict[str, str]:
    """The headers as the door would keep them: without those in which a secret travels."""
    return {name: value for name, value in headers.items() if name not in source.scheme.private}


def _hint(error: SenderError) -> str:
    if isinstance(error, Malformed) and error.reason is Reason.TYPE_MISMATCH:
        return " (the header that names the event doesn't fit the body)"
    return ""
