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
