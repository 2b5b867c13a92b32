"""The loop that keeps us subscribed: it asks when a row is due, and ends what nobody wants; it hears no event itself.

Everything it knows is in the row. Killed after its server granted and before the row says so, it asks again and gets
the same subscription: asking is how one refreshes.
"""

import asyncio
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Never

from orchestrator.agent.hands.subscriptions import Asked, AsksForEvents, Denied, Granted, Trouble
from orchestrator.configuration.reloading import Loaded
from orchestrator.database import Database
from orchestrator.inbox import subscriptions
from orchestrator.inbox.subscriptions import TERMINATED, Subscription
from orchestrator.loops import forever
from orchestrator.recovery.indoors import Ring
from orchestrator.servers import HttpServer
from orchestrator.signatures.subscribed import SubscribedScheme
from orchestrator.subscribing.heeding import Tell
from orchestrator.subscribing.missed import Kept, cursor_of, gap_in, ids_by_source, ring_gap
from orchestrator.subscribing.pace import again_at, refresh_at
from orchestrator.subscribing.wants import (
    Wish,
    address_of,
    elsewhere,
    http_server,
    leave_alone,
    wishes_of,
)
from orchestrator.telemetry.words import Subscription as Became

LOOK_EVERY: Final = 2.0
"""Seconds after which the rows are looked at anyway: another doorbell may have heard something."""

AT_ONCE: Final = 8
LEASE: Final = timedelta(minutes=2)
PATIENCE: Final = 100.0
"""Seconds for all that is asked about one subscription; the lease is longer."""

FAREWELLS: Final = 10
"""So often a server is asked to end what isn't wanted; then it is left to expire."""


