"""What is known of the installation itself: which Temporal namespace its runs live on. It looks at no server."""

from sqlalchemy import Connection, select, update

from orchestrator.ledger.schema import installation
from orchestrator.ledger.upsert import leave

NAMESPACE = "temporal namespace"


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
