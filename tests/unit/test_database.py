"""The database: one transaction a verb, several processes on one file, migrations once and in order."""

import asyncio
import multiprocessing
import sqlite3
import threading

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from orchestrator.database import (
    Database,
    DatabaseError,
    DatabaseUnavailable,
    sqlite_url,
)
from orchestrator.inbox.schema import MIGRATIONS


def m001_numbers(connection):
    connection.execute(text("CREATE TABLE numbers (n INTEGER PRIMARY KEY, v INTEGER NOT NULL)"))


def m002_one(connection):
    connection.execute(text("INSERT INTO numbers VALUES (1, 0)"))


STEPS = [m001_numbers, m002_one]


@pytest.fixture
def database(tmp_path):
    opened = Database.open(sqlite_url(tmp_path / "x.db"), STEPS)
    yield opened
    opened.close()


def value(connection):
    return connection.scalars(text("SELECT v FROM numbers WHERE n = 1")).one()


def add(connection, more):
    found = value(connection)
    connection.execute(text("UPDATE numbers SET v = :v WHERE n = 1"), {"v": found + more})
    return found + more


async def test_a_write_is_one_transaction_and_gives_its_result(database):
    assert await database.write(add, 5) == 5
    assert await database.read(value) == 5


async def test_a_write_that_fails_leaves_nothing(database):
    def half(connection):
        add(connection, 5)
        connection.execute(text("INSERT INTO numbers VALUES (1, 1)"))

    with pytest.raises(DatabaseError, match="UNIQUE"):
        await database.write(half)
    assert await database.read(value) == 0


async def test_an_error_of_the_function_passes_through_and_rolls_back(database):
    def broken(connection):
        add(connection, 5)
        raise KeyError("mine")

    with pytest.raises(KeyError):
        await database.write(broken)
    assert await database.read(value) == 0


async def test_a_read_that_writes_is_seen_by_nobody_while_it_runs_beside_writers(database):
    started, done = threading.Event(), threading.Event()

    def slow(connection):
        before = value(connection)
        started.set()
        done.wait(5)
        return before, value(connection)

    reading = asyncio.create_task(database.read(slow))
    await asyncio.to_thread(started.wait, 5)
    await database.write(add, 1)
    done.set()

    assert await reading == (0, 0)


async def test_d2_sqlite_has_its_manners(database):
    def pragmas(connection):
        names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        return [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names]

    assert await database.read(pragmas) == ["wal", 2, 1, 30000]
    assert await database.write(pragmas) == ["wal", 2, 1, 30000]


async def test_migrations_run_once_and_only_the_new_ones(tmp_path):
    url = sqlite_url(tmp_path / "x.db")
    Database.open(url, STEPS[:1]).close()
    Database.open(url, STEPS).close()
    database = Database.open(url, STEPS)

    def names(connection):
        return list(connection.scalars(text("SELECT name FROM migrations ORDER BY name")))

    assert await database.read(names) == ["m001_numbers", "m002_one"]
    database.close()


def test_a_migration_that_fails_leaves_the_schema_as_it_was(tmp_path):
    def m003_broken(connection):
        connection.execute(text("CREATE TABLE half (n INTEGER)"))
        connection.execute(text("CREATE TABLE numbers (n INTEGER)"))

    url = sqlite_url(tmp_path / "x.db")
    with pytest.raises(DatabaseError, match="numbers"):
        Database.open(url, [*STEPS, m003_broken])

    Database.open(url, STEPS).close()
    with sqlite3.connect(tmp_path / "x.db") as plain:
        tables = {row[0] for row in plain.execute("SELECT name FROM sqlite_master")}
    plain.close()
    assert "half" not in tables


def open_and_add(path, times):
    database = Database.open(sqlite_url(path), STEPS)
    for _ in range(times):
        asyncio.run(database.write(add, 1))
    database.close()


async def test_processes_that_open_and_write_one_file_lose_nothing(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    path = tmp_path / "x.db"
    children = [spawn.Process(target=open_and_add, args=(path, 20)) for _ in range(3)]
    for child in children:
        child.start()
    for child in children:
        await asyncio.to_thread(child.join, 30)

    assert [child.exitcode for child in children] == [0, 0, 0]
    database = Database.open(sqlite_url(path), STEPS)
    assert await database.read(value) == 60
    database.close()


async def test_a_lock_that_lasts_is_waited_for_a_bounded_time(database, tmp_path):
    def impatient(connection):
        raise sqlite_busy()

    calls = []

    def twice(connection):
        calls.append(1)
        if len(calls) < 3:
            raise sqlite_busy()
        return add(connection, 1)

    assert await database.write(twice) == 1
    with pytest.raises(DatabaseUnavailable, match="locked"):
        await database.write(impatient)


def sqlite_busy():
    """What the driver raises when another process holds the lock, as the engine wraps it."""
    holder, other = (sqlite3.connect("file::memory:?cache=shared", uri=True) for _ in range(2))
    holder.execute("BEGIN EXCLUSIVE")
    try:
        other.execute("PRAGMA busy_timeout=0")
        other.execute("CREATE TABLE x (n)")
    except sqlite3.OperationalError as error:
        return OperationalError("", {}, error)
    finally:
        holder.close()
        other.close()
    raise AssertionError("it was not locked")


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://u:hidden@h/x"])
def test_a_url_that_is_none_is_named_without_its_password(url):
    with pytest.raises(DatabaseError) as caught:
        Database.open(url, STEPS)
    assert "hidden" not in str(caught.value)
    assert "expected" in str(caught.value)


def test_a_file_that_cannot_be_opened_is_unavailable(tmp_path):
    with pytest.raises(DatabaseUnavailable, match="unable to open"):
        Database.open(sqlite_url(tmp_path / "none" / "x.db"), STEPS)


async def test_a_full_disk_is_unavailable_and_nothing_is_lost(database):
    def fill(connection):
        connection.exec_driver_sql("PRAGMA max_page_count=10")
        connection.execute(text("CREATE TABLE big (b BLOB)"))
        connection.execute(text("INSERT INTO big VALUES (zeroblob(1000000))"))

    with pytest.raises(DatabaseUnavailable, match="full"):
        await database.write(fill)
    assert await database.write(add, 1) == 1


def test_the_inbox_has_exactly_these_tables(tmp_path):
    Database.open(sqlite_url(tmp_path / "x.db"), MIGRATIONS).close()
    with sqlite3.connect(tmp_path / "x.db") as plain:
        rows = plain.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        names = [row[0] for row in rows if not row[0].startswith("sqlite_")]
    plain.close()

    assert names == [
        "decisions",
        "entries",
        "entry_keys",
        "inbox_pulse",
        "lanes",
        "migrations",
        "pauses",
        "refusals",
        "subscriptions",
        "tallies",
    ]
