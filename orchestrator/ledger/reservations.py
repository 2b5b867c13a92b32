"""Money set aside before a model call and settled after it, under every cap at once (promise R5).

A reservation is one row for each (run, turn, attempt, cap); it names the day and the zone it was made in and settles
there, also after midnight. An attempt that never came back is assumed: the next attempt, the end of its run, or
`expire` says so. One that comes back after all settles at what it really used.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, select, update

from orchestrator.ledger import caps, shortfalls, turns
from orchestrator.ledger.caps import Account, Amount, Scope, State
from orchestrator.ledger.schema import attempts, reservations
from orchestrator.ledger.turns import Charge
from orchestrator.ledger.upsert import leave
from orchestrator.rules.caps import Cap

FREE: Final = frozenset({"failed", "rejected", "unsent"})
"""How an attempt ends that was not paid."""

MOST: Final = 100
"""Attempts that one `expire` looks at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """An attempt that may cost `estimate` at most, and what it is held against; `since` is when the day began."""

    run_id: str
    turn: int
    attempt: int
    estimate: Charge
    caps: Sequence[tuple[Account, Cap]]
    since: float


def begin(connection: Connection, wish: Wish, at: float) -> int | None:
    """Reserve under all caps or none; the attempt's number, or None when a cap has no room for it now.

    Earlier attempts of the turn that never came back are assumed either way.
    """
    lost = _under_way(connection, wish.run_id, wish.turn)
    for account, _ in sorted(wish.caps, key=lambda capped: capped[0]):
        caps.open_(connection, account, wish.since)
    caps.lock(connection, [_account(row) for row in lost] + [account for account, _ in wish.caps])
    _assume(connection, lost)
    own = _amount(wish.estimate)
    savepoint = connection.begin_nested()
    if not all(caps.take(connection, account, cap, own) for account, cap in wish.caps):
        savepoint.rollback()
        return None
    savepoint.commit()
    return _written(connection, wish, own, at)


def settle(
    connection: Connection, run_id: str, turn: int, attempt: int, charge: Charge, state: str
) -> None:
    """End an attempt: `settled` with what it used, `assumed`, or `failed` or `rejected` with nothing."""
    turns.settle(connection, run_id, turn, attempt, charge, state)
    rows = connection.execute(
        select(reservations)
        .where(reservations.c.run_id == run_id, reservations.c.turn == turn)
        .where(reservations.c.attempt == attempt)
    ).all()
    caps.lock(connection, map(_account, rows))
    for row in rows:
        _end(connection, row, *_ended_as(row, charge, state))


def assume_run(connection: Connection, run_id: str) -> None:
    """The run is over: what its attempts cost that never came back nobody can know."""
    _assume_all(
        connection,
        connection.execute(
            select(reservations).where(
                reservations.c.run_id == run_id, reservations.c.state == State.RESERVED
            )
        ).all(),
    )


def expire(connection: Connection, before: float) -> int:
    """Assume what was reserved before then and never came back; returns how many attempts those were.

    Their run may be gone for good, and must not keep others waiting.
    """
    rows = connection.execute(
        select(reservations)
        .where(reservations.c.state == State.RESERVED, reservations.c.at < before)
        .order_by(reservations.c.at)
        .limit(MOST * len(Scope))
    ).all()
    _assume_all(connection, rows)
    return len({(row.run_id, row.turn, row.attempt) for row in rows})


def _assume_all(connection: Connection, rows: Sequence[Row[Any]]) -> None:
    caps.lock(connection, map(_account, rows))
    _assume(connection, rows)


def _assume(connection: Connection, rows: Iterable[Row[Any]]) -> None:
    for row in rows:
        _end(connection, row, State.ASSUMED, Amount(usd=row.usd, tokens=row.tokens))
        connection.execute(
            update(attempts)
            .where(attempts.c.run_id == row.run_id, attempts.c.turn == row.turn)
            .where(attempts.c.attempt == row.attempt, attempts.c.state == "reserved")
            .values(state="assumed")
        )


def _written(connection: Connection, wish: Wish, own: Amount, at: float) -> int:
    number = turns.reserve(connection, wish.run_id, wish.turn, wish.attempt, wish.estimate, at)
    for account, _ in wish.caps:
        leave(
            connection,
            reservations,
            run_id=wish.run_id,
            turn=wish.turn,
            attempt=number,
            scope=account.scope,
            rule=account.rule,
            actor=account.actor,
            day=account.day,
            zone=account.zone,
            state=State.RESERVED,
            usd=own.usd,
            tokens=own.tokens,
            at=at,
        )
    shortfalls.met(connection, wish.run_id)
    return number


def _ended_as(row: Row[Any], charge: Charge, state: str) -> tuple[State, Amount]:
    if state in FREE:
        return State.FREED, Amount(usd=0, tokens=0)
    used = _amount(charge)
    if used.usd is None and row.usd is not None:
        # A usage that nobody could read was paid all the same.
        return State.ASSUMED, Amount(usd=row.usd, tokens=max(row.tokens, used.tokens))
    return State.ASSUMED if state == State.ASSUMED else State.SETTLED, used


def _end(connection: Connection, row: Row[Any], state: State, amount: Amount) -> None:
    """Compare-and-set the row, and only then count: whoever comes second changes nothing."""
    changed = connection.execute(
        update(reservations)
        .where(reservations.c.run_id == row.run_id, reservations.c.turn == row.turn)
        .where(reservations.c.attempt == row.attempt, reservations.c.scope == row.scope)
        .where(reservations.c.state == row.state)
        .values(state=state, usd=amount.usd, tokens=amount.tokens)
    )
    if changed.rowcount == 1:
        before = State(row.state), Amount(usd=row.usd, tokens=row.tokens)
        caps.move(connection, _account(row), before, (state, amount))


def _under_way(connection: Connection, run_id: str, turn: int) -> Sequence[Row[Any]]:
    return connection.execute(
        select(reservations)
        .where(reservations.c.run_id == run_id, reservations.c.turn == turn)
        .where(reservations.c.state == State.RESERVED)
    ).all()


def _account(row: Row[Any]) -> Account:
    return Account(
        scope=Scope(row.scope), rule=row.rule, actor=row.actor, day=row.day, zone=row.zone
    )


def _amount(charge: Charge) -> Amount:
    return Amount(
        usd=None if charge.usd is None else caps.nano(charge.usd),
        tokens=charge.input_tokens + charge.output_tokens,
    )
