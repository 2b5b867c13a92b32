"""Who took a decision: the guard that makes every delivery count once (mechanics: the claim is the guard)."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from orchestrator.ledger.schema import claims
from orchestrator.ledger.upsert import leave


def claim(
    connection: Connection, decision_id: str, token: str, how: str, workflow_id: str, at: float
) -> bool:
    """Take a decision; True for the first token and for every repeat of it, False for any other."""
    leave(
        connection,
        claims,
        decision_id=decision_id,
        token=token,
        how=how,
        workflow_id=workflow_id,
        at=at,
    )
    held = connection.execute(select(claims.c.token).where(claims.c.decision_id == decision_id))
    return bool(held.scalar_one() == token)


def claimed(connection: Connection, decision_ids: Sequence[str]) -> dict[str, str]:
    """How each of these decisions was taken; those nobody took are left out."""
    rows = connection.execute(
        select(claims.c.decision_id, claims.c.how).where(claims.c.decision_id.in_(decision_ids))
    )
    return {row.decision_id: row.how for row in rows}
