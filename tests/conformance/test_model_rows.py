"""Mechanics 17: workers that come back at once after a pause send one ahead; on both databases."""

import asyncio

import pytest

from orchestrator.agent.conversation import clearing
from orchestrator.database import Database, sqlite_url
from orchestrator.ledger import calls, clearings, conversations, outages, pauses
from orchestrator.ledger.calls import Result
from orchestrator.ledger.migrations import MIGRATIONS
from tests.support.builders import AT, RUN, intent, opening
from workflows.messages import CallState, RunState
from workflows.own_tools import ASK

WORKERS = 4
LONG = [{"type": "text", "text": "x" * 5_000}]
SHORT = [{"type": "text", "text": "ok"}]


@pytest.fixture(params=["sqlite", "postgresql"])
def workers(request, tmp_path, postgres):
    with postgres.database() as made:
        url = sqlite_url(tmp_path / "ledger.db") if request.param == "sqlite" else made
        opened = [Database.open(url, MIGRATIONS) for _ in range(WORKERS)]
        yield opened
        for worker in opened:
            worker.close()


async def all_at_once(workers, *what):
    return await asyncio.gather(*(worker.write(*what) for worker in workers))


async def test_one_of_them_tries_first(workers):
    for until in (AT + 9, AT + 5):
        await all_at_once(workers, pauses.slow, "one", until)
    early = await all_at_once(workers, pauses.probe, "one", AT + 8, 30)
    first = await all_at_once(workers, pauses.probe, "one", AT + 9, 30)
    again = await all_at_once(workers, pauses.probe, "one", AT + 39, 30)
    await all_at_once(workers, pauses.answered, "one", AT + 40, 5)

    assert [tries.count(True) for tries in (early, first, again)] == [0, 1, 1]
    assert await workers[0].read(pauses.of, "one") == pauses.Pause(until=0, answered_at=AT + 40)


async def test_a_run_without_an_answer_is_counted_once_for_each_time_it_parks(workers):
    first = workers[0]
    await first.write(conversations.begin, opening(), AT)
    await all_at_once(workers, outages.record, RUN, "one", "529", AT)
    await first.write(conversations.record, RUN, RunState.PARKED, "", None, AT)
    await all_at_once(workers, outages.release, RUN, 1, AT + 1)
    await all_at_once(workers, outages.record, RUN, "one", "529", AT + 2)
    (found,) = await first.read(outages.unanswered, 9)

    assert (found.number, found.released, found.since, found.at) == (2, 1, AT, AT + 2)
    assert found.parked


async def test_a4_what_is_cleared_is_not_read_but_what_a_person_answered_is(workers):
    first = workers[0]
    for turn, content in ((1, LONG), (2, SHORT), (3, LONG)):
        await first.write(calls.intend, RUN, turn, intent(f"{turn}.0"), AT)
        done = Result(state=CallState.DONE, content=content, is_error=False)
        await first.write(calls.finish, RUN, f"{turn}.0", done, AT)
    answered = Result(state=CallState.DONE, content=LONG, is_error=False)
    await first.write(calls.intend, RUN, 2, intent("2.1", position=1, alias=ASK), AT)
    await first.write(calls.finish, RUN, "2.1", answered, AT)
    await all_at_once(workers, clearings.clear, RUN, 4, 2, AT)
    await all_at_once(workers, clearings.clear, RUN, 4, 1, AT)
    through = await first.read(clearings.cleared, RUN)
    read = await first.read(calls.of_run, RUN, through, clearing.SMALL)

    assert through == 2
    assert [call.content for call in read] == [None, SHORT, LONG, LONG]
