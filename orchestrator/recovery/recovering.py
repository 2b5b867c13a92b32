"""Find what GitHub delivered and we missed, and ring it at our own door; it keeps nothing on disk.

One pass lists what the hook delivered, leaves out what the inbox has, and takes the rest oldest first. Killed anywhere
it begins anew: a delivery that was rung is in the inbox, one that wasn't is missed still. Nothing here ends the
service: a token that is wrong is told, and tried again more and more rarely.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Final, Never, Protocol

from orchestrator.loops import forever
from orchestrator.recovery.gaps import LISTED, Attempt, Gap, Outcome, Recovered, gaps, remedy
from orchestrator.recovery.github import (
    Denied,
    GithubHooks,
    NotNow,
    Unknown,
    Unreadable,
    connected,
)
from orchestrator.recovery.indoors import Late, Ring, Rung
from orchestrator.recovery.limits import rest_after
from orchestrator.recovery.recorded import attempts_of, body_of, headers_of, hook_of
from orchestrator.sources.source import Recover, Source

OVERLAP: Final = timedelta(minutes=15)
"""How far a pass looks back behind the one before, so that what was still on its way then is seen now."""

MAX_SETTLED: Final = 10_000
"""Guids that are remembered as done with, though the inbox doesn't have them."""

IN_A_ROW: Final = 3
"""So many deliveries that can't be fetched one after the other mean that it isn't the deliveries."""

OPEN: Final = frozenset({Outcome.ASKED_AGAIN, Outcome.WAITS})
"""After these the next pass looks back as far as there is something."""

DEFERRED: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


class Deferred(NotNow):
    """Our own door can't keep it now."""


class Known(Protocol):
    """What is asked of the inbox."""

    async def seen(self, source: str, delivery_ids: Sequence[str]) -> set[str]:
        """Those of the delivery ids that it has."""

    async def oldest(self, source: str) -> datetime | None:
        """When the oldest delivery came that it remembers."""


