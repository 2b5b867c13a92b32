"""Which configuration came into force when, and what stood in it; it reads none of them.

The content hashes to the digest that decisions name, so it is an artifact like any other.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Select, func, select

from orchestrator.ledger import artifacts
from orchestrator.ledger.schema import configurations
from orchestrator.ledger.upsert import leave

T = TypeVar("T")

CONFIGURATION: Final = "application/vnd.doorbell.configuration"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One of them; `at` is when it came into force first, in seconds since 1970."""

    digest: str
    content: bytes
    at: float


def came(connection: Connection, content: bytes, at: float) -> str:
    """Keep a configuration that comes into force; returns its digest. One that is in force already is left alone."""
    digest = artifacts.put(connection, content, CONFIGURATION, at)
    newest = select(configurations.c.digest).order_by(configurations.c.at.desc()).limit(1)
    if connection.scalars(newest).one_or_none() != digest:
        leave(connection, configurations, at=at, digest=digest)
    return digest


def find(connection: Connection, digest: str) -> Kept | None:
    """The configuration of that digest."""
    first = select(func.min(configurations.c.at)).where(configurations.c.digest == digest)
    at, found = connection.scalars(first).one(), artifacts.get(connection, digest)
    if at is None or found is None:
        return None
    return Kept(digest=digest, content=found.body, at=at)


def newest(connection: Connection, count: int) -> list[Kept]:
    """The last so many, each once, the newest first."""
    chosen = connection.scalars(_newest_first().limit(count)).all()
    found = [find(connection, digest) for digest in chosen]
    return [one for one in found if one is not None]


def latest(connection: Connection, asked: Callable[[bytes], T | None]) -> T | None:
    """What is answered about the newest content of which anything is."""
    for digest in connection.scalars(_newest_first()).all():
        kept = artifacts.get(connection, digest)
        said = None if kept is None else asked(kept.body)
        if said is not None:
            return said
    return None


def _newest_first() -> Select[Any]:
    last = func.max(configurations.c.at)
    return select(configurations.c.digest).group_by(configurations.c.digest).order_by(last.desc())
