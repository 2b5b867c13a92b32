"""The chain of calls is one, whoever writes at once; on both databases."""

import asyncio
from dataclasses import replace

import pytest

from orchestrator.database import Database, sqlite_url
from orchestrator.ledger import audit, calls
from orchestrator.ledger.audit import Line
from orchestrator.ledger.calls import Result
from orchestrator.ledger.migrations import MIGRATIONS
from tests.support.builders import AT, RUN, intent
from workflows.messages import CallState

WORKERS = 4
EACH = 8
DONE = Result(state=CallState.DONE, content=[], is_error=False)
LINE = Line(
    at=AT,
    call_id="hand",
    run_id=None,
    rule=None,
    playbook=None,
    event_id=None,
    who="ann",
    server="lab",
    tool="echo",
    effect="read",
    arguments="",
    outcome="done",
    is_error=False,
    sent=True,
)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path, postgres):
    if request.param == "sqlite":
        yield sqlite_url(tmp_path / "ledger.db")
    else:
        with postgres.database() as made:
            yield made


async def test_h3_workers_that_end_calls_at_once_write_one_chain(url):
    workers = [Database.open(url, MIGRATIONS) for _ in range(WORKERS)]
    try:
        for number in range(EACH):
            await workers[0].write(calls.intend, RUN, 1, intent(f"c{number}"), AT)
        ends = [
            worker.write(calls.finish, RUN, f"c{number}", DONE, AT)
            for number in range(EACH)
            for worker in workers
        ]
        by_hand = [
            worker.write(audit.append, replace(LINE, call_id=f"{number}"))
            for number, worker in enumerate(workers * 3)
        ]
        await asyncio.gather(*ends, *by_hand)
        chain = await workers[0].read(audit.lines)
    finally:
        for worker in workers:
            worker.close()

    assert [one.number for one in chain] == list(range(1, EACH + WORKERS * 3 + 1))
    assert list(audit.broken(chain)) == []
    ended = [one.line["call_id"] for one in chain if one.line["run_id"] == RUN]
    assert sorted(ended) == [f"c{number}" for number in range(EACH)]


async def written(ledger, *ages):
    for number, age in enumerate(ages, 1):
        await ledger.write(audit.append, replace(LINE, call_id=f"{number}", at=AT - age))


async def test_h3_old_lines_are_forgotten_and_the_rest_is_proved_from_the_last_of_them(url):
    ledger = Database.open(url, MIGRATIONS)
    try:
        await written(ledger, 50, 40, 30, 20, 10)
        last = (await ledger.read(audit.lines))[2].digest
        batches = [await ledger.write(audit.forget, AT - 25, 2) for _ in range(3)]
        proof, left = await ledger.read(audit.proof), await ledger.read(audit.lines)
        await written(ledger, 0)
        grown = await ledger.read(audit.proof)
    finally:
        ledger.close()

    assert batches == [2, 1, 0]
    assert [one.number for one in left] == [4, 5]
    assert (proof.lines, proof.broken) == (2, ())
    assert proof.head == audit.Head(number=3, digest=last)
    assert (grown.lines, grown.broken, grown.last.number) == (3, (), 6)


async def test_h3_after_each_batch_a_killed_retention_leaves_a_chain_that_holds(url):
    ledger = Database.open(url, MIGRATIONS)
    try:
        await written(ledger, 50, 40, 30, 20, 10)
        for forgotten in range(1, 6):
            assert await ledger.write(audit.forget, AT, 1) == 1
            proof = await ledger.read(audit.proof)
            assert (proof.head.number, proof.lines, proof.broken) == (forgotten, 5 - forgotten, ())
        await written(ledger, 0)
        anew = await ledger.read(audit.proof)
    finally:
        ledger.close()

    assert (anew.lines, anew.broken, anew.last.number) == (1, (), 6)


async def test_h3_a_young_line_keeps_all_that_come_after_it_however_old_they_say_they_are(url):
    ledger = Database.open(url, MIGRATIONS)
    try:
        await written(ledger, 50, 10, 40)
        assert await ledger.write(audit.forget, AT - 25, 10) == 1
        left = await ledger.read(audit.lines)
    finally:
        ledger.close()

    assert [one.number for one in left] == [2, 3]
