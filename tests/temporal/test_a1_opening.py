"""A1: an opening whose workers die under it, as often as they may, begins again; it parks only when that lasts."""

from pathlib import Path

import pytest

from tests.support.house import Files, House, house, opened
from tests.support.scripts import Turns, says, use, uses
from tests.support.town import Town, kill
from workflows import calls

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(90)]

COMMENT = use("write_thing", body="Thank you.")


async def killed_in_the_opening(home: House, **told: str) -> None:
    """A worker that dies once it has begun to choose tools."""
    hold = home.directory / "hold"
    hold.touch()
    async with home.worker(HOLD=str(hold), HOLD_AT="opening", ATTEMPTS="1", **told) as doomed:
        await home.until(hold.with_suffix(".held").exists, "the opening")
        await kill(doomed)
    hold.with_suffix(".held").unlink()


async def test_a1_an_opening_whose_worker_is_killed_in_every_attempt_begins_again(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(COMMENT), says()])
    async with house(tmp_path, town, script, working=False) as home:
        await home.ring(opened())
        for _ in range(4):
            await killed_in_the_opening(home)
        async with home.worker(ATTEMPTS="1"):
            run = await home.ended()
    assert run["outcome"] == "completed"
    assert run["id"].endswith(".1")
    assert home.executed("write_thing") == ["write_thing Thank you."]


async def test_a1_an_opening_that_lost_its_workers_for_an_hour_parks_with_words_and_can_be_resumed(
    tmp_path: Path, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Turns([uses(COMMENT), says()])
    async with house(tmp_path, town, script, working=False) as home:
        await home.ring(opened())
        await killed_in_the_opening(home)
        # This worker plays the run, and its hour is over as soon as it began.
        monkeypatch.setattr(calls, "LOSING", 0.0)
        async with home.working():
            run = await home.one("parked")
            assert "its workers were lost again and again" in run["reason"], run["reason"]
            await home.say("resume", run["id"])
            again = await home.ended()
    assert again["outcome"] == "completed"


async def test_a1_an_opening_that_is_to_begin_again_can_be_cancelled(
    tmp_path: Path, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Turns([says()])
    async with house(tmp_path, town, script, working=False) as home:
        await home.ring(opened())
        await killed_in_the_opening(home)
        monkeypatch.setattr(calls, "PAUSE", 600.0)
        async with home.working():
            (run,) = await home.settled("running")
            await home.say("cancel", run["id"])
            ended = await home.ended()
    assert ended["outcome"] == "cancelled"


async def test_a1_an_opening_whose_servers_can_not_be_reached_parks_after_a_few_tries_and_says_which(
    tmp_path: Path, town: Town
) -> None:
    away = Files(servers="lab:\n  url: http://127.0.0.1:9/mcp\n")
    async with house(tmp_path, town, Turns([says()]), away) as home:
        await home.ring(opened())
        run = await home.one("parked")
    assert "lab" in run["reason"]
    assert not run["reason"].startswith("prepare"), run["reason"]
