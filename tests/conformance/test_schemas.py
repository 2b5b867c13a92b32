"""The schema is what is written down, however old the database was that was brought up to date."""

import pytest
from sqlalchemy import text

from orchestrator.database import Database, sqlite_url
from orchestrator.inbox.schema import MIGRATIONS
from orchestrator.ledger import migrations as ledger
from orchestrator.ledger import turns
from tests.conformance.schemas import PARTS, of_postgres, of_sqlite, pin

NEWER = (
    *("entries_prunable", "entries_tombstones", "entry_keys_position"),
    *("decisions_dead", "decisions_held_back"),
)
AGAIN = (
    "write it down with `python -m tests.conformance.schemas`, and give an older one a migration"
)


def aged(connection):
    """What the first version of the inbox left behind."""
    for name in NEWER:
        connection.execute(text(f"DROP INDEX {name}"))
    for name in ("pauses", "tallies"):
        connection.execute(text(f"DROP TABLE {name}"))
    for name in ("again", "flow", "tallies"):
        connection.execute(text(f"ALTER TABLE decisions DROP COLUMN {name}"))
    connection.execute(text("DELETE FROM migrations WHERE name <> 'm001_inbox'"))


@pytest.mark.parametrize("part", PARTS)
def test_the_schema_on_sqlite_is_the_one_written_down(part, tmp_path):
    Database.open(sqlite_url(tmp_path / "x.db"), PARTS[part]).close()

    assert of_sqlite(tmp_path / "x.db") == pin(part, "sqlite").read_text(), AGAIN


@pytest.mark.parametrize("part", PARTS)
def test_the_schema_on_postgres_is_the_one_written_down(part, postgres):
    with postgres.database() as url:
        Database.open(url, PARTS[part]).close()

        assert of_postgres(url) == pin(part, "postgresql").read_text(), AGAIN


async def test_s1_on_postgres_the_inbox_and_the_ledger_share_a_database(postgres):
    with postgres.database() as url:
        for _ in range(2):
            for migrations in PARTS.values():
                Database.open(url, migrations).close()

        shared = set(of_postgres(url).splitlines())
        for part in PARTS:
            assert set(pin(part, "postgresql").read_text().splitlines()) <= shared


async def test_an_inbox_of_the_first_version_is_brought_to_the_schema_of_today(tmp_path, postgres):
    path = tmp_path / "x.db"
    with postgres.database() as url:
        for place in (sqlite_url(path), url):
            database = Database.open(place, MIGRATIONS)
            await database.write(aged)
            database.close()
            Database.open(place, MIGRATIONS).close()

        assert of_postgres(url) == pin("inbox", "postgresql").read_text()
    assert parts_of(of_sqlite(path)) == parts_of(pin("inbox", "sqlite").read_text())


def parts_of(schema):
    """Each statement as its parts: SQLite writes a column that is added behind the constraints."""
    return [sorted(line.rstrip(")").split(", ")) for line in schema.splitlines()]


def aged_ledger(connection):
    """What the first version of the ledger left behind, with a note in it."""
    connection.execute(text("ALTER TABLE notes DROP COLUMN event_id"))
    connection.execute(text("DELETE FROM migrations WHERE name <> 'm001_ledger'"))
    connection.execute(text("INSERT INTO notes VALUES ('r.1', 1, 0, 'said before')"))


async def test_a_ledger_of_the_first_version_keeps_what_it_holds_and_takes_what_is_new(
    tmp_path, postgres
):
    with postgres.database() as url:
        for place in (sqlite_url(tmp_path / "x.db"), url):
            old = Database.open(place, ledger.MIGRATIONS)
            await old.write(aged_ledger)
            old.close()
            database = Database.open(place, ledger.MIGRATIONS)
            await database.write(turns.note, "r.1", 1, 1, "said now", "evt_1")

            assert await database.read(turns.noted, "r.1") == {1: ["said before", "said now"]}
            assert await database.read(turns.stands, "r.1", 1, 1, "evt_1")
            database.close()
        assert of_postgres(url) == pin("ledger", "postgresql").read_text()
