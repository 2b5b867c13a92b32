"""The database on Postgres: one transaction a verb, on disk when it returns, conflicts run again, crashes survived."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from orchestrator.database import Database, DatabaseError, DatabaseUnavailable
from tests.support.postgres import installed


def m001_numbers(connection):
    connection.execute(text("CREATE TABLE numbers (n INTEGER PRIMARY KEY, v INTEGER NOT NULL)"))


def m002_two(connection):
    connection.execute(text("INSERT INTO numbers VALUES (1, 0), (2, 0)"))


STEPS = [m001_numbers, m002_two]


@pytest.fixture
def url(postgres):
    with postgres.database() as made:
        yield made


@pytest.fixture
def database(url):
    opened = Database.open(url, STEPS)
    yield opened
    opened.close()


def value(connection, n=1):
    return connection.scalars(text("SELECT v FROM numbers WHERE n = :n"), {"n": n}).one()


def add(connection, n=1):
    connection.execute(text("UPDATE numbers SET v = v + 1 WHERE n = :n"), {"n": n})
    return value(connection, n)


def setting(connection, name):
    return connection.scalars(text("SELECT current_setting(:name)"), {"name": name}).one()


async def test_a_write_is_one_transaction_and_an_error_leaves_nothing(database):
    def half(connection):
        add(connection)
        connection.execute(text("INSERT INTO numbers VALUES (1, 1)"))

    assert await database.write(add) == 1
    with pytest.raises(DatabaseError, match="duplicate key"):
        await database.write(half)
    assert await database.read(value) == 1


async def test_d2_a_commit_waits_for_the_disk_whatever_the_role_is_set_to(postgres, url):
    name = url.partition("?")[0].rpartition("/")[2]
    postgres.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    postgres.execute(
        f"ALTER DATABASE \"{name}\" SET default_transaction_isolation = 'serializable'"
    )
    database = Database.open(url, STEPS)

    assert await database.write(setting, "synchronous_commit") == "on"
    assert await database.write(setting, "transaction_isolation") == "read committed"
    database.close()


async def test_two_that_wait_for_each_other_both_get_through(database):
    both_hold = threading.Barrier(2, timeout=10)
    tries = []

    def cross(connection, first, second):
        add(connection, first)
        tries.append(first)
        if len(tries) <= 2:
            both_hold.wait()
        add(connection, second)

    await asyncio.gather(database.write(cross, 1, 2), database.write(cross, 2, 1))

    assert [await database.read(value, n) for n in (1, 2)] == [2, 2]
    assert len(tries) == 3


async def test_writers_at_once_lose_nothing(database):
    await asyncio.gather(*[database.write(add) for _ in range(100)])

    assert await database.read(value) == 100


def test_s1_services_that_start_together_migrate_once(url):
    with ThreadPoolExecutor(6) as threads:
        for opened in threads.map(lambda _: Database.open(url, STEPS), range(6)):
            opened.close()


def test_a_server_that_is_not_there_is_unavailable_and_its_password_is_not_shown(tmp_path):
    with pytest.raises(DatabaseUnavailable) as caught:
        Database.open(f"postgresql://u:hidden@/x?host={tmp_path}", STEPS)

    assert "hidden" not in str(caught.value)


async def test_d2_a_crash_is_unavailable_and_what_was_written_is_there_afterwards():
    with installed() as server:
        database = Database.open(server.url("postgres"), STEPS)
        await database.write(add)
        server.crash()
        with pytest.raises(DatabaseUnavailable):
            await database.write(add)
        server.start()

        assert await database.write(add) == 2
        database.close()
