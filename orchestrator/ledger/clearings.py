"""What was cleared of long conversations: up to which turn old results are shown no more. It shows nothing itself.

A row is written before the turn that is asked without them, so that the same rows give the same prompt.
"""

from sqlalchemy import Connection, func, select

from orchestrator.ledger.schema import clearings
from orchestrator.ledger.upsert import leave


def clear(connection: Connection, run_id: str, turn: int, through: int, at: float) -> None:
    """Before this turn, no result up to the turn `through` is shown any more."""
    before = cleared(connection, run_id)
    if through <= before:
        return
    if not leave(connection, clearings, run_id=run_id, turn=turn, through=through, at=at):
        connection.execute(
            clearings.update()
            .where(clearings.c.run_id == run_id, clearings.c.turn == turn)
            .where(clearings.c.through < through)
            .values(through=through, at=at)
        )


def cleared(connection: Connection, run_id: str) -> int:
    """The last turn whose results are cleared; 0 when none is."""
    found = connection.execute(
        select(func.max(clearings.c.through)).where(clearings.c.run_id == run_id)
    ).scalar_one()
    return int(found or 0)
