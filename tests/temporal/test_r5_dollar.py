"""R5: a dollar's cap holds to the last nano-dollar under runs that start at once, on both databases.

The small version of `python -m tests.bench.caps`, which lets 50 runs spend a whole dollar.
"""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.support.dollars import billed, thrifty, under
from tests.support.house import house
from tests.support.postgres import Postgres
from tests.support.town import Town

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(180)]

RUNS = 16
CAP = "0.40"


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
async def test_r5_of_runs_that_start_at_once_none_passes_the_cap_and_those_that_park_say_why(
    tmp_path: Path, town: Town, postgres: Postgres, store: str
) -> None:
    script = thrifty()
    with postgres.database() as url:
        database = url if store == "postgres" else None
        async with house(tmp_path, town, script, under(CAP), database=database) as home:
            bill = await billed(home, script, RUNS, 120.0)
    assert bill.most <= Decimal(CAP)
    assert bill.settled > 0
    assert bill.asked == bill.paid > 0
    assert set(bill.states) <= {"parked", "completed"}
    assert bill.parked.total() > 0
    assert all(f"rule work: {CAP} USD per day is spent" in reason for reason in bill.parked)
