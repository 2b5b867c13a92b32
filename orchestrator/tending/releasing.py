"""Let runs go on that a day's cap held up: one Resume row each in the inbox, as a person would say it; it starts none.

Those that a model's outage held up it leaves to `resuming`, those that a pause did to `unpausing`.

In the order in which they parked, a few at a time, and at most half of a cap in a day goes to them: what happens today
goes first (mechanics: no stampede at midnight). A new day, a raised cap and a declared price are all seen the same
way: the run's next turn has room. Nobody waits for one that no new day lets go on, nor for long for one that was let
go on and does not.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from orchestrator.agent import prices
from orchestrator.agent.asking.purse import Limited, Purse, Standings, in_force
from orchestrator.configuration.configuration import Configuration
from orchestrator.database import Database, Transaction
from orchestrator.inbox.inbox import Arrival, Inbox
from orchestrator.ledger import caps, claims, reservations, shortfalls
from orchestrator.ledger.caps import Account, Amount, nano
from orchestrator.ledger.shortfalls import Place, Shortfall
from orchestrator.loops import forever
from orchestrator.tending import resuming, unpausing
from workflows.messages import Claim

AT_ONCE: Final = 3
"""Runs that were let go on and are parked still."""

UNDER_WAY: Final = 5 * 60.0
"""Seconds after which one that was let go on, and is parked still, holds nobody up any more."""

LOOKED_AT: Final = 200
"""Runs of the line that one look goes through; where none of them can go on, the next look goes further."""

EVERY: Final = 2.0
"""Seconds between two looks."""

LOST: Final = 20 * 60.0
"""Seconds after which a reservation counts as lost; an attempt may take 15 minutes."""

TURNED_BACK: Final = 60.0
"""Seconds for which a run is left alone that parked again as soon as it was let go on."""

NEW_DAY: Final = "the new day"
ROOM: Final = "room under its caps"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A parked run with the caps in force now; `taken` is what runs let go on today took of each of them."""

    shortfall: Shortfall
    purse: Purse
    standings: Standings
    taken: Mapping[Account, Amount]
    own: Amount


@dataclass(slots=True)
class _Line:
    """How far it was gone through without letting anybody go on, and which caps somebody passed there waits for."""

    after: Place | None = None
    awaited: frozenset[Account] = frozenset()


