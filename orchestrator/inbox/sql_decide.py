"""The transactions that write decisions, and carry out what a person's word orders beside them; they act on nothing.

A lane's number is taken under the lane row's lock, so numbers become visible in their order.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from orchestrator.inbox import rows, sql_tallies
from orchestrator.inbox.inbox import Decision, DecisionState, EntryState
from orchestrator.inbox.orders import Order
from orchestrator.inbox.schema import DECISIONS, ENTRIES
from orchestrator.inbox.sql_lanes import number_in
from orchestrator.inbox.sql_orders import carry_out


def decide(
    connection: Connection,
    event_id: str,
    decisions: Sequence[Decision],
    now: datetime,
    order: Order | None,
) -> list[Decision]:
    """Write the decisions and mark the entry decided; an entry decided before keeps what was decided."""
    decided = connection.execute(
        update(ENTRIES)
        .where(ENTRIES.c.id == event_id, ENTRIES.c.state == EntryState.RECEIVED)
        .values(state=EntryState.DECIDED)
    )
    if not decided.rowcount:
        return []
    others = {decision.event_id for decision in decisions} - {event_id}
    pruned = _tombstones(connection, others) if others else frozenset()
    known = [one for one in decisions if one.event_id not in pruned]
    written = sql_tallies.judged(connection, known, now)
    _write(connection, written, now)
    if order is not None:
        carry_out(connection, order, event_id, now)
    return written


def add(connection: Connection, decisions: Sequence[Decision], now: datetime) -> None:
    """Write later decisions; known ids are left alone, and so are tombstones."""
    pruned = _tombstones(connection, {decision.event_id for decision in decisions})
    _write(connection, [one for one in decisions if one.event_id not in pruned], now)


def _tombstones(connection: Connection, event_ids: Iterable[str]) -> frozenset[str]:
    # The entries' locks make two that add the same id take turns.
    locked = connection.execute(
        select(ENTRIES.c.id, ENTRIES.c.state)
        .where(ENTRIES.c.id.in_(sorted(event_ids)))
        .order_by(ENTRIES.c.id)
        .with_for_update()
    ).all()
    return frozenset(row.id for row in locked if row.state == EntryState.PRUNED)


def _write(connection: Connection, decisions: Sequence[Decision], now: datetime) -> None:
    ids = [decision.id for decision in decisions]
    known = set(connection.scalars(select(DECISIONS.c.id).where(DECISIONS.c.id.in_(ids))))
    new = {
        decision.id: rows.decision_row(decision, now)
        for decision in decisions
        if decision.id not in known
    }
    # Lanes are locked in one order, or two transactions could wait for each other.
    for row in sorted(new.values(), key=lambda row: row["lane"] or ""):
        if row["lane"] is not None and row["state"] == DecisionState.READY:
            row["lane_number"] = number_in(connection, row["lane"])
    if new:
        connection.execute(insert(DECISIONS), list(new.values()))
