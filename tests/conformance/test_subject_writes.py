"""R4: workers that write at once on one subject never write more often than allowed; on both databases."""

import asyncio

import pytest

from orchestrator.database import Database, sqlite_url
from orchestrator.ledger import causes
from orchestrator.ledger.causes import Writing
from orchestrator.ledger.migrations import MIGRATIONS
from tests.support.builders import AT

MOST = 3
WORKERS = 4
WRITES = 6


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path, postgres):
    if request.param == "sqlite":
        yield sqlite_url(tmp_path / "ledger.db")
    else:
        with postgres.database() as made:
            yield made


async def test_r4_workers_that_write_at_once_share_one_budget(url):
    workers = [Database.open(url, MIGRATIONS) for _ in range(WORKERS)]
    try:
        counted = await asyncio.gather(
            *(
                worker.write(causes.may_write, writing(number, call), MOST, AT - 1, AT)
                for number, worker in enumerate(workers)
                for call in range(WRITES)
            )
        )
    finally:
        for worker in workers:
            worker.close()

    assert counted.count(None) == MOST
    assert [one for one in counted if one is not None] == [MOST] * (WORKERS * WRITES - MOST)


def writing(number, call):
    return Writing(run_id=f"r{number}", call_id=f"1.{call}", subject="github:acme/api#7")
