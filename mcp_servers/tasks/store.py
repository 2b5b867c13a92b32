"""What a task store promises; it names no database. `memory` and `sql` keep it, and one suite judges both.

Each verb is one transaction, on disk when it returns. A callback and the key it waits for find each other whichever
comes first. `StoreUnavailable` may come from each of them.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Protocol

from mcp_servers.tasks.states import Cancelled, Change, Completed, Failed, Task, Working

LEASE: Final = timedelta(minutes=2)
"""How long whoever opened a task may take over the outside call before a repetition makes it again."""


class StoreUnavailable(Exception):
    """The store can do nothing just now; nothing of what was asked happened."""


class KeyTaken(Exception):
    """A correlation key that already belongs to another task."""


class OtherArguments(Exception):
    """An idempotency key that was used for another call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A call that wants to be a task. `digest` is of its arguments: the same key with others is a mistake."""

    id: str
    token: str
    principal: str
    tool: str
    digest: str
    idempotency: str | None
    ttl: timedelta | None
    poll: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The task of a call.

    `mine` says that the outside call is now for the asker to make; `again`, that it may have been made before.
    """

    task: Task
    mine: bool
    again: bool


Told = Working | Completed | Failed | Cancelled
"""What a callback can tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """What came from outside: whose it is, by any of its keys, and what it says.

    `id` is the same when it comes again.
    """

    id: str
    keys: Sequence[str]
    told: Told


class Reception(StrEnum):
    """What became of a callback."""

    APPLIED = "applied"
    """A task changed."""
    EARLY = "early"
    """No task is known by its keys yet: it's kept for the one that will be."""
    LATE = "late"
    """Its task had ended."""
    DUPLICATE = "duplicate"
    """It came before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A callback's fate, and the tasks that changed by it."""

    reception: Reception
    tasks: Sequence[str] = ()


class Store(Protocol):
    """Where tasks are kept."""

    async def open(self, draft: Draft, now: datetime) -> Opened:
        """The draft as a task, or the task that the same principal, tool and idempotency key opened before.

        Raises `OtherArguments`.
        """

    async def name(
        self, id_: str, keys: Iterable[str], change: Change | None, now: datetime
    ) -> Task:
        """Make a change, give a task its correlation keys, then apply the callbacks that came early.

        From now on a repetition finds the outside call made. Raises `KeyTaken`, `LookupError`.
        """

    async def forget(self, id_: str) -> None:
        """Drop a task that has not been named and has not ended: its outside call certainly didn't happen."""

    async def get(self, ids: Iterable[str]) -> Mapping[str, Task]:
        """The tasks of these ids that are known."""

    async def keys(self, id_: str) -> Sequence[str]:
        """The correlation keys of a task, sorted."""

    async def unfinished(self) -> Sequence[Task]:
        """The tasks that haven't ended, oldest first: what a server that starts again has to take up."""

    async def move(self, id_: str, change: Change, now: datetime) -> Task | None:
        """Change a task; None where that changes nothing. Raises `KeyReused`."""

    async def receive(self, callback: Callback, now: datetime) -> Received:
        """Keep a callback and apply it to the tasks that wait for it."""

    async def prune(self, now: datetime, keep: timedelta) -> int:
        """Delete what ended, expired or came more than `keep` ago, and never before a task's own time is over.

        Returns how many tasks and callbacks went.
        """


def digest_of(arguments: Mapping[str, Any]) -> str:
    """Names the arguments of a call."""
    text = json.dumps(arguments, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def plain(text: str) -> str:
    """An id from outside as every database takes it: without NUL and lone surrogates."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def token_key(token: str) -> str:
    """The correlation key under which every task is known from the start."""
    return f"task:{token}"


def drafted(draft: Draft, now: datetime) -> Task:
    """The task that a draft becomes."""
    return Task(
        id=draft.id,
        token=draft.token,
        principal=draft.principal,
        tool=draft.tool,
        created_at=now,
        updated_at=now,
        ttl=draft.ttl,
        poll=draft.poll,
    )


def other_arguments(draft: Draft) -> OtherArguments:
    """The mistake of using one key for two calls."""
    return OtherArguments(
        f"expected the arguments that this idempotency key was first used with by {draft.tool!r}, got others: "
        "use a new key for another call"
    )


def key_taken(key: str, id_: str) -> KeyTaken:
    """The mistake of two tasks waiting for one thing."""
    return KeyTaken(
        f"expected a correlation key of task {id_!r} alone, {key!r} belongs to another one"
    )


def unknown(id_: str) -> LookupError:
    """There is no such task."""
    return LookupError(f"expected the id of a task, got {id_!r}")
