"""Tasks in memory: the twin of `sql` for tests and for servers whose tasks may die with them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import final

from typing_extensions import override

from mcp_servers.tasks.states import Change, Task, after
from mcp_servers.tasks.store import (
    LEASE,
    Callback,
    Draft,
    Opened,
    Received,
    Reception,
    Store,
    drafted,
    key_taken,
    other_arguments,
    token_key,
    unknown,
)


@dataclass(slots=True, kw_only=True)
class _Asked:
    """What is known of a task's outside call."""

    digest: str
    until: datetime
    named: bool = False


@dataclass(slots=True, kw_only=True)
class _Kept:
    callback: Callback
    received_at: datetime
    waiting: bool


@final
@dataclass(slots=True)
class MemoryStore(Store):
    """Keeps everything until the process ends."""

    _tasks: dict[str, Task] = field(default_factory=dict)
    _asked: dict[str, _Asked] = field(default_factory=dict)
    _idempotent: dict[tuple[str, str, str], str] = field(default_factory=dict)
    _keys: dict[str, str] = field(default_factory=dict)
    _callbacks: dict[str, _Kept] = field(default_factory=dict)

    @override
    async def open(self, draft: Draft, now: datetime) -> Opened:
        who = (draft.principal, draft.tool, draft.idempotency or "")
        known = self._idempotent.get(who) if draft.idempotency else None
        if known is not None:
            return self._opened_again(draft, known, now)
        task = drafted(draft, now)
        self._tasks[task.id] = task
        self._asked[task.id] = _Asked(digest=draft.digest, until=now + LEASE)
        self._keys[token_key(task.token)] = task.id
        if draft.idempotency:
            self._idempotent[who] = task.id
        return Opened(task=task, mine=True, again=False)

    def _opened_again(self, draft: Draft, id_: str, now: datetime) -> Opened:
        task, asked = self._tasks[id_], self._asked[id_]
        if asked.digest != draft.digest:
            raise other_arguments(draft)
        mine = not (asked.named or task.ended or now < asked.until)
        if mine:
            asked.until = now + LEASE
        return Opened(task=task, mine=mine, again=True)

    @override
    async def name(
        self, id_: str, keys: Iterable[str], change: Change | None, now: datetime
    ) -> Task:
        if id_ not in self._tasks:
            raise unknown(id_)
        named = sorted(set(keys))
        for key in named:
            if self._keys.get(key, id_) != id_:
                raise key_taken(key, id_)
        self._keys |= dict.fromkeys(named, id_)
        self._asked[id_].named = True
        if change is not None:
            self._move(id_, change, now)
        for kept in self._callbacks.values():
            if kept.waiting and not set(named).isdisjoint(kept.callback.keys):
                kept.waiting = False
                self._move(id_, kept.callback.told, now)
        return self._tasks[id_]

    @override
    async def forget(self, id_: str) -> None:
        task = self._tasks.get(id_)
        if task is not None and not task.ended and not self._asked[id_].named:
            self._drop(id_)

    @override
    async def get(self, ids: Iterable[str]) -> Mapping[str, Task]:
        return {id_: self._tasks[id_] for id_ in ids if id_ in self._tasks}

    @override
    async def keys(self, id_: str) -> Sequence[str]:
        return sorted(key for key, owner in self._keys.items() if owner == id_)

    @override
    async def unfinished(self) -> Sequence[Task]:
        going = (task for task in self._tasks.values() if not task.ended)
        return sorted(going, key=lambda task: (task.created_at, task.id))

    @override
    async def move(self, id_: str, change: Change, now: datetime) -> Task | None:
        return self._move(id_, change, now)

    @override
    async def receive(self, callback: Callback, now: datetime) -> Received:
        if callback.id in self._callbacks:
            return Received(reception=Reception.DUPLICATE)
        owners = sorted({self._keys[key] for key in callback.keys if key in self._keys})
        self._callbacks[callback.id] = _Kept(callback=callback, received_at=now, waiting=not owners)
        if not owners:
            return Received(reception=Reception.EARLY)
        moved = [id_ for id_ in owners if self._move(id_, callback.told, now) is not None]
        return Received(reception=Reception.APPLIED if moved else Reception.LATE, tasks=moved)

    @override
    async def prune(self, now: datetime, keep: timedelta) -> int:
        limit = now - keep
        gone = [task.id for task in self._tasks.values() if _over(task, limit)]
        old = [id_ for id_, kept in self._callbacks.items() if kept.received_at <= limit]
        for id_ in gone:
            self._drop(id_)
        for id_ in old:
            del self._callbacks[id_]
        return len(gone) + len(old)

    def _move(self, id_: str, change: Change, now: datetime) -> Task | None:
        task = self._tasks.get(id_)
        moved = None if task is None else after(task, change, now)
        if moved is not None:
            self._tasks[id_] = moved
        return moved

    def _drop(self, id_: str) -> None:
        del self._tasks[id_], self._asked[id_]
        self._keys = {key: owner for key, owner in self._keys.items() if owner != id_}
        self._idempotent = {who: owner for who, owner in self._idempotent.items() if owner != id_}


def _over(task: Task, limit: datetime) -> bool:
    quiet = not task.ended or task.updated_at <= limit
    if task.ttl is None:
        return task.ended and quiet
    return quiet and task.created_at + task.ttl <= limit
