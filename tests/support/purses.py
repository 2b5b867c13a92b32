"""A ledger's caps in short words: wish for an attempt, look at what is in an account, check every law of the books."""

from collections import Counter
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from orchestrator.database import Transaction
from orchestrator.ledger.caps import Account, Scope
from orchestrator.ledger.reservations import Wish
from orchestrator.ledger.schema import accounts, reservations
from orchestrator.ledger.turns import Charge
from orchestrator.rules.caps import Cap

DAY = "2026-11-21"
RULE = Account(scope=Scope.RULE, rule="triage", day=DAY, zone="UTC")
HOUSE = Account(scope=Scope.INSTALLATION, day=DAY, zone="UTC")


def cost(usd: str | None = "0.10", tokens: int = 100) -> Charge:
    price = None if usd is None else Decimal(usd)
    return Charge(usd=price, input_tokens=tokens, output_tokens=0, cached_tokens=0)


def wish(
    run_id: str = "run.1",
    estimate: Charge | None = None,
    *caps: tuple[Account, Cap],
    turn: int = 1,
    **changes: Any,
) -> Wish:
    values = {"attempt": 1, "since": 0.0, "caps": caps or ((RULE, Cap()), (HOUSE, Cap()))}
    return Wish(run_id=run_id, turn=turn, estimate=estimate or cost(), **values | changes)


def usd(amount: str) -> Cap:
    return Cap(usd=Decimal(amount))


def books(connection: Transaction) -> dict[tuple[str, str, str, str, str], dict[str, int]]:
    """Every account as its columns say, checked against the sums of its reservations."""
    summed: dict[Any, Counter[str]] = {}
    for row in connection.execute(select(reservations)):
        key = (row.scope, row.rule, row.actor, row.day, row.zone)
        sums = summed.setdefault(key, Counter())
        if row.state != "freed":
            sums[f"usd_{row.state}"] += row.usd or 0
            sums[f"tokens_{row.state}"] += row.tokens
    found = {}
    for row in connection.execute(select(accounts)):
        values = dict(row._mapping)
        key = tuple(values.pop(name) for name in Account.__slots__)
        assert {name: summed.get(key, Counter())[name] for name in values} == values, key
        found[key] = values
    return found


def total(connection: Transaction, account: Account, unit: str = "usd") -> int:
    """Everything that counts against the account's cap."""
    values = books(connection)[tuple(str(getattr(account, name)) for name in Account.__slots__)]
    return sum(value for name, value in values.items() if name.startswith(unit))
