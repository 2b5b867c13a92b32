"""R3: events of one key meet by the mode of their rule; every delivery ends in one word, also when it is repeated."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog

from orchestrator import temporal, views
from orchestrator.dispatch.dispatcher import Dispatcher
from orchestrator.dispatch.runs import TemporalRuns
from tests.support.house import PLAYBOOK, Files, House, commented, house, opened
from tests.support.met import NUMBER, all_ended, arrivals, ends_of, last_ends_of, starts
from tests.support.scripts import Request, Turns, says, turn_of, use, uses, wait, words
from tests.support.town import Town, kill
from workflows import intake

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(120)]

ENDLESS = PLAYBOOK.replace("slow_write]", "slow_write, endless_write]")
ENDS = {
    "signal": {"consumed"},
    "parallel": {"consumed"},
    "queue": {"consumed"},
    "supersede": {"consumed", "superseded"},
    "single": {"consumed", "ignored"},
}


@asynccontextmanager
async def dispatchers(home: House, count: int) -> AsyncIterator[None]:
    """Further ones over the same inbox, each with a connection of its own."""
    tasks = []
    for _ in range(count):
        client = await temporal.connect(home.town.temporal.address, "default")
        first = home.dispatcher
        another = Dispatcher(
            inbox=home.stores.inbox,
            ledger=home.stores.ledger,
            runs=TemporalRuns(client, home.queue),
            configuration=home.read,
            sources=first.sources,
            now=lambda: datetime.now(UTC),
            log=structlog.get_logger("another"),
        )
        tasks.append(asyncio.create_task(another.work()))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


async def words_of(home: House, ids: list[str]) -> list[str]:
    """What `why` says of each event's start."""
    entries = [await home.stores.inbox.entry(event_id) for event_id in ids]
    shown = [await views.why(home.stores, entry) for entry in entries if entry is not None]
    return [one["claimed"] for event in shown for one in event["decisions"] if "claimed" in one]


def brief(request: Request) -> object:
    return says() if turn_of(request) else uses(use("read_thing"))


@pytest.mark.parametrize("mode", ENDS)
async def test_r3_ten_at_once_by_three_dispatchers_and_each_again_end_in_one_word_each(
    tmp_path: Path, town: Town, mode: str
) -> None:
    script = Turns([brief])
    async with (
        house(tmp_path, town, script, Files(mode=mode)) as home,
        dispatchers(home, 2),
    ):
        ids = await home.keep(*arrivals(home))
        await ends_of(home, ids)
        # What was taken is delivered once more, the newest first: it changes nothing.
        for decision in reversed(await starts(home, ids)):
            await TemporalRuns(home.client, home.queue).deliver(decision, "github")
        ends = await last_ends_of(home, ids)
        runs = await all_ended(home)
        assert await words_of(home, ids) == ends
    heard = [event for run in runs for event in run["events"]]
    consumed = [event for event, end in zip(ids, ends, strict=True) if end == "consumed"]
    assert set(ends) <= ENDS[mode]
    assert sorted(heard) == sorted(consumed)
    if mode in {"queue", "supersede"}:
        assert [run["events"] for run in runs] == [[event] for event in consumed]
        assert heard[-1] == ids[-1]
        assert runs[-1]["outcome"] == "completed"
    if mode == "queue":
        assert len(runs) == NUMBER
    if mode in {"single", "signal"}:
        assert heard[0] == ids[0]


async def test_r3_a_worker_killed_while_others_queue_begins_each_of_them_once_in_order(
    tmp_path: Path, town: Town
) -> None:
    script = Turns(
        [lambda request: says() if turn_of(request) else uses(use("slow_read", seconds=1.0))]
    )
    async with house(tmp_path, town, script, Files(mode="queue"), working=False) as home:
        async with home.worker() as first:
            ids = await home.keep(*arrivals(home, 3))
            await home.until(lambda: home.executed("slow_read"), "the first one's call")
            await kill(first)
        async with home.worker():
            ends = await last_ends_of(home, ids)
            runs = await all_ended(home)
    assert ends == ["consumed"] * 3
    assert [run["events"] for run in runs] == [[event] for event in ids]
    assert {run["outcome"] for run in runs} == {"completed"}


