"""Let runs go on that a day's cap held up: one Resume row each in the inbox, as a person would say it; it starts none.

Those that a model's outage held up it leaves to `resuming`, those that a pause did to `unpausing`.

In the order in which they parked, a few at a time, and at most half of a cap in a day goes to them: what happens today
goes first (mechanics: no stampede at midnight). A new day, a raised cap and a declared price are all seen the same
way: the run's next turn has room.
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
from orchestrator.ledger import caps, reservations, shortfalls
from orchestrator.ledger.caps import Account, Amount, nano
from orchestrator.ledger.shortfalls import Shortfall
from orchestrator.loops import forever
from orchestrator.tending import resuming, unpausing

AT_ONCE: Final = 3
"""Runs that were let go on and have not reserved their turn yet."""

LOOKED_AT: Final = 200
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
class _Round:
    """One look: what is promised to those let go on, and which caps somebody in front waits for."""

    usd: Counter[Account] = field(default_factory=Counter)
    tokens: Counter[Account] = field(default_factory=Counter)
    awaited: set[Account] = field(default_factory=set)
    under_way: int = 0

    def promise(self, candidate: Candidate) -> None:
        self.under_way += 1
        for one in candidate.purse.limited:
            self.usd[one.account] += candidate.own.usd or 0
            self.tokens[one.account] += candidate.own.tokens

    def admits(self, candidate: Candidate) -> bool:
        """Whether it may go on; if not, nobody behind it may pass it at the caps it waits for."""
        waits_for = {one.account for one in candidate.purse.limited if self._full(candidate, one)}
        self.awaited |= waits_for
        accounts = {one.account for one in candidate.purse.limited}
        return not accounts & self.awaited and _known(candidate)

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

    async def work(self) -> None:
        """Look now and then, until cancelled."""
        await forever("release", self.release_some, _rest, self.log)

    async def release_some(self) -> int:
        """Let go on whoever has room; returns how many."""
        now = self.now()
        lost = await self.ledger.write(reservations.expire, now.timestamp() - LOST)
        if lost:
            self.log.warning("money.assumed", attempts=lost)
        found = await self.ledger.read(_candidates, self.configuration(), now.timestamp())
        let_go = chosen(found, now.timestamp())
        for candidate in let_go:
            await self._release(candidate, now)
        means = (self.inbox, self.ledger, now, self.poke, self.log)
        answered = await resuming.resume_some(*means)
        return len(let_go) + answered + await unpausing.go_on_some(*means)

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


def chosen(found: Sequence[Candidate], now: float) -> list[Candidate]:
    """Who may go on now, of those who are parked for money, in their order."""
    looking, let_go = _Round(), list[Candidate]()
    for candidate in found:
        if _released(candidate.shortfall):
            looking.promise(candidate)
    for candidate in found:
        if looking.under_way >= AT_ONCE:
            break
        shortfall = candidate.shortfall
        if _released(shortfall) or _turned_back(shortfall, now):
            continue
        if looking.admits(candidate):
            looking.promise(candidate)
            let_go.append(candidate)
    return let_go


def resume(shortfall: Shortfall, by: str, now: datetime) -> Arrival:
    """The row that lets a run go on; its delivery id names this parking, so it comes once."""
    identity = f"money-{shortfall.run_id}-{shortfall.number}"
    return resuming.row(identity, shortfall.run_id, by, now)


def _released(shortfall: Shortfall) -> bool:
    return shortfall.released >= shortfall.number


def _turned_back(shortfall: Shortfall, now: float) -> bool:
    released_at = shortfall.released_at
    if released_at is None or shortfall.at - released_at > TURNED_BACK:
        return False
    return now < shortfall.at + TURNED_BACK


def _known(candidate: Candidate) -> bool:
    """Whether it can be said what its turn costs and what is allowed."""
    purse = candidate.purse
    return not purse.allowance.broken and not (candidate.own.usd is None and purse.in_dollars)


def _fits(cap: int, standing: int, backlog: int, own: int) -> bool:
    # One whose turn needs more than half a cap would else never go on.
    return standing + own <= cap and (not backlog or 2 * (backlog + own) <= cap)


def _candidates(
    connection: Transaction, configuration: Configuration, now: float
) -> list[Candidate]:
    found = [
        _candidate(connection, shortfall, configuration, now)
        for shortfall in shortfalls.parked(connection, LOOKED_AT)
    ]
    return [candidate for candidate in found if candidate is not None]


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
