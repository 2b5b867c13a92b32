"""Runs that a day's cap holds up: who pays for a run, what its next turn needs, whether it was let go on.

A shortfall is one row for each run. `number` grows with every time that it parks, so that each parking is ended by one
Resume row at most, whoever writes that twice. It is `open` until the run has reserved for a turn again; as long as the
run is parked in other words, something else holds it up, and money would not let it go on.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, and_, func, select, tuple_, update

from orchestrator.ledger import turns
from orchestrator.ledger.caps import Account, Amount
from orchestrator.ledger.schema import conversations, payers, reservations, shortfalls
from orchestrator.ledger.upsert import leave
from workflows.messages import RunState

Place = tuple[float, str]
"""Where a run stands in the order in which they parked."""

BESIDE: Final = (conversations, conversations.c.run_id == shortfalls.c.run_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Payer:
    """Whose caps a run counts against, for all its life: its rule's id, and the actor of the event that opened it.

    `named` is the actor for people. `caps` are the rule's as JSON, should the rule leave the files.
    """

    run_id: str
    rule: str
    actor: str
    named: str
    caps: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What the next turn of a run needs at least: `input_tokens`, of them `kept_long` cached, and a short reply."""

    model: str
    input_tokens: int
    kept_long: int
    output_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """A run that parked for money, with what it needs; `words` are its reason, `day` is when it parked."""

    run_id: str
    turn: int
    words: str
    day: str
    need: Need
    number: int
    since: float
    at: float
    released: int
    released_at: float | None

    @property
    def place(self) -> Place:
        """Behind whom it stands, and before whom."""
        return self.since, self.run_id


def payer(connection: Connection, run_id: str) -> Payer | None:
    """Who pays for the run, once that was written down."""
    row = connection.execute(select(payers).where(payers.c.run_id == run_id)).one_or_none()
    return None if row is None else Payer(**row._mapping)  # noqa: SLF001 - the documented way to a row's names


def pays(connection: Connection, found: Payer) -> Payer:
    """Write down who pays; the first word stays, but the caps follow the files."""
    leave(connection, payers, **{name: getattr(found, name) for name in Payer.__slots__})
    of_run = payers.c.run_id == found.run_id
    connection.execute(update(payers).where(of_run).values(caps=found.caps))
    return payer(connection, found.run_id) or found


def record(
    connection: Connection, run_id: str, turn: int, words: str, day: str, need: Need, at: float
) -> None:
    """A run parks for money; those that parked first are let go on first, however often they are turned back."""
    made = {"turn": turn, "words": words, "day": day, "at": at, "state": "open"}
    made |= {name: getattr(need, name) for name in Need.__slots__}
    if leave(connection, shortfalls, run_id=run_id, since=at, number=1, released=0, **made):
        return
    kept = connection.execute(
        select(shortfalls.c.state, shortfalls.c.since, shortfalls.c.number)
        .where(shortfalls.c.run_id == run_id)
        .with_for_update()
    ).one()
    since = kept.since if kept.state == "open" else at
    connection.execute(
        update(shortfalls)
        .where(shortfalls.c.run_id == run_id)
        .values(since=since, number=kept.number + 1, **made)
    )


def finish(
    connection: Connection, run_id: str, turn: int, words: str, day: str, need: Need, at: float
) -> None:
    """The run's last turn was asked for: `words` say why it is the last."""
    record(connection, run_id, turn, words, day, need, at)
    connection.execute(
        update(shortfalls).where(shortfalls.c.run_id == run_id).values(state="finished")
    )


def finished(connection: Connection, run_id: str, turn: int) -> str:
    """Why that turn is the run's last; empty when it isn't."""
    of_run = (shortfalls.c.run_id == run_id, shortfalls.c.turn == turn)
    words = connection.execute(
        select(shortfalls.c.words).where(*of_run, shortfalls.c.state == "finished")
    ).scalar_one_or_none()
    return words or ""


def summary(connection: Connection, run_id: str) -> str:
    """What the model said in the turn in which it took its leave, as long as no turn came after it; empty otherwise."""
    replies = turns.replied(connection, run_id)
    last = replies[-1] if replies else None
    if last is None or not finished(connection, run_id, last.turn):
        return ""
    return turns.text_of(last)


