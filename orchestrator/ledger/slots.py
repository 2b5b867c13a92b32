"""Who may run at once: a limited rule has so many slots, and a start that would open a run takes one first.

A slot is a row (rule, n), taken by whoever inserts it, owned by a workflow, of which at most one conversation is open.
What was let in for it is remembered until its conversation is over, so that nobody else gets the slot while a delivery
is on its way into the mailbox. It is given back, in the transaction that says so, when the conversation waits, parks or
ends; one that goes on takes a slot again, above the number if it must: it is never held.

    a start is let in --> its conversation runs --> it waits or parks: given back --> it runs again: retaken
    it ends: given back; what stands behind it in its mailbox enters when there is a slot again, as others do
    whatever a crash leaves behind, `holding` finds and gives back
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    and_,
    delete,
    exists,
    func,
    or_,
    select,
)

from orchestrator.ledger.schema import admitted, claims, conversation_events, conversations, slots
from orchestrator.ledger.upsert import leave
from workflows.messages import Claim, RunState

AT_REST = (RunState.WAITING, RunState.PARKED)
POLITE = 1.5
"""Seconds for which a workflow that gave a slot back leaves it to those that wait in the inbox."""
GONE = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A start that wants in, decided at `since`, in seconds since 1970.

    `last`: others of its rule came before it, so it gets no slot that is free.
    """

    rule: str
    most: int
    workflow_id: str
    decision_id: str
    event_id: str
    since: float = 0.0
    last: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A workflow that holds a slot."""

    rule: str
    workflow_id: str
    at: float


def admit(connection: Connection, wishes: Sequence[Wish], at: float) -> frozenset[str]:
    """Let in what may go on, in this order; the ids of those decisions."""
    return frozenset(wish.decision_id for wish in wishes if _admit(connection, wish, at))


def enter(connection: Connection, wish: Wish, at: float) -> bool:
    """Whether the conversation of what was let in may begin: its workflow holds a slot, or takes one that is free.

    With `last` it takes none just after its workflow gave one back.
    """
    if not _hold(connection, wish.workflow_id):
        polite = wish.last and _ended_since(connection, wish.workflow_id, at - POLITE)
        if polite or not _take(connection, wish, at):
            return False
    _remember(connection, wish, at)
    return True


def follow(connection: Connection, run_id: str, at: float) -> None:
    """A conversation has come to another state: its workflow gives its slot back, or takes one again."""
    found = connection.execute(
        select(conversations.c.workflow_id, conversations.c.state).where(
            conversations.c.run_id == run_id
        )
    ).one_or_none()
    if found is None or _rule_of(connection, found.workflow_id) is None:
        return
    if found.state == RunState.ENDED and not _runs(connection, found.workflow_id):
        # What came for it meanwhile enters as everybody does: one key must not keep a slot for itself.
        _hold(connection, found.workflow_id)
        _release(connection, found.workflow_id)
    _settle(connection, found.workflow_id, at)


def withdraw(connection: Connection, decision_id: str, at: float) -> None:
    """It will not be delivered: what was let in for it goes."""
    workflow_id = connection.execute(
        select(admitted.c.workflow_id).where(admitted.c.decision_id == decision_id)
    ).scalar_one_or_none()
    if workflow_id is None:
        return
    _hold(connection, workflow_id)
    connection.execute(delete(admitted).where(admitted.c.decision_id == decision_id))
    _settle(connection, workflow_id, at)


def settle(connection: Connection, workflow_id: str, at: float) -> bool:
    """Give back what nobody needs; whether it holds a slot still."""
    if _rule_of(connection, workflow_id) is None:
        connection.execute(delete(slots).where(slots.c.workflow_id == workflow_id))
    else:
        _settle(connection, workflow_id, at)
    return _hold(connection, workflow_id)


def vacate(connection: Connection, workflow_id: str) -> bool:
    """The workflow is gone: its slot is free, unless something is on its way to it; whether it was freed."""
    if not _hold(connection, workflow_id) or on_its_way(connection, workflow_id):
        return False
    _release(connection, workflow_id)
    connection.execute(delete(admitted).where(admitted.c.workflow_id == workflow_id))
    return True


def free(connection: Connection, most: Mapping[str, int]) -> dict[str, int]:
    """How many slots each of these rules has left; those without any are left out."""
    used = taken(connection)
    left = {rule: number - used.get(rule, 0) for rule, number in most.items()}
    return {rule: number for rule, number in left.items() if number > 0}


def taken(connection: Connection) -> dict[str, int]:
    """How many slots of each rule, by its id, are taken."""
    counted = connection.execute(select(slots.c.rule, func.count()).group_by(slots.c.rule))
    return {row[0]: row[1] for row in counted}


def holders(connection: Connection) -> list[Holder]:
    """Every slot that is taken, the longest taken first."""
    rows = connection.execute(
        select(slots.c.rule, slots.c.workflow_id, slots.c.at).order_by(slots.c.at)
    )
    return [Holder(rule=row.rule, workflow_id=row.workflow_id, at=row.at) for row in rows]


def on_its_way(connection: Connection, workflow_id: str) -> list[str]:
    """The decisions that were let in for a workflow and reached no conversation of it yet."""
    rows = connection.execute(
        select(admitted.c.decision_id)
        .where(admitted.c.workflow_id == workflow_id, _pending())
        .order_by(admitted.c.at, admitted.c.decision_id)
    )
    return list(rows.scalars())


def _admit(connection: Connection, wish: Wish, at: float) -> bool:
    inside = _hold(connection, wish.workflow_id) or _rests(connection, wish.workflow_id)
    if not inside and (wish.last or not _take(connection, wish, at, _ahead(connection, wish, at))):
        return False
    _remember(connection, wish, at)
    return True


def _remember(connection: Connection, wish: Wish, at: float) -> None:
    leave(
        connection,
        admitted,
        decision_id=wish.decision_id,
        rule=wish.rule,
        workflow_id=wish.workflow_id,
        event_id=wish.event_id,
        at=at,
    )


def _take(connection: Connection, wish: Wish, at: float, ahead: int = 0) -> bool:
    taken = _taken(connection, wish.rule)
    # Lowered, the number counts from the next start on: what is above it goes on.
    if len(taken) + ahead >= wish.most:
        return False
    numbers = (n for n in range(wish.most) if n not in taken)
    return any(_insert(connection, wish.rule, n, wish.workflow_id, at) for n in numbers)


def _ahead(connection: Connection, wish: Wish, at: float) -> int:
    """How many runs ask for a slot for a conversation of theirs that was let in before this start was decided."""
    taken, holding, open_one = claims.alias(), slots.alias(), conversations.alias()
    asking = (
        select(func.count(admitted.c.workflow_id.distinct()))
        .join(taken, taken.c.decision_id == admitted.c.decision_id)
        .where(admitted.c.rule == wish.rule, taken.c.how == Claim.CONSUMED)
        .where(or_(_pending(), _held_for()))
        # One that has asked for so long is gone: it must not keep a slot free for ever.
        .where(admitted.c.at < wish.since, taken.c.at > at - GONE)
        .where(admitted.c.workflow_id != wish.workflow_id)
        .where(~exists().where(holding.c.workflow_id == admitted.c.workflow_id))
        .where(
            ~exists().where(
                open_one.c.workflow_id == admitted.c.workflow_id,
                open_one.c.state != RunState.ENDED,
                ~_is_held(open_one),
            )
        )
    )
    return connection.execute(asking).scalar_one()


def _ended_since(connection: Connection, workflow_id: str, since: float) -> bool:
    return _has_conversation(connection, workflow_id, conversations.c.ended_at > since)


def _settle(connection: Connection, workflow_id: str, at: float) -> None:
    held = _hold(connection, workflow_id)
    busy = _busy(connection, workflow_id)
    if held and not busy:
        _release(connection, workflow_id)
    elif not held and _runs(connection, workflow_id):
        _retake(connection, workflow_id, at)
    if not busy and not _open(connection, workflow_id):
        connection.execute(delete(admitted).where(admitted.c.workflow_id == workflow_id))


def _retake(connection: Connection, workflow_id: str, at: float) -> None:
    rule = _rule_of(connection, workflow_id)
    if rule is None:
        return
    n = 0
    taken = _taken(connection, rule)
    while n in taken or not _insert(connection, rule, n, workflow_id, at):
        n += 1


def _release(connection: Connection, workflow_id: str) -> None:
    connection.execute(delete(slots).where(slots.c.workflow_id == workflow_id))


def _insert(connection: Connection, rule: str, n: int, workflow_id: str, at: float) -> bool:
    return leave(connection, slots, rule=rule, n=n, workflow_id=workflow_id, at=at)


def _taken(connection: Connection, rule: str) -> set[int]:
    return set(connection.scalars(select(slots.c.n).where(slots.c.rule == rule)))


def _hold(connection: Connection, workflow_id: str) -> bool:
    # Locked: who lets something in, and who gives the slot back, take turns.
    mine = select(slots.c.n).where(slots.c.workflow_id == workflow_id).with_for_update()
    return connection.execute(mine).first() is not None


def _rests(connection: Connection, workflow_id: str) -> bool:
    mine = select(conversations.c.run_id).where(
        conversations.c.workflow_id == workflow_id, conversations.c.state.in_(AT_REST)
    )
    return connection.execute(mine.with_for_update()).first() is not None


def _busy(connection: Connection, workflow_id: str) -> bool:
    return _runs(connection, workflow_id) or (
        not _open(connection, workflow_id) and bool(on_its_way(connection, workflow_id))
    )


def _runs(connection: Connection, workflow_id: str) -> bool:
    return _has_conversation(connection, workflow_id, conversations.c.state == RunState.RUNNING)


def _open(connection: Connection, workflow_id: str) -> bool:
    return _has_conversation(connection, workflow_id, conversations.c.state != RunState.ENDED)


def _has_conversation(
    connection: Connection, workflow_id: str, condition: ColumnElement[bool]
) -> bool:
    mine = select(conversations.c.run_id).where(
        conversations.c.workflow_id == workflow_id, condition
    )
    return connection.execute(mine.limit(1)).first() is not None


def _rule_of(connection: Connection, workflow_id: str) -> str | None:
    mine = select(admitted.c.rule).where(admitted.c.workflow_id == workflow_id).limit(1)
    return connection.execute(mine).scalar_one_or_none()


def _held_for() -> ColumnElement[bool]:
    """Whether the conversation of what was let in waits for a slot."""
    waiting = conversations.alias()
    return exists().where(waiting.c.decision_id == admitted.c.decision_id, _is_held(waiting))


def _is_held(table: FromClause) -> ColumnElement[bool]:
    return and_(table.c.state == RunState.WAITING, table.c.frozen.is_(None))


def _pending() -> ColumnElement[bool]:
    claimed: Any = exists().where(claims.c.decision_id == admitted.c.decision_id)
    consumed = exists().where(
        claims.c.decision_id == admitted.c.decision_id, claims.c.how == Claim.CONSUMED
    )
    opened = exists().where(conversations.c.decision_id == admitted.c.decision_id)
    heard = exists().where(
        conversation_events.c.event_id == admitted.c.event_id,
        conversation_events.c.run_id == conversations.c.run_id,
        conversations.c.workflow_id == admitted.c.workflow_id,
    )
    # Claimed, but not yet in a conversation: the run is about to open one for it.
    return or_(~claimed, and_(consumed, ~opened, ~heard))
