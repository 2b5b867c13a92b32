"""R3: what is coalesced is folded into the newest, in every mode, also when the worker dies while it gathers."""

from pathlib import Path

import pytest

from tests.support.house import Files, House, commented, house, opened
from tests.support.met import all_ended, arrivals, ends_of, gone, last_ends_of, starts
from tests.support.scripts import Request, Turns, says, turn_of, uses, wait, words
from tests.support.town import Town, kill

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(240)]

# Not `parallel`: it can't be coalesced, and the configuration says so.
MODES = ("signal", "queue", "supersede", "single")
COALESCED = "coalesce: {quiet: 2s, within: 20s}"
SLOWLY = "coalesce: {quiet: 6s, within: 30s}"
"""Where all must be one batch: each comes as late as its delivery's commits."""
FOLDED = ["coalesced", "coalesced", "consumed"]


@pytest.mark.parametrize("mode", MODES)
async def test_r3_what_comes_in_a_quiet_time_is_folded_into_the_newest_and_told(
    tmp_path: Path, town: Town, mode: str
) -> None:
    script = Turns([says()])
    async with house(tmp_path, town, script, Files(mode=f"{mode}, {SLOWLY}")) as home:
        ids = await home.keep(*arrivals(home, 4))
        ends = await ends_of(home, ids)
        (run,) = await all_ended(home)
    assert ends == ["coalesced"] * 3 + ["consumed"]
    assert run["events"] == ids[-1:]
    told = words(script.asked[0])
    assert "number 3;" in told
    assert "number 0;" not in told
    assert "3 more events were folded in" in told
    assert all(event in told for event in ids[:3])


@pytest.mark.parametrize(
    ("mode", "ends", "outcomes"),
    [
        ("signal", FOLDED, ["completed"]),
        ("queue", FOLDED, ["completed", "completed"]),
        ("supersede", FOLDED, ["superseded", "completed"]),
        ("single", ["ignored"] * 3, ["completed"]),
    ],
)
async def test_r3_what_gathers_behind_an_open_conversation_meets_it_folded_by_its_mode(
    tmp_path: Path, town: Town, mode: str, ends: list[str], outcomes: list[str]
) -> None:
    def once(request: Request) -> object:
        waits = turn_of(request) == 0 and "number 2;" not in words(request)
        return uses(wait("github/issue_comment.created")) if waits else says()

    script = Turns([once])
    async with house(tmp_path, town, script, Files(mode=f"{mode}, {SLOWLY}")) as home:
        first = await home.ring(opened())
        await home.one("waiting")
        burst = await home.keep(*arrivals(home, 3))
        heard = [[first], [burst[-1]]]
        if mode == "single":
            assert await ends_of(home, burst) == ends
        if mode in {"queue", "single"}:
            heard[0].append(await home.ring(commented("the answer"), "issue_comment"))
        assert await ends_of(home, [first, *burst]) == ["consumed", *ends]
        await gone(home)
        runs = await all_ended(home)
    assert [run["outcome"] for run in runs] == outcomes
    if mode == "signal":
        heard = [[first, burst[-1]]]
    assert [run["events"] for run in runs] == heard[: len(runs)]
    told = any("2 more events were folded in" in words(asked) for asked in script.asked)
    assert told is (mode != "single")


@pytest.mark.parametrize("mode", MODES)
async def test_r3_a_worker_killed_while_it_gathers_loses_and_doubles_nothing(
    tmp_path: Path, town: Town, mode: str
) -> None:
    script = Turns([says()])
    files = Files(mode=f"{mode}, {COALESCED}")
    async with house(tmp_path, town, script, files, working=False) as home:
        async with home.worker() as first:
            ids = await home.keep(*arrivals(home, 3))
            await home.until(lambda: timer_begun(home, ids[0]), "the durable timer")
            await kill(first)
        ids += await home.keep(home.arrival(opened(note="while nobody worked;")))
        async with home.worker():
            ends = await last_ends_of(home, ids)
            runs = await all_ended(home)
    consumed = [event for event, end in zip(ids, ends, strict=True) if end == "consumed"]
    assert [event for run in runs for event in run["events"]] == consumed
    # What came while nobody worked may be a batch of its own, behind a conversation that is open by then.
    assert set(ends[:3]) <= {"coalesced", "consumed"}
    assert ends[3] in ({"consumed", "ignored"} if mode == "single" else {"consumed"})


async def timer_begun(home: House, event_id: str) -> bool:
    found = await starts(home, [event_id])
    if not found or found[0].delivered_at is None:
        return False
    history = await home.client.get_workflow_handle(found[0].workflow_id or "").fetch_history()
    return any(event.HasField("timer_started_event_attributes") for event in history.events)
