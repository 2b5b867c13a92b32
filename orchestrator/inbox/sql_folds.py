"""The transactions that let a folded start act after all, because the wake-up it was folded into came to nothing.

It is held against its rule's limits then, and counts as what it would have been: an event of the time when it came.
"""

from sqlalchemy import Connection, select, update

from orchestrator.inbox import rows, sql_lanes, sql_tallies
from orchestrator.inbox.inbox import Action, DecisionState
from orchestrator.inbox.schema import DECISIONS


def unfold(
    connection: Connection, event_id: str, workflow_id: str, again: int | None = None
) -> None:
    """Give a folded start a number in its lane, or leave its event alone where a limit has no room for it."""
    folded = select(DECISIONS).where(
        DECISIONS.c.event_id == event_id,
        DECISIONS.c.workflow_id == workflow_id,
        DECISIONS.c.again.is_not_distinct_from(again),
        DECISIONS.c.state == DecisionState.FOLDED,
    )
    # Locked, so that another who unfolds it doesn't hold it against itself.
    found = connection.execute(folded.with_for_update()).mappings().all()
    acting = [rows.unfolded(dict(row)) for row in found]
    for decision in sql_tallies.held_against(connection, acting):
        values = rows.unfolded_row(decision)
        if decision.state is DecisionState.READY and decision.lane is not None:
            values["lane_number"] = sql_lanes.number_in(connection, values["lane"])
        connection.execute(update(DECISIONS).where(DECISIONS.c.id == decision.id).values(**values))


def bury(connection: Connection, decision_id: str, fence: int, reason: str) -> bool:
    """Make it a dead letter, if the claim still holds; in place of a dead resume its rule acts."""
    buried = sql_lanes.bury(connection, decision_id, fence, reason)
    dead = connection.execute(select(DECISIONS).where(DECISIONS.c.id == decision_id)).one_or_none()
    if buried and dead is not None and dead.action == Action.RESUME:
        unfold(connection, dead.event_id, dead.workflow_id, dead.again)
    return buried
