"""Where a tool opens a call that is answered later, and where its answer is brought; it knows no vendor and no wire.

    async def refund(*, ctx, charge: str) -> str:
        async def ask(opening: Opening) -> Asked:
            made = await stripe.post("/v1/refunds", {"charge": charge}, key=opening.token)
            return Asked(keys=[f"refund:{made['id']}"], answer=text(made))

        return await desk.call(ask)

The task is on disk before the outside call is made, and that call before the handle is given away. A caller that
can't take a task gets `answer` at once.
"""

import asyncio
import secrets
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from mcp.server.mcpserver.exceptions import ToolError

from mcp_servers.tasks.states import Answers, Asks, Change, Failed, Task, Working, expired
from mcp_servers.tasks.store import (
    Callback,
    Draft,
    KeyTaken,
    OtherArguments,
    Received,
    Store,
    StoreUnavailable,
    digest_of,
    plain,
)

TTL: Final = timedelta(days=7)
POLL: Final = timedelta(seconds=5)
KEEP: Final = timedelta(days=30)
"""How long what is over stays readable, and how long an early callback waits for its task."""
OVERHEARD: Final = 1.0
"""Seconds between two looks for what another replica did."""
INTERNAL_ERROR: Final = -32603


class Unsure(ToolError):
    """The outside call may have happened: the task stays, and the webhook or a repetition will tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What the outside call should carry: `token`, as its idempotency key and in its metadata.

    `again` says that an earlier attempt may have made the call: look first where the vendor has no idempotency keys.
    """

    token: str
    again: bool = False
    kept: bool = False
    """Whether there is a task behind it, so that a webhook will be waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The outside call was made: these are the keys its webhook will bear.

    `answer` is for a caller that takes no task, `message` for a reader of the task meanwhile; `told` is its end
    where that came at once.
    """

    keys: Sequence[str]
    answer: str
    message: str | None = None
    told: Change | None = None


@dataclass(slots=True, kw_only=True)
class Call:
    """The tool call that is being answered, and the task it became."""

    tool: str
    arguments: Mapping[str, Any]
    principal: str
    idempotency: str | None
    takes_tasks: bool
    task: Task | None = None


answering: Final[ContextVar[Call | None]] = ContextVar("answering", default=None)
"""The call that the running tool answers; the extension sets it."""


@dataclass(slots=True)
class Bell:
    """Wakes who waits for a task in this process."""

    _waiting: dict[str, set[asyncio.Event]] = field(default_factory=dict)

    def ring(self, ids: Iterable[str]) -> None:
        """Wake everyone who waits for one of these tasks."""
        for id_ in ids:
            for waiting in self._waiting.get(id_, ()):
                waiting.set()

    @contextmanager
    def heard(self, ids: Sequence[str]) -> Iterator[asyncio.Event]:
        """An event that is set whenever one of these tasks changes, until the block ends."""
        waiting = asyncio.Event()
        for id_ in ids:
            self._waiting.setdefault(id_, set()).add(waiting)
        try:
            yield waiting
        finally:
            for id_ in ids:
                self._waiting[id_].discard(waiting)
                if not self._waiting[id_]:
                    del self._waiting[id_]


def now_in_utc() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