@dataclass(slots=True)
class _Round:
    """One look: what is promised to those let go on, and which caps somebody in front waits for."""

    awaited: set[Account]
    usd: Counter[Account] = field(default_factory=Counter)
    tokens: Counter[Account] = field(default_factory=Counter)
    under_way: int = 0

    @property
    def is_full(self) -> bool:
        return self.under_way >= AT_ONCE

    def promise(self, candidate: Candidate) -> None:
        for one in candidate.purse.limited:
            self.usd[one.account] += candidate.own.usd or 0
            self.tokens[one.account] += candidate.own.tokens

    def chosen(self, found: Sequence[Candidate], now: float) -> list[Candidate]:
        """Who may go on now, of those who wait, in their order."""
        let_go = list[Candidate]()
        for candidate in found:
            if self.is_full:
                break
            if not _turned_back(candidate.shortfall, now) and self.admits(candidate):
                self.promise(candidate)
                self.under_way += 1
                let_go.append(candidate)
        return let_go

    def admits(self, candidate: Candidate) -> bool:
        """Whether it may go on; if not, nobody behind it may pass it at the caps it waits for."""
        if not _known(candidate) or any(_beyond(candidate, one) for one in candidate.purse.limited):
            # It waits for people, who may never come: no new day has room for it.
            return False
        waits_for = {one.account for one in candidate.purse.limited if self._full(candidate, one)}
        self.awaited |= waits_for
        accounts = {one.account for one in candidate.purse.limited}
        return not accounts & self.awaited

    def _full(self, candidate: Candidate, one: Limited) -> bool:
        standing, taken = candidate.standings[one.account], candidate.taken[one.account]
        usd, tokens = self.usd[one.account], self.tokens[one.account]
        own = candidate.own
        return (
            one.cap.usd is not None
            and not _fits(
                nano(one.cap.usd),
                standing.usd_spent + standing.usd_reserved + usd,
                (taken.usd or 0) + usd,
                own.usd or 0,
            )
        ) or (
            one.cap.tokens is not None
            and not _fits(
                one.cap.tokens,
                standing.tokens_spent + standing.tokens_reserved + tokens,
                taken.tokens + tokens,
                own.tokens,
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Releaser:
    """One for each service; `poke` says that something was kept."""

    inbox: Inbox
    ledger: Database
    configuration: Callable[[], Configuration]
    now: Callable[[], datetime]
    poke: Callable[[], None]
    log: Any
    line: _Line = field(default_factory=_Line)

    async def work(self) -> None:
        """Look now and then, until cancelled."""
        await forever("release", self.release_some, _rest, self.log)

    async def release_some(self) -> int:
        """Let go on whoever has room; returns how many."""
        now = self.now()
        lost = await self.ledger.write(reservations.expire, now.timestamp() - LOST)
        if lost:
            self.log.warning("money.assumed", attempts=lost)
        let_go = await self._next(now.timestamp())
        for candidate in let_go:
            await self._release(candidate, now)
        means = (self.inbox, self.ledger, now, self.poke, self.log)
        answered = await resuming.resume_some(*means)
        return len(let_go) + answered + await unpausing.go_on_some(*means)

    async def _next(self, now: float) -> list[Candidate]:
        files = self.configuration()
        going = await self.ledger.read(_going, files, now)
        looking = _Round(awaited={*self.line.awaited})
        lapsed = [one.shortfall for one in going if not _under_way(one.shortfall, now)]
        looking.under_way = len(going) - len(lapsed)
        for candidate in going:
            # What a lapsed one never took would else be kept from the others on every day that follows.
            if candidate.shortfall not in lapsed or _is_of_today(candidate):
                looking.promise(candidate)
        await self._told_in_vain(lapsed)
        if looking.is_full:
            return []
        held_back = await unpausing.held_back(self.inbox)
        found, last = await self.ledger.read(_waiting, files, now, held_back, self.line.after)
        let_go = looking.chosen(found, now)
        further = last is not None and not let_go
        self.line.after = last if further else None
        self.line.awaited = frozenset(looking.awaited if further else ())
        return let_go

    async def _told_in_vain(self, lapsed: Sequence[Shortfall]) -> None:
        """Let those stand in line again whose runs took the row for one that came too late."""
        if not lapsed:
            return
        rows = {resuming.event_of(_identity(one)): one for one in lapsed}
        made = await self.inbox.decisions([*rows])
        of_row = {decision.id: rows[name] for name, every in made.items() for decision in every}
        for decision_id, how in (await self.ledger.read(claims.claimed, [*of_row])).items():
            if how == Claim.LATE:
                one = of_row[decision_id]
                await self.ledger.write(shortfalls.unheard, one.run_id, one.number)

    async def _release(self, candidate: Candidate, now: datetime) -> None:
        """The row first: written twice it is a duplicate, and forgotten it would park for ever."""
        shortfall = candidate.shortfall
        by = ROOM if candidate.purse.day == shortfall.day else NEW_DAY
        await self.inbox.keep([resume(shortfall, by, now)])
        self.poke()
        await self.ledger.write(
            shortfalls.release, shortfall.run_id, shortfall.number, now.timestamp()
        )
        self.log.info("money.released", run=shortfall.run_id, by=by)


async def _rest(_released: int) -> None:
    await asyncio.sleep(EVERY)


def resume(shortfall: Shortfall, by: str, now: datetime) -> Arrival:
    """The row that lets a run go on; its delivery id names this parking, so it comes once."""
    return resuming.row(_identity(shortfall), shortfall.run_id, by, now)


def _identity(shortfall: Shortfall) -> str:
    return f"money-{shortfall.run_id}-{shortfall.number}"


def _under_way(shortfall: Shortfall, now: float) -> bool:
    return shortfall.released_at is not None and shortfall.released_at > now - UNDER_WAY


def _is_of_today(candidate: Candidate) -> bool:
    released_at = candidate.shortfall.released_at
    return released_at is not None and released_at >= candidate.purse.since


def _turned_back(shortfall: Shortfall, now: float) -> bool:
    released_at = shortfall.released_at
    if released_at is None or shortfall.at - released_at > TURNED_BACK:
        return False
    return now < shortfall.at + TURNED_BACK


def _known(candidate: Candidate) -> bool:
    """Whether it can be said what its turn costs and what is allowed."""
    purse = candidate.purse
    return not purse.allowance.broken and not (candidate.own.usd is None and purse.in_dollars)


def _beyond(candidate: Candidate, one: Limited) -> bool:
    """Whether the whole cap is too little for its turn."""
    usd, own = candidate.own.usd or 0, candidate.own
    return (one.cap.usd is not None and usd > nano(one.cap.usd)) or (
        one.cap.tokens is not None and own.tokens > one.cap.tokens
    )


def _fits(cap: int, standing: int, backlog: int, own: int) -> bool:
    # One whose turn needs more than half a cap would else never go on.
    return standing + own <= cap and (not backlog or 2 * (backlog + own) <= cap)


def _going(connection: Transaction, configuration: Configuration, now: float) -> list[Candidate]:
    return _candidates(connection, shortfalls.going(connection, LOOKED_AT), configuration, now)


def _waiting(
    connection: Transaction,
    configuration: Configuration,
    now: float,
    held_back: tuple[Sequence[str], Sequence[str]],
    after: Place | None,
) -> tuple[list[Candidate], Place | None]:
    """The next of the line, and the place of the last of them; None at its end."""
    found = shortfalls.waiting(connection, *held_back, after, LOOKED_AT)
    last = found[-1].place if len(found) == LOOKED_AT else None
    return _candidates(connection, found, configuration, now), last


def _candidates(
    connection: Transaction, found: Sequence[Shortfall], configuration: Configuration, now: float
) -> list[Candidate]:
    every = [_candidate(connection, one, configuration, now) for one in found]
    return [candidate for candidate in every if candidate is not None]


def _candidate(
    connection: Transaction, shortfall: Shortfall, configuration: Configuration, now: float
) -> Candidate | None:
    payer, need = shortfalls.payer(connection, shortfall.run_id), shortfall.need
    if payer is None:
        return None
    purse = in_force(configuration, payer, now)
    usd = prices.estimated(
        need.model,
        need.input_tokens,
        need.output_tokens,
        kept_long=need.kept_long,
        declared=purse.allowance.prices.get(need.model),
    )
    accounts = [one.account for one in purse.limited]
    return Candidate(
        shortfall=shortfall,
        purse=purse,
        standings={one: caps.standing(connection, one, purse.since) for one in accounts},
        taken={one: shortfalls.taken(connection, one, purse.since) for one in accounts},
        own=Amount(
            usd=None if usd is None else nano(usd), tokens=need.input_tokens + need.output_tokens
        ),
    )
