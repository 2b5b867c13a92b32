"""Feed a hook that nobody can reach: create it, poll what GitHub tried to deliver, ring the door, remove it again.

GitHub marks each delivery as failed, because the hook's URL leads nowhere; what it recorded is all that is needed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Final

from orchestrator.errors import OperatorError
from orchestrator.recovery.gaps import Attempt
from orchestrator.recovery.github import Denied, GithubHooks, NotNow, Page, Unknown, Unreadable
from orchestrator.recovery.indoors import Rung
from orchestrator.recovery.limits import rest_after
from orchestrator.recovery.rebuild import compact
from orchestrator.recovery.recorded import attempts_of, body_of, headers_of
from orchestrator.signatures import github as signature
from orchestrator.sources.source import Source

NOWHERE: Final = "https://doorbell.invalid/listen"
"""A name that no resolver will ever know (RFC 2606)."""

MAX_STUMBLES: Final = 3
"""So often a delivery over which the door stumbles is rung again, before those behind it get their turn."""

DEFERRED: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
GOODBYE: Final = 10.0
"""Seconds for removing the hook at the end."""

Post = Callable[[Mapping[str, str], bytes], Awaitable[Rung]]
"""Ring the door. Raises `OperatorError` where none answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fed:
    """One delivery and what the door said; `signed_by_us` where its own bytes couldn't be found again."""

    attempt: Attempt
    rung: Rung
    signed_by_us: bool = False


@dataclass(kw_only=True, slots=True)
class Listening:
    """One for each hook. `url` is ours alone, so that a hook that a killed one left behind is known again."""

    api: GithubHooks
    url: str
    events: Sequence[str]
    source: Source
    post: Post
    tell: Callable[[Fed], None]
    warn: Callable[[str], None]
    now: Callable[[], datetime]
    log: Any
    every: timedelta
    done: set[int] = field(default_factory=set)
    etag: str | None = None
    failures: int = 0
    warned: str = ""
    stumbles: int = 0

    async def listen(self, stopping: asyncio.Event, ready: Callable[[int], None]) -> None:
        """Listen until told to stop; `ready` hears the hook's id. Raises `Denied`, or `NotNow` before that."""
        await self._clear()
        try:
            hook = await self.api.create(self.url, self._secret().decode(), list(self.events))
            ready(hook)
            while not stopping.is_set():
                rest = await self._look(hook)
                with suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), rest.total_seconds())
        finally:
            await asyncio.shield(self._goodbye())

    async def feed(self, hook: int) -> int:
        """Ring for all that is new, oldest first; says for how many. Raises what its parts raise."""
        page = await self.api.page(hook, etag=self.etag)
        if page is None:
            return 0
        new = await self._new(hook, page)
        for attempt in reversed(new):
            self.tell(await self._fed(hook, attempt))
            self.done.add(attempt.id)
        # Only when all of it is fed: what failed must be seen again.
        self.etag = page.etag
        return len(new)

    async def _look(self, hook: int) -> timedelta:
        try:
            await self.feed(hook)
        except Unknown as error:
            raise Denied(f"the webhook is gone: {error}") from None
        except NotNow as error:
            self.failures += 1
            rest = rest_after(self.failures, self.every)
            if error.pause is not None:
                rest = max(rest, error.pause.end(self.now()) - self.now())
            return self._rest(str(error), rest)
        except Denied:
            raise
        except OperatorError as error:
            return self._rest(str(error), self.every)
        self.failures, self.warned = 0, ""
        return self.every

    def _rest(self, said: str, rest: timedelta) -> timedelta:
        if said != self.warned:
            self.warned = said
            self.warn(f"{said}; trying again")
        return rest

    async def _new(self, hook: int, page: Page) -> list[Attempt]:
        found: list[Attempt] = []
        async for attempt in attempts_of(self.api, hook, page, self.log, self.source.name):
            if attempt.id in self.done:
                break
            found.append(attempt)
        return found

    async def _fed(self, hook: int, attempt: Attempt) -> Fed:
        try:
            recorded = await self.api.recorded(hook, attempt.id)
        except (Unknown, Unreadable) as error:
            return _not_fed(attempt, str(error))
        if recorded.payload is None:
            return _not_fed(attempt, "GitHub shows no payload of it")
        headers = headers_of(recorded, attempt)
        body = await asyncio.to_thread(body_of, self.source, headers, recorded, self.now())
        if body is not None:
            return Fed(attempt=attempt, rung=await self._rung(headers, body))
        return await self._signed(attempt, headers, recorded.payload)

    async def _signed(self, attempt: Attempt, headers: Mapping[str, str], payload: bytes) -> Fed:
        # GitHub's TLS and our token prove where this came from; the signature only carries it through the door.
        try:
            body = compact(payload)
        except ValueError:
            return _not_fed(attempt, "the payload that GitHub shows is no text")
        proof = signature.sign(self._secret(), body)
        own = {**headers, "content-type": "application/json", **proof}
        return Fed(attempt=attempt, rung=await self._rung(own, body), signed_by_us=True)

    async def _rung(self, headers: Mapping[str, str], body: bytes) -> Rung:
        rung = await self.post(headers, body)
        if rung.status in DEFERRED:
            raise OperatorError(f"the door can't keep deliveries now ({rung.status})")
        if rung.status >= HTTPStatus.INTERNAL_SERVER_ERROR and self.stumbles < MAX_STUMBLES:
            self.stumbles += 1
            raise OperatorError(f"the door stumbled ({rung.status}): its log says over what")
        self.stumbles = 0
        return rung

    async def _clear(self) -> None:
        for hook in await self.api.hooks():
            if hook.url == self.url:
                await self.api.remove(hook.id)

    async def _goodbye(self) -> None:
        try:
            async with asyncio.timeout(GOODBYE):
                await self._clear()
        except (Denied, NotNow, TimeoutError) as error:
            said = str(error) or f"GitHub didn't answer within {GOODBYE:.0f} seconds"
            self.warn(f"the webhook stays behind: {said}; the next `doorbell listen` removes it")

    def _secret(self) -> bytes:
        return self.source.secrets[0].reveal().encode()


def _not_fed(attempt: Attempt, why: str) -> Fed:
    return Fed(attempt=attempt, rung=Rung(status=0, told={"title": "Not fed", "detail": why}))
