"""How many writes of a run came to what, counted from the calls; so it stays true after the run has ended."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

from sqlalchemy import Connection, func, select
from typing_extensions import override

from orchestrator.ledger.schema import calls
from workflows.messages import CallState
from workflows.playbook import Effect

APPLIED: Final = ":applied"
"""What the id of a call ends in that was made of a proposal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Writes:
    """Writes by what became of them; `denied` are calls of any kind that a policy or a person did not allow."""

    done: int = 0
    proposed: int = 0
    failed: int = 0
    denied: int = 0
    unknown: int = 0
    pending: int = 0

    @override
    def __str__(self) -> str:
        """In words: only what there is."""
        found = ((field.name, getattr(self, field.name)) for field in fields(self))
        return ", ".join(f"{count} {name}" for name, count in found if count)


NONE: Final = Writes()

_NAMES: Final = {
    CallState.DONE: "done",
    CallState.PROPOSED: "proposed",
    CallState.FAILED: "failed",
    CallState.REFUSED: "failed",
    CallState.DENIED: "denied",
    CallState.UNKNOWN: "unknown",
    CallState.PENDING: "pending",
}


def writes(connection: Connection, run_ids: Sequence[str]) -> dict[str, Writes]:
    """By run id; a run that has written nothing is not among them."""
    rows = connection.execute(
        select(calls.c.run_id, calls.c.call_id, calls.c.state).where(
            calls.c.run_id.in_(run_ids),
            (calls.c.effect != Effect.READ) | (calls.c.state == CallState.DENIED),
        )
    ).all()
    applied = {
        (row.run_id, row.call_id.removesuffix(APPLIED))
        for row in rows
        if row.call_id.endswith(APPLIED)
    }
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        name = _NAMES.get(CallState(row.state))
        # A proposal that was made is what it came to; it isn't one any more.
        if name is not None and (row.run_id, row.call_id) not in applied:
            counted[row.run_id][name] += 1
    return {run_id: Writes(**found) for run_id, found in counted.items()}


def standing(connection: Connection, since: float) -> dict[str, int]:
    """How many writes stand how, by the words of their life: those asked for since then, and all that are open."""
    is_open = calls.c.state.in_([CallState.INTENDED, CallState.SENT, CallState.PENDING])
    rows = connection.execute(
        select(calls.c.state, func.count().label("many"))
        .where(calls.c.effect != Effect.READ, is_open | (calls.c.at >= since))
        .group_by(calls.c.state)
    )
    found = {row.state: int(row.many) for row in rows}
    return {str(state): found[state] for state in CallState if state in found}
