"""How a worker's servers fare is in its log and in the ledger, and a server that does well is in neither list."""

import asyncio

import pytest

from orchestrator.agent.faring import Faring
from orchestrator.agent.hands.definitions import Standing
from orchestrator.database import DatabaseError
from orchestrator.ledger import standings
from orchestrator.ledger.standings import DAY, Fared
from orchestrator.telemetry.instruments import uncounted_runs
from tests.support.builders import AT, Log, ledger_at


@pytest.fixture
def ledger(tmp_path):
    with ledger_at(tmp_path) as database:
        yield database


def standing(state: str, again_in: float = 5.0) -> Standing:
    failures, error = (0, None) if state == "closed" else (5, "its process ended with status 3")
    return Standing(server="crm", state=state, failures=failures, error=error, again_in=again_in)


async def heard(ledger, *stood: Standing, worker: str = "host:1", log: Log | None = None) -> None:
    faring = Faring(ledger, worker, lambda: AT, log or Log(), uncounted_runs())
    working = asyncio.create_task(faring.work())
    for one in stood:
        faring.heard(one)
    async with asyncio.timeout(30):
        while not faring._news.empty():  # noqa: ASYNC110 - a queue has no event for being empty
            await asyncio.sleep(0.01)
        # A ledger has one writer: when this is done, so is what was heard.
        await ledger.write(nothing)
    working.cancel()


def nothing(_connection) -> None:
    """A write that changes nothing."""


async def known(ledger) -> list[tuple[str, str, float]]:
    found = await ledger.read(standings.known, AT - 60)
    return [(one.worker, one.state, one.until) for one in found]


async def test_o3_a_server_that_is_left_alone_is_known_to_everybody_until_it_is_well(ledger):
    await heard(ledger, standing("open"))
    assert await known(ledger) == [("host:1", "open", AT + 5)]
    await heard(ledger, standing("half open", 30.0))
    assert await known(ledger) == [("host:1", "half open", AT + 30)]
    await heard(ledger, standing("closed", 0.0))
    assert await known(ledger) == []


async def test_o3_each_worker_speaks_for_itself(ledger):
    await heard(ledger, standing("open"), worker="host:1")
    await heard(ledger, standing("open"), worker="host:2")
    await heard(ledger, standing("closed"), worker="host:2")

    assert [worker for worker, _, _ in await known(ledger)] == ["host:1"]


async def test_o3_what_a_worker_wrote_that_died_is_forgotten_after_a_day(ledger):
    long_ago = AT - DAY - 1
    died = Fared(
        server="old",
        worker="host:0",
        state="open",
        failures=5,
        error="x",
        until=long_ago,
        at=long_ago,
    )
    await ledger.write(standings.put, died)
    await heard(ledger, standing("open"))

    assert [one.worker for one in await ledger.read(standings.known, 0.0)] == ["host:1"]


async def test_o3_it_is_told_in_the_log(ledger):
    log = Log()
    await heard(ledger, standing("open"), standing("closed"), log=log)

    assert log.said == ["hands.open", "hands.well"]


async def test_o3_a_ledger_that_is_away_stops_nobody(ledger):
    class Away:
        calls = 0

        async def write(self, what, *_how):
            if what is not nothing:
                self.calls += 1
                raise DatabaseError("gone")

        async def read(self, *_what):
            return []

    away = Away()
    await heard(away, standing("open"), standing("closed"))
    assert away.calls == 2
