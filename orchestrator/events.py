"""What a delivery is and what an event means, in CloudEvents words; it knows no scheme, rule or database.

A `Delivery` is one HTTP request as it arrived. An `Event` is what it means once a source has verified and
read it: who sent it (`source`), what happened (`type`, such as `issues.opened`), to what (`subject`), by whom
(`actor`), and the correlation keys (`kind:value`) by which waiting runs find it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One HTTP request: header names in lower case, the body as the exact bytes that were signed."""

    source: str
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who did it, in the sender's own words; `bot` is the sender's claim, never a proof of trust."""

    id: str | None = None
    login: str | None = None
    bot: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who wrote the newest text of a payload, where its source vouches for that.

    `association` is theirs to the repository, `app` the slug of the app they just wrote it through; `fork` is whether
    code from another repository is proposed, None where the payload doesn't say.
    """

    id: str | None = None
    login: str | None = None
    association: str | None = None
    app: str | None = None
    fork: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What happened. `data` is the parsed payload; `id` is our receipt, `delivery_id` the sender's.

    Without an `author` its source knows no such thing.
    """

    id: str
    source: str
    delivery_id: str | None
    type: str
    subject: str | None
    actor: Actor | None
    keys: tuple[str, ...]
    received_at: datetime
    headers: Mapping[str, str]
    data: Any
    author: Author | None = None

    def scope(self) -> dict[str, Any]:
        """The one vocabulary of rules and templates: `event` is the payload, the rest stands beside it."""
        return {
            "event": self.data,
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "subject": self.subject,
            "actor": None if self.actor is None else self.actor.login or self.actor.id,
            "headers": dict(self.headers),
        }


def event_id(at: datetime, drawn: bytes) -> str:
    """A new event's id; it begins with its second, so that new ids stand side by side in an index of old ones."""
    return f"evt_{int(at.timestamp()):08x}{drawn.hex()}"
