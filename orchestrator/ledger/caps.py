"""What was spent of a day's caps: one row for each cap, day and zone, changed by conditional updates only.

An amount is reserved, and then settled or assumed; it moves between these columns only together with its row in
`reservations`, in one transaction, so that doing it twice changes nothing. Dollars are whole nano-dollars here,
rounded up. Rows are always locked in the order of their keys, so that two calls can't wait for each other.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, func, select, update

from orchestrator.ledger.schema import accounts, reservations
from orchestrator.ledger.upsert import leave
from orchestrator.rules.caps import Cap

NANO: Final = Decimal(1_000_000_000)


class Scope(StrEnum):
    """Whom a cap is for."""

    INSTALLATION = "installation"
    ACTOR = "actor"
    RULE = "rule"
    RULE_ACTOR = "rule actor"


class State(StrEnum):
    """Where an amount is; `freed` ones count no more."""

    RESERVED = "reserved"
    SETTLED = "settled"
    ASSUMED = "assumed"
    FREED = "freed"


COUNTED: Final = (State.RESERVED, State.SETTLED, State.ASSUMED)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Account:
    """One cap on one day of one zone, whether or not it has a limit; `rule` is the rule's id, `actor` source:id."""

    scope: Scope
    rule: str = ""
    actor: str = ""
    day: str
    zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """So much, in nano-dollars and tokens; `usd` None means that the price is unknown."""

    usd: int | None
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is in an account, in nano-dollars and tokens."""

    usd_reserved: int = 0
    usd_settled: int = 0
    usd_assumed: int = 0
    tokens_reserved: int = 0
    tokens_settled: int = 0
    tokens_assumed: int = 0

    @property
    def usd_spent(self) -> int:
        """What is gone for good: settled and assumed."""
        return self.usd_settled + self.usd_assumed

    @property
    def tokens_spent(self) -> int:
        """What is gone for good: settled and assumed."""
        return self.tokens_settled + self.tokens_assumed


def nano(usd: Decimal) -> int:
    """Dollars as nano-dollars, rounded up."""
    return int((usd * NANO).to_integral_value(ROUND_CEILING))


def dollars(amount: int) -> Decimal:
    """Nano-dollars as dollars."""
    return Decimal(amount) / NANO


def standing(connection: Connection, account: Account, since: float) -> Standing:
    """What is in an account; `since` is when its day began."""
    row = connection.execute(select(accounts).where(*_key(account))).one_or_none()
    if row is None:
        return _begun(connection, account, since)
    return Standing(**{name: getattr(row, name) for name in Standing.__slots__})


def lock(connection: Connection, wanted: Iterable[Account]) -> None:
    """Keep other transactions from these accounts until this one ends."""
    for account in sorted(set(wanted)):
        connection.execute(select(accounts.c.day).where(*_key(account)).with_for_update())


def open_(connection: Connection, account: Account, since: float) -> None:
    """See to it that the account is there; `since` is when its day began."""
    if connection.execute(select(accounts.c.day).where(*_key(account))).one_or_none() is None:
        begun = _begun(connection, account, since)
        counted = {name: getattr(begun, name) for name in Standing.__slots__}
        leave(connection, accounts, **_values(account), **counted)


def take(connection: Connection, account: Account, cap: Cap, own: Amount) -> bool:
    """Reserve, if the cap has room beside everything settled, assumed and reserved; False when it has none."""
    fits: list[ColumnElement[bool]] = []
    if cap.usd is not None and own.usd is not None:
        fits.append(_sum("usd") + own.usd <= nano(cap.usd))
    if cap.tokens is not None:
        fits.append(_sum("tokens") + own.tokens <= cap.tokens)
    taken = connection.execute(
        update(accounts).where(*_key(account), *fits).values(_changed(State.RESERVED, own, 1))
    )
    return taken.rowcount == 1


def move(
    connection: Connection,
    account: Account,
    before: tuple[State, Amount],
    after: tuple[State, Amount],
) -> None:
    """Count an amount elsewhere, or another one."""
    for (state, amount), sign in ((before, -1), (after, 1)):
        if state is not State.FREED:
            connection.execute(
                update(accounts).where(*_key(account)).values(_changed(state, amount, sign))
            )


def _begun(connection: Connection, account: Account, since: float) -> Standing:
    """What a row begins with: a changed zone begins another day, in which something may have been spent already."""
    found = connection.execute(
        select(
            reservations.c.state,
            func.coalesce(func.sum(reservations.c.usd), 0).label("usd"),
            func.coalesce(func.sum(reservations.c.tokens), 0).label("tokens"),
        )
        .where(
            reservations.c.scope == account.scope,
            reservations.c.rule == account.rule,
            reservations.c.actor == account.actor,
            reservations.c.at >= since,
            reservations.c.state.in_(COUNTED),
        )
        .group_by(reservations.c.state)
    )
    sums = {row.state: (int(row.usd), int(row.tokens)) for row in found}
    settled, nothing = sums.get(State.SETTLED, (0, 0)), (0, 0)
    # What is reserved will settle in its own row, so here it stays assumed.
    lost = [sums.get(state, nothing) for state in (State.ASSUMED, State.RESERVED)]
    return Standing(
        usd_settled=settled[0],
        tokens_settled=settled[1],
        usd_assumed=sum(usd for usd, _ in lost),
        tokens_assumed=sum(tokens for _, tokens in lost),
    )


def _key(account: Account) -> tuple[ColumnElement[bool], ...]:
    return tuple(accounts.c[name] == value for name, value in _values(account).items())


def _values(account: Account) -> dict[str, str]:
    return {name: str(getattr(account, name)) for name in Account.__slots__}


def _sum(unit: str) -> ColumnElement[int]:
    reserved, settled, assumed = (accounts.c[f"{unit}_{state}"] for state in COUNTED)
    return reserved + settled + assumed


def _changed(state: State, amount: Amount, sign: int) -> dict[str, Any]:
    usd, tokens = accounts.c[f"usd_{state}"], accounts.c[f"tokens_{state}"]
    return {
        usd.name: usd + sign * (amount.usd or 0),
        tokens.name: tokens + sign * amount.tokens,
    }
