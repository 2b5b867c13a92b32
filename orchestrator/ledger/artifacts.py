"""Content-addressed texts and bytes: stored once, named by their SHA-256; it knows no meaning of them."""

import hashlib
import zlib
from dataclasses import dataclass

from sqlalchemy import Connection, select

from orchestrator.ledger.schema import artifacts
from orchestrator.ledger.upsert import leave


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """Some bytes and what they are."""

    digest: str
    media_type: str
    body: bytes


def digest_of(body: bytes) -> str:
    """The name of these bytes."""
    return hashlib.sha256(body).hexdigest()


def put(connection: Connection, body: bytes, media_type: str, at: float) -> str:
    """Keep bytes; returns their name."""
    digest = digest_of(body)
    leave(
        connection,
        artifacts,
        digest=digest,
        media_type=media_type,
        size=len(body),
        body=zlib.compress(body, 1),
        at=at,
    )
    return digest


def get(connection: Connection, digest: str) -> Artifact | None:
    """The bytes of that name."""
    row = connection.execute(select(artifacts).where(artifacts.c.digest == digest)).one_or_none()
    if row is None:
        return None
    return Artifact(digest=digest, media_type=row.media_type, body=zlib.decompress(row.body))
