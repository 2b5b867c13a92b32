"""Mechanics 23: open conversations whose run is gone are found; those that wrote nothing begin again, once."""

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from orchestrator.dispatch.runs import Found, Unreachable
from orchestrator.ledger import calls, conversations, installation, waits
from orchestrator.telemetry import catalogue
from orchestrator.telemetry.instruments import DispatchInstruments
from orchestrator.telemetry.registry import Registry
from orchestrator.tending import sweeping
from orchestrator.tending.sweeping import BY, GRACE, Sweeper
from tests.support.builders import (
    AT,
    NOW,
    RUN,
    WORKFLOW,
    Log,
    inbox_at,
    intent,
    ledger_at,
    opening,
    wait,
)
from workflows.messages import Outcome, RunState

LATER = NOW + timedelta(seconds=GRACE + 1)


@dataclass
class Server:
    """What Temporal says; `late` of its runs are not in its index yet, and `hidden` ones are nobody's conversation."""

    runs: dict[str, Found] = field(default_factory=dict)
    identity: str = "one"
    away: bool = False
    asked: list[str] = field(default_factory=list)
    hidden: int = 0
    late: int = 0
    counted: int = 0

    async def count_running(self):
        self.counted += 1
        return self.hidden - self.late + list(self.runs.values()).count(Found.RUNNING)

    async def namespace(self):
        if self.away:
            raise Unreachable("Temporal is away")
        return self.identity

    async def found(self, workflow_id):
        self.asked.append(workflow_id)
        return self.runs.get(workflow_id, Found.GONE)


@dataclass
class Home:
    sweeper: Sweeper
    server: Server
    log: Log

    async def run(self, run_id=RUN):
        return await self.sweeper.ledger.read(conversations.one, run_id)

    async def rows(self):
        inbox = self.sweeper.inbox
        found = [await inbox.entry(one.id) for one in await inbox.entries(9)]
        return [json.loads(entry.body) for entry in found]


@asynccontextmanager
async def home(directory, server=None, *, embedded=True, opened=True):
    server, log = server or Server(), Log()
    with ledger_at(directory) as ledger, inbox_at(directory) as inbox:
        if opened:
            await ledger.write(conversations.begin, opening(), AT)
        sweeper = Sweeper(
            inbox=inbox,
            ledger=ledger,
            temporal=server,
            embedded=embedded,
            now=lambda: LATER,
            poke=lambda: None,
            log=log,
        )
        yield Home(sweeper, server, log)


async def test_one_that_is_gone_begins_again_by_a_row_of_the_inbox_that_comes_once(tmp_path):
    async with home(tmp_path) as it:
        assert await it.sweeper.sweep() == 1
        assert await it.sweeper.sweep() == 0

        assert (await it.run()).state is RunState.ENDED
        assert await it.rows() == [{"type": "run.retry", "run": RUN, "by": BY}]


async def test_one_that_runs_is_left_alone_even_where_the_index_is_late(tmp_path):
    async with home(tmp_path, Server(runs={WORKFLOW: Found.RUNNING}, late=1)) as it:
        assert await it.sweeper.sweep() == 0
        assert it.server.asked == [WORKFLOW]
        assert (await it.run()).state is RunState.RUNNING


async def several(it, count):
    """The ids of so many open conversations' runs, in the order in which they are looked at."""
    ids = [f"w~{number}" for number in range(count)]
    for number, workflow_id in enumerate(ids):
        one = opening(f"d{number}", workflow_id=workflow_id, event_id=f"e{number}")
        await it.sweeper.ledger.write(conversations.begin, one, AT)
    return ids


async def test_while_as_many_run_as_are_open_a_round_asks_for_a_few_and_the_next_for_others(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(sweeping, "FEW", 2)
    monkeypatch.setattr(sweeping, "PAGE", 1)
    async with home(tmp_path, Server(hidden=1), opened=False) as it:
        ids = await several(it, 5)
        it.server.runs = dict.fromkeys(ids[:4], Found.RUNNING)
        assert [await it.sweeper.sweep() for _ in range(3)].count(1) == 1
        assert sorted(it.server.asked) == ids


async def test_where_fewer_run_more_are_asked_for_and_all_where_all_are_missing(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(sweeping, "FEW", 1)
    monkeypatch.setattr(sweeping, "MANY", 2)
    async with home(tmp_path, opened=False) as it:
        ids = await several(it, 5)
        it.server.runs = dict.fromkeys(ids, Found.RUNNING)
        it.server.late = 1
        assert await it.sweeper.sweep() == 0
        assert len(it.server.asked) == 2
        it.server.runs.clear()
        assert await it.sweeper.sweep() + await it.sweeper.sweep() == 5


@pytest.mark.parametrize("found", [Found.RUNNING, Found.TERMINATED, Found.GONE])
async def test_a5_what_an_applied_call_was_to_hear_ends_with_its_run_also_after_its_conversation(
    tmp_path, found
):
    async with home(tmp_path, Server(runs={WORKFLOW: found})) as it:
        ended = (RUN, RunState.ENDED, "", Outcome.COMPLETED, AT)
        await it.sweeper.ledger.write(conversations.record, *ended)
        call_id = f"1.0{calls.APPLIED}"
        await it.sweeper.ledger.write(calls.intend, RUN, 0, intent(call_id), AT)
        await it.sweeper.ledger.write(waits.begin, wait(call_id=call_id))
        await it.sweeper.sweep()
        (kept,) = await it.sweeper.ledger.read(waits.of_run, RUN)
    assert kept.state == ("open" if found is Found.RUNNING else "closed")


async def test_with_nothing_open_the_server_is_not_asked_what_runs(tmp_path):
    async with home(tmp_path, opened=False) as it:
        assert await it.sweeper.sweep() == 0
        assert it.server.counted == 0


async def test_one_that_was_just_opened_is_left_alone(tmp_path):
    async with home(tmp_path) as it:
        young = replace(it.sweeper, now=lambda: NOW)
        assert await young.sweep() == 0


async def test_a2_one_that_sent_a_write_does_not_begin_again(tmp_path):
    async with home(tmp_path) as it:
        ledger = it.sweeper.ledger
        await ledger.write(calls.intend, RUN, 1, intent(), AT)
        await ledger.write(calls.take, RUN, "c1", 1, again=False)
        await ledger.write(calls.send, RUN, "c1", 1, AT, AT + 1)
        assert await it.sweeper.sweep() == 1

        assert (await it.run()).outcome is Outcome.NEEDS_ATTENTION
        assert await it.rows() == []


@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        (Found.TERMINATED, Outcome.CANCELLED),
        (Found.CANCELLED, Outcome.CANCELLED),
        (Found.FAILED, Outcome.FAILED),
    ],
)
async def test_what_was_ended_in_temporal_itself_stays_ended(tmp_path, found, outcome):
    async with home(tmp_path, Server(runs={WORKFLOW: found})) as it:
        assert await it.sweeper.sweep() == 1

        assert (await it.run()).outcome is outcome
        assert await it.rows() == []


