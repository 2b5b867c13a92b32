"""The schema of a database as text, to pin it: `python -m tests.conformance.schemas` writes the pins anew."""

import sqlite3
import tempfile
from pathlib import Path

import psycopg

from orchestrator.database import Database, sqlite_url
from orchestrator.inbox import schema as inbox
from orchestrator.ledger import migrations as ledger
from tests.support.postgres import installed

PINS = Path(__file__).with_name("schema")
PARTS = {"inbox": inbox.MIGRATIONS, "ledger": ledger.MIGRATIONS}
COLUMNS = """
    SELECT table_name, column_name, data_type, collation_name, is_nullable, column_default
    FROM information_schema.columns WHERE table_schema = 'public' ORDER BY table_name, ordinal_position
"""
CONSTRAINTS = """
    SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND contype <> 'n' ORDER BY 1, 2
"""
INDEXES = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexname"


def of_sqlite(path):
    """Every statement that made it, in the order of names."""
    with sqlite3.connect(path) as plain:
        found = plain.execute(
            "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type DESC, name"
        )
        said = [" ".join(row[0].split()) for row in found]
    plain.close()
    return "\n".join(said) + "\n"


def of_postgres(url):
    """Its columns, constraints and indexes."""
    with psycopg.connect(url) as plain:
        found = [row for query in (COLUMNS, CONSTRAINTS, INDEXES) for row in plain.execute(query)]
    return (
        "\n".join(" | ".join(str(word) for word in row if word is not None) for row in found) + "\n"
    )


def pin(part, dialect):
    """Where the schema is written down."""
    return PINS / f"{part}.{dialect}.sql"


def main():
    """Write the pins of today."""
    with installed() as server, tempfile.TemporaryDirectory() as directory:
        for part, migrations in PARTS.items():
            path = Path(directory) / f"{part}.db"
            Database.open(sqlite_url(path), migrations).close()
            pin(part, "sqlite").write_text(of_sqlite(path))
            with server.database() as url:
                Database.open(url, migrations).close()
                pin(part, "postgresql").write_text(of_postgres(url))


if __name__ == "__main__":
    main()