def holds(connection: Connection, run_id: str) -> bool:
    """Whether a cap holds the run up."""
    held = select(shortfalls.c.run_id).join(*BESIDE).where(shortfalls.c.run_id == run_id, is_held())
    return connection.execute(held).one_or_none() is not None


def met(connection: Connection, run_id: str) -> None:
    """The run has what it needs."""
    connection.execute(
        update(shortfalls)
        .where(shortfalls.c.run_id == run_id, shortfalls.c.state == "open")
        .values(state="met")
    )


def is_held() -> ColumnElement[bool]:
    """Whether a conversation is parked for money: not for a pause, or its own budget, that stopped it since."""
    return and_(
        shortfalls.c.state == "open",
        conversations.c.state == RunState.PARKED,
        conversations.c.reason == shortfalls.c.words,
    )


def waiting(
    connection: Connection,
    rules: Collection[str],
    sources: Collection[str],
    after: Place | None,
    limit: int,
) -> list[Shortfall]:
    """Runs parked for money that nobody let go on yet, of no such rule and no such source, in order, behind `after`."""
    place = (shortfalls.c.since, shortfalls.c.run_id)
    rows = connection.execute(
        select(shortfalls)
        .join(*BESIDE)
        .where(
            is_held(),
            shortfalls.c.released < shortfalls.c.number,
            conversations.c.rule.not_in(rules),
            conversations.c.source.not_in(sources),
            *([] if after is None else [tuple_(*place) > after]),
        )
        .order_by(*place)
        .limit(limit)
    )
    return [_shortfall(row) for row in rows]


def going(connection: Connection, limit: int) -> list[Shortfall]:
    """Runs that are still parked though they were let go on, the newest first."""
    rows = connection.execute(
        select(shortfalls)
        .join(*BESIDE)
        .where(is_held(), shortfalls.c.released >= shortfalls.c.number)
        .order_by(shortfalls.c.released_at.desc(), shortfalls.c.run_id)
        .limit(limit)
    )
    return [_shortfall(row) for row in rows]


def release(connection: Connection, run_id: str, number: int, at: float) -> None:
    """The Resume row for this parking is written."""
    connection.execute(
        update(shortfalls)
        .where(shortfalls.c.run_id == run_id, shortfalls.c.released < number)
        .values(released=number, released_at=at)
    )


def unheard(connection: Connection, run_id: str, number: int) -> None:
    """The run took the row that ends this parking for one that came too late: it is parked anew."""
    mine = (shortfalls.c.run_id == run_id, shortfalls.c.number == number)
    connection.execute(update(shortfalls).where(*mine).values(number=number + 1))


def taken(connection: Connection, account: Account, since: float) -> Amount:
    """What runs that were let go on since then have taken of a cap."""
    row = connection.execute(
        select(
            func.coalesce(func.sum(reservations.c.usd), 0),
            func.coalesce(func.sum(reservations.c.tokens), 0),
        )
        .join(shortfalls, shortfalls.c.run_id == reservations.c.run_id)
        .where(shortfalls.c.released_at >= since)
        .where(reservations.c.at >= shortfalls.c.released_at, reservations.c.state != "freed")
        .where(reservations.c.scope == account.scope)
        .where(reservations.c.rule == account.rule, reservations.c.actor == account.actor)
    ).one()
    return Amount(usd=int(row[0]), tokens=int(row[1]))


def _shortfall(row: Row[Any]) -> Shortfall:
    values = dict(row._mapping)  # noqa: SLF001 - the documented way to a row's names
    need = Need(**{name: values.pop(name) for name in Need.__slots__})
    del values["state"]
    return Shortfall(need=need, **values)


def of_runs(connection: Connection, run_ids: Sequence[str]) -> dict[str, Shortfall]:
    """The shortfalls of these runs."""
    rows = connection.execute(select(shortfalls).where(shortfalls.c.run_id.in_(run_ids)))
    return {row.run_id: _shortfall(row) for row in rows}