@dataclass(kw_only=True, slots=True)
class Subscribing:
    """One for each service. `ring` is our own door from inside."""

    database: Database
    inbox: Kept
    loaded: Callable[[], Loaded]
    asks: AsksForEvents
    ring: Ring
    now: Callable[[], datetime]
    log: Any
    tell: Tell
    jitter: Callable[[], float] = random.random
    look_every: float = LOOK_EVERY
    _number: int = 0
    _wishes: Mapping[str, Wish] = field(default_factory=dict)
    _poked: asyncio.Event = field(default_factory=asyncio.Event)

    def poke(self) -> None:
        """Look now."""
        self._poked.set()

    async def work(self) -> Never:
        """Look again and again until cancelled."""
        await forever("subscribe", self.step, self._rest, self.log)

    async def step(self) -> int:
        """Ask whatever is due; says how many subscriptions were."""
        self._poked.clear()
        loaded = self.loaded()
        if loaded.number != self._number:
            await self._follow(loaded)
        rows = await self.database.read(subscriptions.everything)
        self._teach(loaded, rows)
        now, gate = self.now(), asyncio.Semaphore(AT_ONCE)
        due = [row for row in rows if row.due_at <= now and self._ours(row)]
        done = sum(await asyncio.gather(*(self._one(loaded, row.mark, gate) for row in due)))
        if done:
            self._teach(loaded, await self.database.read(subscriptions.everything))
        return done

    async def _follow(self, loaded: Loaded) -> None:
        wishes = wishes_of(loaded)
        wants = [wish.want() for wish in wishes.values()]
        leave = leave_alone(loaded)
        await self.database.write(subscriptions.follow, wants, leave, self.now())
        self._number, self._wishes = loaded.number, wishes

    def _ours(self, row: Subscription) -> bool:
        # What another doorbell wants of a newer configuration, or no longer, is its own to do.
        return row.wanted == (row.mark in self._wishes)

    def _teach(self, loaded: Loaded, rows: list[Subscription]) -> None:
        ids = ids_by_source(rows)
        for name, source in loaded.sources.items():
            if isinstance(source.scheme, SubscribedScheme):
                source.scheme.learn(ids.get(name, ()))

    async def _one(self, loaded: Loaded, mark: str, gate: asyncio.Semaphore) -> bool:
        """Whether it was ours to do: what another doorbell is asking about isn't, and we don't wait for it."""
        async with gate:
            now = self.now()
            claimed = await self.database.write(subscriptions.claim, mark, now, now + LEASE)
            if claimed is None or not self._ours(claimed):
                return False
            if claimed.wanted:
                await self._ask(self._wishes[mark], claimed)
            else:
                await self._leave(
                    http_server(loaded.configuration.servers, claimed.server), claimed
                )
            return True

    async def _ask(self, wish: Wish, row: Subscription) -> None:
        fresh = elsewhere(row, wish.server)
        cursor = None if fresh else await cursor_of(self.inbox, row)
        active = row.active(self.now()) and not fresh
        answer = await self._asked(wish, row, cursor, look=not active)
        match answer:
            case Granted():
                await self._granted(wish, row, answer, cursor, fresh=fresh)
            case Denied():
                await self._denied(row, answer)

    async def _asked(
        self, wish: Wish, row: Subscription, cursor: str | None, *, look: bool
    ) -> Granted | Denied:
        if wish.server is None:
            said = f"no server {row.server!r} with a `url` is in force in servers.yaml"
            return Denied(why=Trouble.NO_SERVER, said=said)
        asked = Asked(
            event=row.event,
            arguments=row.arguments,
            url=row.url,
            secret=wish.secret,
            cursor=cursor,
            ttl=wish.subscribe.ttl,
        )
        try:
            async with asyncio.timeout(PATIENCE):
                return await self.asks.subscribe(wish.server, asked, look=look)
        except TimeoutError:
            return Denied(why=Trouble.UNREACHABLE, said=f"no answer within {PATIENCE:g} s")

    async def _granted(
        self, wish: Wish, row: Subscription, granted: Granted, cursor: str | None, *, fresh: bool
    ) -> None:
        now = self.now()
        active = row.active(now) and not fresh
        gap = None if fresh else gap_in(row, granted, cursor, now)
        if gap is not None and not await ring_gap(self.ring, wish, row, granted, gap, now):
            said = "our own door could not keep that events may be missing"
            await self._denied(row, Denied(why=Trouble.REFUSED, said=said))
            return
        changes = _changes(wish, row, granted, now)
        kept = {"cursor": granted.cursor or cursor, "troubles": self._troubles(row, active=active)}
        gaps = {} if gap is None else {"gaps": row.gaps + 1, "gap_at": now}
        if await self.database.write(subscriptions.settle, row, **changes, **kept, **gaps):
            self._say(row, Became.REFRESHED if active else Became.SUBSCRIBED, granted, gap)

    def _troubles(self, row: Subscription, *, active: bool) -> int:
        # One that its server ends again and again is not well because it was granted once more.
        return row.troubles if row.reason == TERMINATED and not active else 0

    def _say(self, row: Subscription, became: Became, granted: Granted, gap: str | None) -> None:
        until = None if granted.until is None else granted.until.isoformat()
        event = f"subscription.{became}"
        self.log.info(event, **_about(row), id=granted.id, until=until)
        self.tell(row.source, became, "")
        if gap is not None:
            self.log.warning("subscription.gap", **_about(row), why=gap)
            self.tell(row.source, Became.GAP, "")

    async def _denied(self, row: Subscription, denied: Denied) -> None:
        now = self.now()
        again = again_at(row.troubles, now, self.jitter)
        failed = {"troubles": row.troubles + 1, "reason": str(denied.why), "error": denied.said}
        if await self.database.write(subscriptions.settle, row, due_at=again, **failed):
            said = {"reason": str(denied.why), "error": denied.said}
            at = again.isoformat(timespec="seconds")
            self.log.warning("subscription.failed", **_about(row), **said, again_at=at)
            self.tell(row.source, Became.FAILED, str(denied.why))

    async def _leave(self, server: HttpServer | None, row: Subscription) -> None:
        if server is None or elsewhere(row, server):
            await self._forget(row, Became.LEFT, "its server isn't configured any more")
            return
        denied = await self._unasked(server, row)
        if denied is None or denied.why in {Trouble.NOT_FOUND, Trouble.INVALID, Trouble.NO_EVENTS}:
            await self._forget(row, Became.UNSUBSCRIBED, None if denied is None else denied.said)
        elif row.troubles >= FAREWELLS or not row.active(self.now()):
            await self._forget(row, Became.LEFT, denied.said)
        else:
            await self._denied(row, denied)

    async def _unasked(self, server: HttpServer, row: Subscription) -> Denied | None:
        asked = Asked(
            event=row.event,
            arguments=row.arguments,
            url=row.url,
            secret="",
            cursor=None,
            ttl=timedelta(),
        )
        try:
            async with asyncio.timeout(PATIENCE):
                return await self.asks.unsubscribe(server, asked)
        except TimeoutError:
            return Denied(why=Trouble.UNREACHABLE, said=f"no answer within {PATIENCE:g} s")

    async def _forget(self, row: Subscription, became: Became, why: str | None) -> None:
        if await self.database.write(subscriptions.forget, row):
            event = f"subscription.{became}"
            self.log.info(event, **_about(row), why=why)
            self.tell(row.source, became, "")

    async def _rest(self, done: int) -> None:
        if done:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(self.look_every):
                await self._poked.wait()


def _about(row: Subscription) -> dict[str, Any]:
    return {"source": row.source, "server": row.server, "type": row.event, "mark": row.mark}


def _changes(wish: Wish, row: Subscription, granted: Granted, now: datetime) -> dict[str, Any]:
    return {
        "id": granted.id,
        "address": address_of(wish.server),
        "refreshed_at": now,
        "active_until": granted.until,
        "due_at": refresh_at(granted.until, now),
        # Why it was ended is of use until it has proved to stay.
        "reason": row.reason if row.reason == TERMINATED and not row.active(now) else None,
        "error": None,
    }
