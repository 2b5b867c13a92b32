"""As whom our hands write: ids and logins, by the source that would name them and the server that said them."""

import json
from collections.abc import Sequence

from sqlalchemy import Connection, delete, select

from orchestrator.ledger.schema import own_actors
from orchestrator.ledger.upsert import leave


def learned(
    connection: Connection, sources: Sequence[str], server: str, names: Sequence[str], at: float
) -> None:
    """Keep what a server said of itself, in place of what it said before; its older names stay ours.

    Events that an older credential caused may still come.
    """
    before = connection.execute(
        select(own_actors.c.names).where(own_actors.c.server == server)
    ).scalars()
    kept = {name for row in before for name in json.loads(row)} | set(names)
    connection.execute(delete(own_actors).where(own_actors.c.server == server))
    for source in sources:
        leave(
            connection,
            own_actors,
            source=source,
            server=server,
            names=json.dumps(sorted(kept)),
            at=at,
        )


def of_source(connection: Connection, source: str) -> frozenset[str]:
    """The ids and logins by which a source names us, as far as servers have told."""
    rows = connection.execute(
        select(own_actors.c.names).where(own_actors.c.source == source)
    ).scalars()
    return frozenset(str(name) for row in rows for name in json.loads(row))
