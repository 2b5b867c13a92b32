"""R2, R3: every event acts once and reaches its run in order, however many come and however often they are sent."""

import asyncio
from pathlib import Path

import pytest

from orchestrator.inbox.inbox import Decision
from orchestrator.ledger import waits
from tests.support.house import Files, House, commented, house, opened
from tests.support.scripts import Turns, says, use, uses, wait, words
from tests.support.town import Town

pytestmark = pytest.mark.temporal

TEN = range(10)


def burst(home: House, key: int | None = 7) -> list[object]:
    """Ten events; of one issue, or of ten."""
    return [
        home.arrival(opened(n if key is None else key, action="labeled", note=f"note {n};"))
        for n in TEN
    ]


async def quiet(home: House) -> bool:
    """Whether nothing is on its way into a run any more."""
    return await home.stores.inbox.waiting() == 0


async def test_r3_ten_events_of_one_key_at_once_make_one_run_that_hears_them_all_in_order(
    tmp_path: Path, town: Town
) -> None:
    # The read gives the rest of the burst the time to arrive while the conversation is open.
    script = Turns([uses(use("slow_read", seconds=6)), says()])
    async with house(tmp_path, town, script) as home:
        ids = await home.keep(*burst(home))
        await home.until(lambda: quiet(home), "all delivered")
        run = await home.ended()
    assert run["events"] == ids
    told = words(script.asked[-1])
    places = [told.index(f"note {n};") for n in TEN]
    assert places == sorted(places)
    assert home.executed() == ["slow_read"]


async def test_r3_in_parallel_mode_ten_events_of_one_key_make_ten_runs(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(use("read_thing")), says()])
    async with house(tmp_path, town, script, Files(mode="parallel")) as home:
        ids = await home.keep(*burst(home))
        runs = await home.settled("ended", count=10)
    assert sorted(event for run in runs for event in run["events"]) == sorted(ids)
    assert len(home.executed()) == 10


async def test_r3_ten_keys_make_ten_runs_that_do_not_wait_for_each_other(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(wait("github/issue_comment.created")), says()])
    async with house(tmp_path, town, script) as home:
        await home.keep(*burst(home, key=None))
        runs = await home.settled("waiting", count=10)
    assert len({run["key"] for run in runs}) == 10


async def test_r3_an_event_after_the_end_begins_the_next_conversation_of_the_same_key(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([says()])
    async with house(tmp_path, town, script) as home:
        await home.ring(opened())
        first = await home.ended()
        await home.ring(opened(action="reopened"))
        runs = await home.settled("ended", count=2)
    assert {run["workflow_id"] for run in runs} == {first["workflow_id"]}
    assert [run["id"].rsplit(".", 1)[1] for run in runs] == ["1", "2"]


async def decision(home: House, event_id: str) -> Decision:
    found = await home.stores.inbox.decisions([event_id])
    return found[event_id][0]


async def test_r2_a_start_that_is_delivered_again_and_again_counts_once(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(use("write_thing", body="once")), says()])
    async with house(tmp_path, town, script) as home:
        event_id = await home.ring(opened())
        run = await home.ended()
        same = await decision(home, event_id)
        for _ in range(3):
            await home.dispatcher.runs.deliver(same, "github")
        handle = home.client.get_workflow_handle(run["workflow_id"])
        await asyncio.wait_for(handle.result(), 20)
        again = await home.runs()
    assert again == [run]
    assert home.executed() == ["write_thing once"]


async def test_r2_a_repeat_does_not_disturb_a_run_that_waits(tmp_path: Path, town: Town) -> None:
    """A dispatcher that died between delivering and settling delivers again."""
    script = Turns([uses(wait("github/issue_comment.created")), says()])
    async with house(tmp_path, town, script) as home:
        event_id = await home.ring(opened())
        run = await home.one("waiting")
        await home.dispatcher.runs.deliver(await decision(home, event_id), "github")
        await home.ring(commented("the answer"), "issue_comment")
        run = await home.ended()
        ends = [one.state for one in await home.stores.ledger.read(waits.of_run, run["id"])]
    assert ends == ["resolved"]
    assert len(run["events"]) == 2


async def test_r2_a_wake_up_that_is_delivered_twice_is_heard_once(
    tmp_path: Path, town: Town
) -> None:
    script = Turns(
        [uses(wait("github/issue_comment.created")), uses(use("slow_read", seconds=1)), says()]
    )
    async with house(tmp_path, town, script) as home:
        await home.ring(opened())
        await home.one("waiting")
        event_id = await home.ring(commented("the answer"), "issue_comment")
        await home.until(lambda: home.executed("slow_read"), "the wake-up")
        found = await home.stores.inbox.decisions([event_id])
        (woken,) = [one for one in found[event_id] if one.wait_id]
        await home.dispatcher.runs.deliver(woken, "github")
        run = await home.ended()
    assert len(run["events"]) == 2
    assert str(script.asked[-1]["messages"]).count("the answer") == 1


async def test_r2_a_word_about_another_conversation_is_late_and_does_nothing(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([says(), says()])
    async with house(tmp_path, town, script) as home:
        await home.ring(opened())
        first = await home.ended()
        said = [await home.say("cancel", first["id"]), await home.say("resume", first["id"])]
        await home.until(lambda: home.taken(said), "the words")
        (after,) = await home.runs()
    assert after == first
