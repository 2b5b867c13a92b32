"""Insert-or-leave, the one way rows come into the ledger; the same words on SQLite and Postgres."""

from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def leave(connection: Connection, table: Table, **values: Any) -> bool:
    """Insert a row; False when one with its key (or a unique column) is there already and was left alone."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table).values(**values).on_conflict_do_nothing()
    # Unasked, SQLAlchemy counts the rows of no INSERT: on Postgres it would be -1 either way.
    counted = statement.execution_options(preserve_rowcount=True)
    return connection.execute(counted).rowcount == 1
