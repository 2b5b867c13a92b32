"""Content-addressed texts and bytes: stored once, named by their SHA-256; it knows no meaning of them.

What no column of `REFERENCES` names is marked as garbage, and deleted when it has been so for a day. Whoever refers to
an artifact puts it in the same transaction, which takes its mark away.
"""

import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Column, Connection, delete, select, union_all

from orchestrator.ledger.handles import table as handles
from orchestrator.ledger.schema import artifacts, calls, configurations, conversations, garbage
from orchestrator.ledger.upsert import leave
from orchestrator.rules.rulebook import PAGES

DEFINITION: Final = "application/vnd.doorbell.tool+json"
"""The media type of tools' definitions, named by the hashes that runs pin; there are few, for all runs share them."""

REFERENCES: Final[Sequence[Column[Any]]] = (
    conversations.c.frozen,
    calls.c.artifact,
    configurations.c.digest,
    handles.c.artifact,
)


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
    # Before the insert: whoever deletes it holds its mark, so this waits, and then puts it anew.
    connection.execute(delete(garbage).where(garbage.c.digest == digest))
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


def unreferenced(connection: Connection, limit: int) -> list[str]:
    """Names of artifacts that nothing refers to and that aren't marked yet."""
    wanted = (
        select(artifacts.c.digest)
        .where(
            # The inbox's decisions name the ones, pinned tools the others: nobody here knows for how long.
            artifacts.c.media_type.not_in((PAGES, DEFINITION)),
            artifacts.c.digest.not_in(_referenced()),
            artifacts.c.digest.not_in(select(garbage.c.digest)),
        )
        .limit(limit)
    )
    return list(connection.scalars(wanted))


def mark(connection: Connection, digests: Sequence[str], at: float) -> None:
    """Remember since when nothing refers to these."""
    for digest in digests:
        leave(connection, garbage, digest=digest, since=at)


def doomed(connection: Connection, before: float, limit: int) -> list[str]:
    """Names that were marked before then and that still nothing refers to."""
    wanted = select(garbage.c.digest).where(
        garbage.c.since < before, garbage.c.digest.not_in(_referenced())
    )
    return list(connection.scalars(wanted.limit(limit)))


def delete_marked(connection: Connection, digests: Sequence[str]) -> int:
    """Delete those of them that are still marked; returns how many."""
    marked = delete(garbage).where(garbage.c.digest.in_(digests)).returning(garbage.c.digest)
    ours = list(connection.scalars(marked))
    connection.execute(delete(artifacts).where(artifacts.c.digest.in_(ours)))
    return len(ours)


def _referenced() -> Any:
    return union_all(*(select(column).where(column.is_not(None)) for column in REFERENCES))
