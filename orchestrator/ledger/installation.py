"""What is known of the installation itself: on which Temporal namespace its runs live, and since when rules hear what.

It looks at no server, and at no rule.
"""

from sqlalchemy import Connection, delete, select, update

from orchestrator.ledger.schema import installation
from orchestrator.ledger.upsert import leave

NAMESPACE = "temporal namespace"
HEARD = "rules hear "


def namespace(connection: Connection) -> str | None:
    """The id of the Temporal namespace that our runs live on; None before the first was seen."""
    wanted = select(installation.c.value).where(installation.c.name == NAMESPACE)
    return connection.execute(wanted).scalar_one_or_none()


def remember(connection: Connection, found: str, at: float) -> str:
    """Remember the namespace if none is known; returns the known one."""
    leave(connection, installation, name=NAMESPACE, value=found, at=at)
    return namespace(connection) or found


def accept(connection: Connection, found: str, at: float) -> None:
    """From now on our runs live there."""
    remember(connection, found, at)
    connection.execute(
        update(installation)
        .where(installation.c.name == NAMESPACE, installation.c.value != found)
        .values(value=found, at=at)
    )


def heard_since(connection: Connection, kind: str) -> float | None:
    """Since when rules hear of this kind of notice, in seconds; None while none does."""
    wanted = select(installation.c.at).where(installation.c.name == f"{HEARD}{kind}")
    return connection.execute(wanted).scalar_one_or_none()


def hear(connection: Connection, kind: str, at: float) -> None:
    """From now on there is a rule that hears of it."""
    leave(connection, installation, name=f"{HEARD}{kind}", value=kind, at=at)


def hear_no_more(connection: Connection, kind: str) -> None:
    """No rule hears of it any more."""
    connection.execute(delete(installation).where(installation.c.name == f"{HEARD}{kind}"))