async def test_a_conversation_that_a_later_one_overtook_is_lost_while_its_workflow_runs(tmp_path):
    async with home(tmp_path, Server(runs={WORKFLOW: Found.RUNNING})) as it:
        second = opening("dec_2", event_id="e2")
        await it.sweeper.ledger.write(conversations.begin, second, AT)
        assert await it.sweeper.sweep() == 1

        assert "a later one has begun" in (await it.run()).reason
        assert (await it.run(f"{RUN[:-1]}2")).state is RunState.RUNNING


async def test_nothing_is_lost_while_temporal_is_away(tmp_path):
    async with home(tmp_path, Server(away=True)) as it:
        assert await it.sweeper.sweep() == 0
        assert (await it.run()).state is RunState.RUNNING


async def test_on_another_namespace_of_somebody_elses_server_nothing_is_lost(tmp_path):
    async with home(tmp_path, embedded=False) as it:
        await it.sweeper.ledger.write(installation.remember, "the one of before", AT)
        assert await it.sweeper.sweep() == 0
        assert (await it.run()).state is RunState.RUNNING
        assert it.log.said == ["temporal.another_namespace"]

        await it.sweeper.ledger.write(installation.accept, "one", AT)
        assert await it.sweeper.sweep() == 1


async def test_a_new_file_of_our_own_server_loses_what_lived_on_the_old_one(tmp_path):
    async with home(tmp_path) as it:
        await it.sweeper.ledger.write(installation.remember, "the file of before", AT)
        assert await it.sweeper.sweep() == 1
        assert it.log.said == ["temporal.replaced", "run.lost"]
        assert await it.sweeper.ledger.read(installation.namespace) == "one"


async def test_killed_before_its_row_was_kept_it_begins_again_all_the_same(tmp_path):
    async with home(tmp_path) as it:

        async def killed(_arrivals):
            raise KeyboardInterrupt

        class Dying:
            keep = staticmethod(killed)

        with pytest.raises(KeyboardInterrupt):
            await replace(it.sweeper, inbox=Dying()).sweep()
        assert (await it.run()).state is RunState.ENDED
        it.server.away = True
        await it.sweeper.sweep()

        assert [row["run"] for row in await it.rows()] == [RUN]


async def test_more_than_a_page_of_them_are_found(tmp_path, monkeypatch):
    monkeypatch.setattr(sweeping, "PAGE", 2)
    async with home(tmp_path, opened=False) as it:
        await several(it, 5)
        assert await it.sweeper.sweep() == 5
        assert len(await it.rows()) == 5


@pytest.mark.parametrize(
    ("found", "written", "then"),
    [
        (Found.GONE, False, "again"),
        (Found.GONE, True, "person"),
        (Found.TERMINATED, False, "outside"),
    ],
)
async def test_o3_what_is_lost_is_counted_once_by_what_came_then(tmp_path, found, written, then):
    async with home(tmp_path, Server(runs={WORKFLOW: found})) as it:
        registry = Registry(catalogue.SCRAPE_FAILURES)
        it.sweeper.counts = DispatchInstruments(registry, tuple)
        if written:
            ledger = it.sweeper.ledger
            await ledger.write(calls.intend, RUN, 1, intent(), AT)
            await ledger.write(calls.take, RUN, "c1", 1, again=False)
            await ledger.write(calls.send, RUN, "c1", 1, AT, AT + 1)
        await it.sweeper.sweep()
        await it.sweeper.sweep()
        families = await registry.collect()

    (lost,) = [one for one in families if one.metric is catalogue.RUNS_LOST]
    assert {point.labels: point.value for point in lost.points} == {(then,): 1}


async def test_a5_what_is_waited_for_beyond_its_time_lapses_also_while_temporal_is_away(tmp_path):
    async with home(tmp_path, Server(away=True)) as it:
        over = wait(state="left", deadline_at=AT, looked=True)
        await it.sweeper.ledger.write(waits.begin, over)
        await it.sweeper.sweep()
        assert [row["wait"] for row in await it.rows()] == [over.wait_id]
