"""R5: whom a cap holds up, in which order, and who was let go on, on both databases."""

import pytest

from orchestrator.database import Database, sqlite_url
from orchestrator.ledger import conversations, migrations, shortfalls
from orchestrator.ledger.shortfalls import Need
from tests.support.builders import AT, opening
from workflows.messages import RunState

NEED = Need(model="m", input_tokens=1, kept_long=0, output_tokens=1)


@pytest.fixture(params=["sqlite", "postgres"])
def ledger(request, tmp_path, postgres):
    if request.param == "sqlite":
        opened = Database.open(sqlite_url(tmp_path / "ledger.db"), migrations.MIGRATIONS)
        yield opened
        opened.close()
        return
    with postgres.database() as url:
        opened = Database.open(url, migrations.MIGRATIONS)
        yield opened
        opened.close()


async def parked(ledger, number, at, words="spent"):
    made = opening(f"dec_{number}", workflow_id=f"work-{number}", rule=f"rule-{number}")
    run = await ledger.write(conversations.begin, made, AT)
    short = (run.run_id, 1, "spent", "2026-11-21", NEED, at)
    await ledger.write(shortfalls.record, *short)
    stops = (run.run_id, RunState.PARKED, words, None, at)
    await ledger.write(conversations.record, *stops)
    return run.run_id


async def waiting(ledger, after=None, rules=(), sources=(), limit=9):
    found = await ledger.read(shortfalls.waiting, rules, sources, after, limit)
    return [one.run_id for one in found]


async def going(ledger):
    return [one.run_id for one in await ledger.read(shortfalls.going, 9)]


async def test_r5_they_stand_in_the_order_in_which_they_parked_and_then_by_name(ledger):
    later = await parked(ledger, 1, AT + 1)
    twins = sorted([await parked(ledger, 2, AT), await parked(ledger, 3, AT)])
    every = [*twins, later]
    assert await waiting(ledger) == every
    for number, run_id in enumerate(every):
        found = await ledger.read(shortfalls.of_runs, [run_id])
        assert await waiting(ledger, found[run_id].place) == every[number + 1 :]
    assert await waiting(ledger, limit=2) == twins


async def test_r5_who_is_held_back_or_stopped_by_something_else_does_not_stand_there(ledger):
    run_id = await parked(ledger, 1, AT)
    paused = await parked(ledger, 2, AT)
    other = await parked(ledger, 3, AT, words="its own budget is spent")

    assert await waiting(ledger, rules=["rule-2"]) == [run_id]
    assert await waiting(ledger, sources=["github"]) == []
    holding = [await ledger.read(shortfalls.holds, one) for one in (run_id, paused, other)]
    assert holding == [True, True, False]


async def test_r5_who_was_let_go_on_stands_there_again_when_its_word_came_too_late(ledger):
    run_id = await parked(ledger, 1, AT)
    await ledger.write(shortfalls.release, run_id, 1, AT + 1)
    assert (await waiting(ledger), await going(ledger)) == ([], [run_id])
    for _ in range(2):
        await ledger.write(shortfalls.unheard, run_id, 1)
    (found,) = (await ledger.read(shortfalls.of_runs, [run_id])).values()
    assert (found.number, found.released) == (2, 1)

    assert (await waiting(ledger), await going(ledger)) == ([run_id], [])
