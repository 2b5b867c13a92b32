"""What the turns of a rehearsal cost, held against the day's caps of the installation; it asks another model.

A rehearsal keeps a ledger of its own, and its money is real: each turn is reserved in the installation's ledger before
it is asked and settled after, like a run's. One that never comes back is assumed there, by `reservations.expire`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal

from typing_extensions import override

from orchestrator.agent import prices
from orchestrator.agent.asking.purse import Purse, Standings, in_force
from orchestrator.agent.means import Model
from orchestrator.agent.reply import Rejected, Request, Said, Unavailable
from orchestrator.configuration.configuration import Configuration
from orchestrator.database import Database, Transaction
from orchestrator.errors import Bug, PersonError
from orchestrator.ledger import caps, reservations, shortfalls, turns
from orchestrator.ledger.reservations import Wish
from orchestrator.ledger.turns import Charge

NOTHING = Charge(usd=Decimal(0), input_tokens=0, output_tokens=0, cached_tokens=0)
TAKEN = "what is left of a cap of the day is reserved by runs that are under way; rehearse again when they have settled"


@dataclass(slots=True, kw_only=True)
class Charged(Model):
    """A model whose turns count for the day; `own` is the ledger of the rehearsal, `kept` the installation's."""

    model: Model
    own: Database
    kept: Database
    configuration: Callable[[], Configuration]
    now: Callable[[], float]
    run_id: str
    asked: int = 0
    charged: Charge = field(default=NOTHING)

    @override
    async def say(self, request: Request) -> Said:
        self.asked += 1
        estimate = await self._estimate()
        await self._reserve(estimate)
        try:
            said = await self.model.say(request)
        except Rejected:
            await self._settle(NOTHING, "rejected")
            raise
        except Unavailable as error:
            await self._settle(
                estimate if error.begun else NOTHING, "assumed" if error.begun else "failed"
            )
            raise
        declared = self.configuration().allowance.prices.get(request.model)
        charge = prices.charge(request.model, said.usage, declared)
        await self._settle(charge or estimate, "settled" if charge else "assumed")
        return said

    @override
    async def close(self) -> None:
        await self.model.close()

    async def _estimate(self) -> Charge:
        """What the rehearsal has reserved for this turn in its own ledger, beside what was charged before."""
        spent, before = await self.own.read(turns.spent, self.run_id), self.charged
        usd = spent.usd - (before.usd or 0)
        return Charge(
            usd=None if spent.unpriced else max(usd, Decimal(0)),
            input_tokens=max(spent.input_tokens - before.input_tokens, 0),
            output_tokens=max(spent.output_tokens - before.output_tokens, 0),
            cached_tokens=0,
        )

    async def _reserve(self, estimate: Charge) -> None:
        purse = await self._purse()
        wish = Wish(
            run_id=self.run_id,
            turn=self.asked,
            attempt=1,
            estimate=estimate,
            caps=[(one.account, one.cap) for one in purse.limited],
            since=purse.since,
        )
        if await self.kept.write(reservations.begin, wish, self.now()) is None:
            standings = await self.kept.read(_standings, purse)
            raise PersonError(purse.short(standings, estimate, estimate) or TAKEN)

    async def _purse(self) -> Purse:
        payer = await self.own.read(shortfalls.payer, self.run_id)
        if payer is None:
            raise Bug(f"a turn of {self.run_id!r} is asked for, and nobody was found to pay it")
        return in_force(self.configuration(), payer, self.now())

    async def _settle(self, charge: Charge, state: str) -> None:
        await self.kept.write(reservations.settle, self.run_id, self.asked, 1, charge, state)
        self.charged = replace(
            self.charged,
            usd=(self.charged.usd or Decimal(0)) + (charge.usd or Decimal(0)),
            input_tokens=self.charged.input_tokens + charge.input_tokens,
            output_tokens=self.charged.output_tokens + charge.output_tokens,
        )


def _standings(connection: Transaction, purse: Purse) -> Standings:
    return {
        one.account: caps.standing(connection, one.account, purse.since) for one in purse.limited
    }
