"""R5 and A1: processes that spend at once and are killed at any instant never pass a cap, and leave no book behind."""

import asyncio
import random
import sys
from contextlib import contextmanager

import pytest

from orchestrator.database import Database, sqlite_url
from orchestrator.ledger import caps, reservations
from orchestrator.ledger import migrations as ledger_migrations
from tests.support.builders import AT
from tests.support.purses import HOUSE, RULE, books

DOLLAR = 10**9
SPENDERS = 3
KILLS = 6


@contextmanager
def on_sqlite(directory, _postgres):
    yield sqlite_url(directory / "ledger.db")


@contextmanager
def on_postgres(_directory, postgres):
    with postgres.database() as url:
        yield url


@pytest.mark.parametrize("place", [on_sqlite, on_postgres], ids=["sqlite", "postgres"])
@pytest.mark.timeout(120)
async def test_r5_processes_killed_between_reserving_and_settling_never_pass_a_dollar(
    tmp_path, postgres, place
):
    dice = random.Random(11)
    with place(tmp_path, postgres) as url:
        ledger = Database.open(url, ledger_migrations.MIGRATIONS)
        spending = [await spender(url, number) for number in range(SPENDERS)]
        for kill in range(KILLS):
            for _ in range(dice.randrange(8, 30)):
                await spending[0].stdout.readline()
            standing = await ledger.read(caps.standing, HOUSE, 0.0)
            assert standing.usd_spent + standing.usd_reserved <= DOLLAR
            spending[0].kill()
            await spending.pop(0).wait()
            spending.append(await spender(url, SPENDERS + kill))
        for process in spending:
            process.kill()
            await process.wait()
        await ledger.write(reservations.expire, AT + 1)

        found = await ledger.read(books)
        ledger.close()
    assert {values["usd_reserved"] for values in found.values()} == {0}
    assert len(found) == 2
    sums = [values["usd_settled"] + values["usd_assumed"] for values in found.values()]
    assert sums[0] == sums[1] <= DOLLAR
    assert RULE.rule in {key[1] for key in found}


async def spender(url, number):
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.spenders",
        url,
        f"spender{number}",
        str(number),
        stdout=asyncio.subprocess.PIPE,
    )