Connect = Callable[[Recover], AbstractAsyncContextManager[GithubHooks]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How the recovery of a source stands, to look at: all it did since the start, and what keeps it from more."""

    source: str
    recovered: Recovered
    looked_at: datetime | None
    error: str | None

    def told(self) -> dict[str, Any]:
        """For `/status`."""
        looked_at = None if self.looked_at is None else self.looked_at.isoformat()
        done = asdict(self.recovered)
        return {"source": self.source, "looked_at": looked_at, "error": self.error, **done}


@dataclass(kw_only=True, slots=True)
class Recovering:
    """One source's. Everything it remembers may be forgotten: it only saves GitHub's requests."""

    source: Source
    recover: Recover
    ring: Ring
    inbox: Known
    now: Callable[[], datetime]
    log: Any
    connect: Connect
    tell: Callable[[str, Recovered], None] = lambda _source, _recovered: None
    total: Recovered = field(default_factory=Recovered)
    looked_at: datetime | None = None
    error: str | None = None
    failures: int = 0
    rest_for: timedelta = timedelta()
    deep: bool = False
    settled: dict[str, Outcome] = field(default_factory=dict)
    asked: dict[str, datetime] = field(default_factory=dict)

    def standing(self) -> Standing:
        """As of now."""
        return Standing(
            source=self.source.name,
            recovered=self.total,
            looked_at=self.looked_at,
            error=self.error,
        )

    async def work(self) -> Never:
        """Pass after pass until cancelled."""
        await forever(f"recover {self.source.name}", self.step, self._rest, self.log)

    async def step(self) -> int:
        """One pass and what comes of its failure; says how many gaps there were."""
        begun_at = self.now()
        # Until it went well: a failure nobody thought of rests as long as the others.
        self.failures += 1
        self.rest_for = rest_after(self.failures, self.recover.every)
        try:
            done = await self.once()
        except (Denied, NotNow) as error:
            self._failed(error)
            return 0
        self.failures, self.error = 0, None
        self.rest_for = self.recover.every
        self.looked_at = begun_at
        return done.found

    async def once(self) -> Recovered:
        """One pass. Raises `Denied` or `NotNow`, what could be done being done."""
        async with self.connect(self.recover) as api:
            hook = await self._hook(api)
            missed = await self._missed(api, hook)
            outcomes: list[Outcome] = []
            try:
                await self._close_all(api, hook, missed, outcomes)
            finally:
                done = Recovered.of(outcomes)
                self._count(done, len(missed))
            self.deep = not OPEN.isdisjoint(outcomes)
        return done

    async def _close_all(
        self, api: GithubHooks, hook: int, missed: Sequence[Gap], outcomes: list[Outcome]
    ) -> None:
        in_a_row = 0
        for gap in missed:
            try:
                outcomes.append(await self._close(api, hook, gap))
                in_a_row = 0
            except NotNow as error:
                in_a_row += 1
                if in_a_row == IN_A_ROW or error.pause or isinstance(error, Deferred):
                    raise
                # One that GitHub can't show now must not stop those behind it.
                outcomes.append(Outcome.WAITS)
                self._say("recovery.waits", gap, reason=str(error))

    async def _hook(self, api: GithubHooks) -> int:
        if self.recover.hook is not None:
            return self.recover.hook
        found = hook_of(await api.hooks(), self.source.name)
        if not found.active:
            self.log.warning("recovery.hook_inactive", source=self.source.name, hook=found.id)
        return found.id

    async def _missed(self, api: GithubHooks, hook: int) -> list[Gap]:
        horizon = self.now() - LISTED
        since = horizon
        if self.looked_at is not None and not self.deep:
            since = max(horizon, self.looked_at - OVERLAP)
        missed = await self._gaps(api, hook, since)
        if since > horizon and any(gap.cut for gap in missed):
            # The first attempt tells the age, and it isn't among these.
            missed = await self._gaps(api, hook, horizon)
        return missed

    async def _gaps(self, api: GithubHooks, hook: int, since: datetime) -> list[Gap]:
        attempts = await self._attempts(api, hook, since)
        guids = {attempt.guid for attempt in attempts}
        seen = await self.inbox.seen(self.source.name, sorted(guids))
        oldest = await self.inbox.oldest(self.source.name)
        self._forget(seen)
        missed = gaps(attempts, seen, oldest, self.now())
        return [gap for gap in missed if gap.guid not in self.settled]

    async def _attempts(self, api: GithubHooks, hook: int, since: datetime) -> list[Attempt]:
        first = await api.page(hook)
        found: list[Attempt] = []
        if first is not None:
            async for attempt in attempts_of(api, hook, first, self.log, self.source.name):
                if attempt.at < since:
                    break
                found.append(attempt)
        return found

    async def _close(self, api: GithubHooks, hook: int, gap: Gap) -> Outcome:
        try:
            recorded = await api.recorded(hook, gap.attempt.id)
        except (Unknown, Unreadable) as error:
            return await self._without_bytes(api, hook, gap, str(error))
        headers = headers_of(recorded, gap.attempt)
        body = await asyncio.to_thread(body_of, self.source, headers, recorded, self.now())
        if body is None:
            why = "no known way to write its payload fits its signature and our secrets"
            return await self._without_bytes(api, hook, gap, why)
        late = Late(source=self.source.name, headers=headers, body=body, sent_at=gap.first_at)
        return self._rung(gap, await self.ring(late))

    def _rung(self, gap: Gap, rung: Rung) -> Outcome:
        if rung.status in DEFERRED:
            raise Deferred(f"our own door answered {rung.status}: what was missed waits at GitHub")
        if rung.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise NotNow(f"our own door stumbled ({rung.status}): its log says over what")
        if rung.status != HTTPStatus.ACCEPTED:
            why = f"our own door answered {rung.status}: {rung.told.get('title', '')}"
            return self._given_up(gap, why, Outcome.FAILED)
        if rung.told.get("status") == "duplicate":
            # The same bytes came under another guid, so this one never gets into the inbox.
            self.settled[gap.guid] = Outcome.KNOWN
            return Outcome.KNOWN
        self.asked.pop(gap.guid, None)
        late = self.now() - gap.first_at > self.source.catch_up
        self._say("recovery.reinjected", gap, event_id=rung.told.get("event"), too_old=late)
        return Outcome.TOO_OLD if late else Outcome.REINJECTED

    async def _without_bytes(self, api: GithubHooks, hook: int, gap: Gap, why: str) -> Outcome:
        asked_at = self.asked.get(gap.guid)
        outcome = remedy(gap, self.source.catch_up, asked_at, self.now())
        if outcome is Outcome.ASKED_AGAIN:
            return await self._ask(api, hook, gap, why)
        if outcome is Outcome.WAITS:
            return outcome
        return self._given_up(gap, f"{why}; redeliver it at GitHub if it matters", outcome)

    async def _ask(self, api: GithubHooks, hook: int, gap: Gap, why: str) -> Outcome:
        try:
            await api.again(hook, gap.attempt.id)
        except Unknown as error:
            return self._given_up(gap, f"{why}; {error}", Outcome.FAILED)
        self.asked[gap.guid] = self.now()
        self._say("recovery.asked_again", gap, reason=why)
        return Outcome.ASKED_AGAIN

    def _given_up(self, gap: Gap, why: str, outcome: Outcome) -> Outcome:
        self.settled[gap.guid] = outcome
        self.asked.pop(gap.guid, None)
        self._say(f"recovery.{outcome}", gap, reason=why)
        return outcome

    def _forget(self, seen: AbstractSet[str]) -> None:
        """What came after all, or is no longer listed at GitHub, need not be remembered."""
        before = self.now() - LISTED
        self.asked = {
            guid: at for guid, at in self.asked.items() if guid not in seen and at > before
        }
        if len(self.settled) > MAX_SETTLED:
            # The oldest are told once more, at worst.
            self.settled = dict(list(self.settled.items())[-MAX_SETTLED:])

    def _say(self, event: str, gap: Gap, **more: Any) -> None:
        named = {"delivery_id": gap.guid, "type": gap.attempt.event}
        said = {"source": self.source.name, **named, **more}
        say = self.log.info if event == "recovery.reinjected" else self.log.warning
        say(event, sent_at=gap.first_at.isoformat(), **said)

    def _count(self, done: Recovered, missed: int) -> None:
        self.total = self.total.plus(done)
        if missed:
            self.tell(self.source.name, done)
            self.log.info("recovery.pass", source=self.source.name, missed=missed, **asdict(done))

    def _failed(self, error: Denied | NotNow) -> None:
        now, said = self.now(), str(error)
        if isinstance(error, NotNow) and error.pause is not None:
            self.rest_for = max(error.pause.end(now) - now, self.rest_for)
        again_at = (now + self.rest_for).isoformat(timespec="seconds")
        say = self.log.error if isinstance(error, Denied) else self.log.warning
        say("recovery.failed", source=self.source.name, error=said, again_at=again_at)
        self.error = said

    async def _rest(self, _found: int) -> None:
        await asyncio.sleep(self.rest_for.total_seconds())


def recovering(
    sources: Mapping[str, Source],
    ring: Ring,
    inbox: Known,
    now: Callable[[], datetime],
    log: Any,
    *,
    tell: Callable[[str, Recovered], None] = lambda _source, _recovered: None,
    connect: Connect | None = None,
) -> list[Recovering]:
    """The recovery of every source that has one, in the order of their names; each is to `work`."""
    return [
        Recovering(
            source=source,
            recover=source.recover,
            ring=ring,
            inbox=inbox,
            now=now,
            log=log,
            tell=tell,
            connect=connect or connection,
        )
        for _, source in sorted(sources.items())
        if source.recover is not None
    ]


def connection(recover: Recover) -> AbstractAsyncContextManager[GithubHooks]:
    """The real thing."""
    return connected(recover.api, recover.place, recover.token)
