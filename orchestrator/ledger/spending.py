"""What a day cost, and whom: sums over the reservations of that day. It knows no cap and changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, case, func, select

from orchestrator.ledger.caps import COUNTED, Scope, State
from orchestrator.ledger.schema import conversations, payers, reservations, shortfalls
from orchestrator.ledger.shortfalls import BESIDE, is_held
from orchestrator.rules import days

PARKED: Final = 500
"""Runs parked for money that are listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What one of them used that day, in nano-dollars and tokens; `unpriced` attempts are in no dollar."""

    usd_reserved: int = 0
    usd_settled: int = 0
    usd_assumed: int = 0
    tokens_reserved: int = 0
    tokens_settled: int = 0
    tokens_assumed: int = 0
    attempts: int = 0
    unpriced: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Who spent it: a rule (its id, and the name it ran under), a playbook, an actor, or a rule on one actor."""

    rule: str = ""
    rule_name: str = ""
    playbook: str = ""
    actor: str = ""
    actor_name: str = ""
    spending: Spending


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A run that is parked for money, since when, and why."""

    run_id: str
    rule: str
    words: str
    since: float
    released: bool


def whole(connection: Connection, day: str, zone: str) -> Spending:
    """The whole installation's day."""
    return _spending(connection.execute(select(*_sums()).where(*_of(day, zone))).one())


def by_rule(connection: Connection, day: str, zone: str) -> list[Group]:
    """Each rule's day."""
    return _grouped(connection, day, zone, ("rule", "rule_name"))


def by_playbook(connection: Connection, day: str, zone: str) -> list[Group]:
    """Each playbook's day."""
    return _grouped(connection, day, zone, ("playbook",))


def by_actor(connection: Connection, day: str, zone: str) -> list[Group]:
    """Each actor's day, under all rules."""
    return _grouped(connection, day, zone, ("actor", "actor_name"))


def by_rule_and_actor(connection: Connection, day: str, zone: str) -> list[Group]:
    """Each rule's day on each actor's events."""
    return _grouped(connection, day, zone, ("rule", "rule_name", "actor", "actor_name"))


def held(connection: Connection) -> list[Held]:
    """Runs that are parked for money now, those first that have been so for the longest time."""
    rows = connection.execute(
        select(shortfalls, conversations.c.rule)
        .join(*BESIDE)
        .where(is_held())
        .order_by(shortfalls.c.since, shortfalls.c.run_id)
        .limit(PARKED)
    )
    return [
        Held(
            run_id=row.run_id,
            rule=row.rule,
            words=row.words,
            since=row.since,
            released=row.released >= row.number,
        )
        for row in rows
    ]


def _grouped(connection: Connection, day: str, zone: str, names: Sequence[str]) -> list[Group]:
    columns = {
        "rule": payers.c.rule,
        "rule_name": func.max(conversations.c.rule),
        "playbook": conversations.c.playbook,
        "actor": payers.c.actor,
        "actor_name": func.max(payers.c.named),
    }
    keys = [columns[name] for name in names if not name.endswith("_name")]
    rows = connection.execute(
        select(*(columns[name].label(name) for name in names), *_sums())
        .join(payers, payers.c.run_id == reservations.c.run_id)
        .join(conversations, conversations.c.run_id == reservations.c.run_id)
        .where(*_of(day, zone))
        .group_by(*keys)
        .order_by(*keys)
    )
    return [
        Group(**{name: getattr(row, name) for name in names}, spending=_spending(row))
        for row in rows
    ]


def _of(day: str, zone: str) -> tuple[ColumnElement[bool], ...]:
    # Every attempt has exactly one row of this scope, with or without a cap.
    return (
        reservations.c.scope == Scope.INSTALLATION,
        # By the moment, as the caps count: what was spent before the zone was another is of that day too.
        reservations.c.at >= days.begins(day, zone),
        reservations.c.at < days.ends(day, zone),
        reservations.c.state.in_(COUNTED),
    )


def _sums() -> list[ColumnElement[Any]]:
    sums = [
        func.coalesce(func.sum(case((reservations.c.state == state, amount), else_=0)), 0).label(
            f"{unit}_{state}"
        )
        for unit, amount in (("usd", reservations.c.usd), ("tokens", reservations.c.tokens))
        for state in (State.RESERVED, State.SETTLED, State.ASSUMED)
    ]
    unpriced = func.coalesce(func.sum(case((reservations.c.usd.is_(None), 1), else_=0)), 0)
    return [*sums, func.count().label("attempts"), unpriced.label("unpriced")]


def _spending(row: Row[Any]) -> Spending:
    return Spending(**{name: int(getattr(row, name)) for name in Spending.__slots__})
