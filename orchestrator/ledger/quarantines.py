"""Which tools were seen with another definition than was locked, or pinned; it judges none of them."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, exists, select

from orchestrator.ledger.schema import calls, quarantines
from orchestrator.ledger.upsert import leave
from workflows.messages import CallState


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """A definition (its hash is `seen`) that nobody had accepted, what is different in it, and who saw it first."""

    server: str
    tool: str
    seen: str
    words: str
    run_id: str
    at: float


def put(connection: Connection, quarantine: Quarantine) -> None:
    """Write down what was seen; the first time stays."""
    leave(
        connection,
        quarantines,
        server=quarantine.server,
        tool=quarantine.tool,
        seen=quarantine.seen,
        words=quarantine.words,
        run_id=quarantine.run_id,
        at=quarantine.at,
    )


def of_tool(connection: Connection, server: str, tool: str) -> list[Quarantine]:
    """All of a tool, the newest first; some of them may have been accepted since."""
    return _found(
        connection,
        select(quarantines).where(quarantines.c.server == server, quarantines.c.tool == tool),
    )


def of_run(connection: Connection, run_id: str) -> list[Quarantine]:
    """All that a run saw first, or was denied a call for; the newest first."""
    denied = exists().where(
        calls.c.run_id == run_id,
        calls.c.state == CallState.DENIED,
        calls.c.server == quarantines.c.server,
        calls.c.tool == quarantines.c.tool,
    )
    return _found(connection, select(quarantines).where((quarantines.c.run_id == run_id) | denied))


def _found(connection: Connection, query: Select[Any]) -> list[Quarantine]:
    rows = connection.execute(query.order_by(quarantines.c.at.desc(), quarantines.c.seen))
    return [Quarantine(**row._mapping) for row in rows]  # noqa: SLF001 - the documented way to a row's names
