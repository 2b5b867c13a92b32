"""Many runs at once under one cap of a day: what was in its account at every look, and where the runs came to rest.

    bill = await billed(home, runs=50, cap="1")

The model is the scripted Messages server over real HTTP, whose every reply has a known price.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from orchestrator.database import Transaction
from orchestrator.ledger import caps
from orchestrator.ledger.caps import Account, Scope
from orchestrator.ledger.schema import attempts, conversations
from orchestrator.rules import days
from tests.support.house import PLAYBOOK, RULE, Files, House, opened
from tests.support.purses import books
from tests.support.scripts import Turns, says, use, uses
from tests.support.zones import ZONE

LOOK = 0.2
LIMITS = f"zone: {ZONE}\nprices: {{scripted-1: {{input: 30, output: 150}}}}\n"
"""A turn costs some cents, and 15 more are reserved for it while it is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """Dollars: the `most` that was ever counted against the cap, and what is settled in the end.

    `asked` are the requests that the model's server saw, `paid` the attempts that the ledger settled. `parked` says
    how many runs parked with each reason; a run's own id stands in none.
    """

    most: Decimal
    settled: Decimal
    assumed: Decimal
    asked: int
    paid: int
    states: Counter[str]
    parked: Counter[str]


def thrifty() -> Turns:
    """A model that reads twice and is done."""
    read = uses(use("read_thing"), delay=0.05)
    return Turns([read, read, says(delay=0.05)])


def under(cap: str) -> Files:
    """The configuration: one rule that may spend so many dollars a day, a run of its own for every issue."""
    limits = f"  limits: {{usd_per_day: {cap}}}\n"
    return replace(Files(), rule=RULE + limits, playbook=PLAYBOOK)


async def billed(home: House, script: Turns, runs: int, patience: float) -> Bill:
    """Ring for so many runs at once, and look until all of them are at rest. Raises TimeoutError."""
    (home.directory / "doorbell.d" / "limits.yaml").write_text(LIMITS, encoding="utf-8")
    await home.keep(*(home.arrival(opened(number)) for number in range(1, runs + 1)))
    most, account = 0, _account(home)
    async with asyncio.timeout(patience):
        while True:
            standing = await home.stores.ledger.read(caps.standing, account, 0.0)
            most = max(most, standing.usd_spent + standing.usd_reserved)
            at_rest = await home.stores.ledger.read(_at_rest)
            if at_rest.total() == runs and not at_rest["running"]:
                break
            await asyncio.sleep(LOOK)
    # The laws of the books: every account is the sum of its reservations.
    await home.stores.ledger.read(books)
    return await home.stores.ledger.read(_bill, account, most, len(script.asked))


def _account(home: House) -> Account:
    today = days.day_of(datetime.now(UTC).timestamp(), ZONE)
    (rule,) = home.read().rules
    return Account(scope=Scope.RULE, rule=rule.id, day=today, zone=ZONE)


def _at_rest(connection: Transaction) -> Counter[str]:
    return Counter(connection.scalars(select(conversations.c.state)))


def _bill(connection: Transaction, account: Account, most: int, asked: int) -> Bill:
    standing = caps.standing(connection, account, 0.0)
    paid = connection.scalars(select(attempts.c.run_id).where(attempts.c.state == "settled"))
    rows = connection.execute(select(conversations)).mappings().all()
    return Bill(
        most=caps.dollars(max(most, standing.usd_spent + standing.usd_reserved)),
        settled=caps.dollars(standing.usd_settled),
        assumed=caps.dollars(standing.usd_assumed),
        asked=asked,
        paid=len(list(paid)),
        states=Counter(_ended(row) for row in rows),
        parked=Counter(row["reason"] for row in rows if row["state"] == "parked"),
    )


def _ended(row: Mapping[str, Any]) -> str:
    return str(row["outcome"] or row["state"])
