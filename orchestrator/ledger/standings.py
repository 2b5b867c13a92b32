"""How each worker finds its servers, so that others can tell; it tries none of them."""

from dataclasses import dataclass

from sqlalchemy import Column, Connection, Float, Integer, String, Table, Text, delete, select

from orchestrator.ledger.schema import LEDGER
from orchestrator.ledger.upsert import leave

CLOSED = "closed"
DAY = 86_400.0

table = Table(
    "standings",
    LEDGER,
    Column("server", String, primary_key=True),
    Column("worker", String, primary_key=True),
    Column("state", String, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("error", Text),
    Column("until", Float, nullable=False),
    Column("at", Float, nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fared:
    """A server that a worker leaves alone until `until`, or is trying; `error` is what failed last."""

    server: str
    worker: str
    state: str
    failures: int
    error: str | None
    until: float
    at: float


def put(connection: Connection, fared: Fared) -> None:
    """Write down how a worker finds a server; one that does well needs no row."""
    mine = (table.c.server == fared.server) & (table.c.worker == fared.worker)
    # A worker that died can't take back what it wrote.
    connection.execute(delete(table).where(mine | (table.c.at < fared.at - DAY)))
    if fared.state != CLOSED:
        values = {name: getattr(fared, name) for name in Fared.__slots__}
        leave(connection, table, **values)


def known(connection: Connection, since: float) -> list[Fared]:
    """What workers found since then, by server; who died can't take back what it wrote."""
    rows = connection.execute(
        select(table).where(table.c.at >= since).order_by(table.c.server, table.c.worker)
    )
    return [Fared(**row._mapping) for row in rows]  # noqa: SLF001 - the documented way to a row's names