def unguessable() -> str:
    """192 random bits."""
    return secrets.token_urlsafe(24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The tasks of one server. `ids` must be unguessable: whoever has the id of a task may read it."""

    store: Store
    ttl: timedelta | None = TTL
    poll: timedelta = POLL
    clock: Callable[[], datetime] = now_in_utc
    ids: Callable[[], str] = unguessable
    bell: Bell = field(default_factory=Bell)
    hears: bool = True
    """Whether callbacks come in: without a mailroom nobody could end a task, so none is made."""

    async def call(self, ask: Callable[[Opening], Awaitable[Asked]]) -> str:
        """Make the outside call of the running tool, once for each idempotency key. Raises `ToolError`."""
        call = answering.get()
        if call is None or not (call.takes_tasks and self.hears):
            return (await ask(self._opening(call))).answer
        try:
            opened = await self.store.open(self._draft(call), self.clock())
        except OtherArguments as error:
            raise ToolError(str(error)) from None
        except StoreUnavailable as error:
            raise ToolError(f"{error}; nothing was asked for, try again later") from None
        if not opened.mine:
            call.task = opened.task
            return ""
        opening = Opening(token=opened.task.token, again=opened.again, kept=True)
        call.task = await self._asked(opened.task, ask, opening)
        return ""

    async def _asked(
        self, task: Task, ask: Callable[[Opening], Awaitable[Asked]], opening: Opening
    ) -> Task:
        try:
            asked = await ask(opening)
        except Unsure as unsure:
            return await self._moved(task, Working(message=str(unsure)))
        except ToolError:
            if not opening.again:
                await self.store.forget(task.id)
            raise
        return await self._named(task, asked)

    async def _named(self, task: Task, asked: Asked) -> Task:
        change = asked.told or (Working(message=asked.message) if asked.message else None)
        try:
            keys = [plain(key) for key in asked.keys]
            named = await self.store.name(task.id, keys, change, self.clock())
        except KeyTaken as taken:
            await self.store.forget(task.id)
            raise ToolError(
                f"{taken}; the call was made, and the other task tells how it ends"
            ) from None
        except StoreUnavailable as error:
            raise ToolError(
                f"{error}; the call was made, repeat it with the same idempotency key"
            ) from None
        self.bell.ring([task.id])
        return named

    async def _moved(self, task: Task, change: Change) -> Task:
        return await self.store.move(task.id, change, self.clock()) or task

    def _draft(self, call: Call) -> Draft:
        return Draft(
            id=self.ids(),
            token=self.ids(),
            principal=call.principal,
            tool=call.tool,
            digest=digest_of(call.arguments),
            idempotency=None if call.idempotency is None else digest_of({"key": call.idempotency}),
            ttl=self.ttl,
            poll=self.poll,
        )

    def _opening(self, call: Call | None) -> Opening:
        # Hashed with who calls and what: one key of one caller is one call, whatever another caller's keys are.
        if call is None or call.idempotency is None:
            return Opening(token=self.ids())
        who = {"who": call.principal, "tool": call.tool, "key": call.idempotency}
        return Opening(token=digest_of(who), again=True)

    async def read(self, id_: str, principal: str) -> Task | None:
        """The task, if it is this principal's; one whose time is over has failed."""
        return (await self.read_all([id_], principal)).get(id_)

    async def read_all(self, ids: Sequence[str], principal: str) -> dict[str, Task]:
        """Those of the tasks that are this principal's."""
        found = await self.store.get(ids)
        return {
            id_: await self._in_time(task)
            for id_, task in found.items()
            if secrets.compare_digest(task.principal.encode(), principal.encode())
        }

    async def _in_time(self, task: Task) -> Task:
        if not expired(task, self.clock()):
            return task
        over = Failed(
            code=INTERNAL_ERROR, message=f"no answer came within {task.ttl}; its time is over"
        )
        await self.move(task.id, over)
        return (await self.store.get([task.id])).get(task.id, task)

    async def move(self, id_: str, change: Change) -> bool:
        """Change a task by compare-and-set; whether it changed anything. Raises `KeyReused`."""
        moved = await self.store.move(id_, change, self.clock())
        self.bell.ring([id_])
        return moved is not None

    async def receive(self, callback: Callback) -> Received:
        """Take in what came from outside, once, and wake who waits."""
        keys = [plain(key) for key in callback.keys]
        kept = replace(callback, id=plain(callback.id), keys=keys)
        received = await self.store.receive(kept, self.clock())
        self.bell.ring(received.tasks)
        return received

    async def elicit(
        self, id_: str, requests: Mapping[str, Any], message: str | None = None
    ) -> Mapping[str, Any]:
        """Ask the client for input and wait, across restarts too, for every answer.

        Asking what is asked already waits for it. Raises `LookupError` where the task ends meanwhile.
        """
        known = (await self.store.get([id_])).get(id_)
        new = {key: what for key, what in requests.items() if known and key not in _put(known)}
        if new:
            await self.move(id_, Asks(requests=new, message=message))
        async for task in self.changes(id_):
            if requests.keys() <= task.responses.keys():
                return {key: task.responses[key] for key in requests}
        raise LookupError(f"task {id_!r} ended before what it asked was answered")

    async def changes(self, id_: str) -> AsyncIterator[Task]:
        """The task as it is now, then after each change, until it has ended."""
        seen = 0
        with self.bell.heard([id_]) as rung:
            while (task := (await self.store.get([id_])).get(id_)) is not None:
                if task.version > seen:
                    seen = task.version
                    yield task
                if task.ended:
                    return
                await overheard(rung)

    async def answer(self, task: Task, responses: Mapping[str, Any]) -> bool:
        """Hand a client's responses to the task."""
        return await self.move(task.id, Answers(responses=responses))


async def overheard(rung: asyncio.Event) -> None:
    """Wait until something rings, or until it's time to look at what another replica did."""
    try:
        async with asyncio.timeout(OVERHEARD):
            await rung.wait()
    except TimeoutError:
        pass
    rung.clear()


def _put(task: Task) -> set[str]:
    return {*task.requests, *task.responses}
