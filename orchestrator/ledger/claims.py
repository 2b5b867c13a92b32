"""Who took a decision: the guard that makes every delivery count once (mechanics: the claim is the guard)."""

from collections.abc import Sequence

from sqlalchemy import Connection, and_, select, update

from orchestrator.ledger import conversations
from orchestrator.ledger.schema import claims
from orchestrator.ledger.upsert import leave
from workflows.messages import Claim


def claim(
    connection: Connection, decision_id: str, token: str, how: str, workflow_id: str, at: float
) -> bool:
    """Take a decision; True for the first token and for every repeat of it, False for any other.

    The word is the one its own token said last: a run whose worker was killed may end an entry in another way when it
    plays its steps again, because more came meanwhile.
    """
    leave(
        connection,
        claims,
        decision_id=decision_id,
        token=token,
        how=how,
        workflow_id=workflow_id,
        at=at,
    )
    ours = and_(claims.c.decision_id == decision_id, claims.c.token == token)
    held = connection.execute(select(claims.c.how).where(ours)).scalar_one_or_none()
    if held is not None and held != how:
        connection.execute(update(claims).where(ours).values(how=how))
        if held == Claim.CONSUMED:
            # Of what the killed worker began for it no run knows, so nobody else would ever end it.
            conversations.withdraw(connection, decision_id, at)
    return held is not None


def claimed(connection: Connection, decision_ids: Sequence[str]) -> dict[str, str]:
    """How each of these decisions was taken; those nobody took are left out."""
    rows = connection.execute(
        select(claims.c.decision_id, claims.c.how).where(claims.c.decision_id.in_(decision_ids))
    )
    return {row.decision_id: row.how for row in rows}