async def test_r3_a2_superseded_while_it_writes_the_write_is_counted_once_and_its_end_is_known(
    tmp_path: Path, town: Town
) -> None:
    def write_once(request: Request) -> object:
        return says() if "the newer;" in words(request) else uses(use("endless_write"))

    script = Turns([write_once])
    async with house(tmp_path, town, script, Files(mode="supersede", playbook=ENDLESS)) as home:
        ids = [await home.ring(opened())]
        await home.until(lambda: home.executed("endless_write"), "the write")
        ids.append(await home.ring(opened(note="the newer;")))
        ends = await last_ends_of(home, ids)
        old, new = await all_ended(home)
    assert ends == ["consumed", "consumed"]
    assert (old["outcome"], new["outcome"]) == ("superseded", "completed")
    assert old["reason"] == "superseded by a newer event; writes of which nobody knows: 1"
    assert [call["state"] for call in old["tool_calls"]] == ["unknown"]
    assert home.executed("endless_write") == ["endless_write"]


@pytest.mark.parametrize(("mode", "ends"), [("supersede", 2), ("single", 1)])
async def test_r3_a_parked_conversation_meets_what_comes_by_its_mode_too(
    tmp_path: Path, town: Town, mode: str, ends: int
) -> None:
    broken = "from tests.no_such_module import nothing"
    servers = f"lab:\n  command: [PYTHON, -c, '{broken}']\n"
    async with house(tmp_path, town, Turns([says()]), Files(mode=mode, servers=servers)) as home:
        ids = [await home.ring(opened())]
        await home.one("parked")
        ids.append(await home.ring(opened(note="the newer;")))
        words_ = await ends_of(home, ids)
        old = await home.until(lambda: first_of(home, ends), "the second conversation")
    assert words_ == ["consumed", "consumed" if mode == "supersede" else "ignored"]
    assert old["outcome"] == ("superseded" if mode == "supersede" else None)


async def first_of(home: House, count: int) -> dict | None:
    found = await home.runs()
    return found[0] if len(found) == count else None


async def test_r3_a_newer_event_closes_the_wait_of_the_one_it_supersedes(
    tmp_path: Path, town: Town
) -> None:
    def once(request: Request) -> object:
        return (
            says() if "the newer;" in words(request) else uses(wait("github/issue_comment.created"))
        )

    async with house(tmp_path, town, Turns([once]), Files(mode="supersede")) as home:
        await home.ring(opened())
        await home.one("waiting")
        await home.ring(opened(note="the newer;"))
        await home.settled("ended", 2)
        old, new = await all_ended(home)
    assert (old["outcome"], new["outcome"]) == ("superseded", "completed")
    assert [call["state"] for call in old["tool_calls"]] == ["done"]


@pytest.mark.parametrize(("mode", "end"), [("queue", "consumed"), ("single", "ignored")])
async def test_r3_a_waiting_conversation_hears_its_event_before_what_queues_behind_it(
    tmp_path: Path, town: Town, mode: str, end: str
) -> None:
    def once(request: Request) -> object:
        asks = turn_of(request) == 0 and "the newer;" not in words(request)
        return uses(wait("github/issue_comment.created")) if asks else says()

    async with house(tmp_path, town, Turns([once]), Files(mode=mode)) as home:
        ids = [await home.ring(opened())]
        await home.one("waiting")
        ids.append(await home.ring(opened(note="the newer;")))
        if mode == "single":
            assert await ends_of(home, ids) == ["consumed", "ignored"]
        answer = await home.ring(commented("the answer"), "issue_comment")
        ends = await last_ends_of(home, ids)
        runs = await all_ended(home)
    assert ends == ["consumed", end]
    assert runs[0]["events"] == [ids[0], answer]
    assert [run["outcome"] for run in runs] == ["completed"] * (2 if mode == "queue" else 1)


async def test_r3_a2_a_waiting_run_continues_as_new_under_what_queues_and_repeats_no_write(
    tmp_path: Path, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "MOST_DELIVERIES", 4)

    def once(request: Request) -> object:
        later = any(f"number {n};" in words(request) for n in range(4))
        asks = turn_of(request) == 0 and not later
        answer = wait("github/issue_comment.created")
        return uses(use("write_thing", body="one"), answer) if asks else says()

    async with house(tmp_path, town, Turns([once]), Files(mode="queue")) as home:
        ids = [await home.ring(opened())]
        run = await home.one("waiting")
        ids += await home.keep(*arrivals(home, 4))
        await home.until(lambda: parts_of(home, run["workflow_id"], 2), "a continue-as-new")
        answer = await home.ring(commented("the answer"), "issue_comment")
        ends = await last_ends_of(home, ids)
        runs = await all_ended(home)
    assert ends == ["consumed"] * 5
    assert [one["events"] for one in runs] == [[ids[0], answer], *([event] for event in ids[1:])]
    assert home.executed("write_thing") == ["write_thing one"]


async def parts_of(home: House, workflow_id: str, count: int) -> bool:
    query = f"WorkflowId = '{workflow_id}'"
    return len([one async for one in home.client.list_workflows(query)]) >= count
