"""A1, A5: a worker that dies at a hop into the prologue, or out of it, takes nothing along."""

from collections import Counter
from pathlib import Path

import pytest

from tests.support.house import House, commented, house, opened
from tests.support.scripts import Turns, says, use, uses, wait
from tests.support.sleepers import asleep, lived
from tests.support.town import Town, kill
from workflows import upgrades

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(150)]

REPLY = uses(use("read_thing"), wait("github/issue_comment.created"))
HEARD = "the answer"


def told(script: Turns, text: str) -> int:
    return str(script.asked[-1]["messages"]).count(text)


async def test_a1_a_worker_killed_on_the_way_to_sleep_is_no_loss(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([REPLY, says()])
    async with house(tmp_path, town, script, working=False) as home:
        hold = home.directory / "hold"
        hold.touch()
        await home.ring(opened())
        async with home.worker(HOLD=str(hold), HOLD_AT="waiting") as first:
            await home.until(hold.with_suffix(".held").exists, "the registered wait")
            await kill(first)
        async with home.worker():
            await asleep(home)
            await home.ring(commented(HEARD), "issue_comment")
            run = await home.ended()
    assert (run["outcome"], run["turns"], told(script, HEARD)) == ("completed", 2, 1)


async def test_a1_a_worker_killed_while_its_run_sleeps_and_another_killed_as_it_wakes_lose_nothing(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([REPLY, says()])
    async with house(tmp_path, town, script, working=False) as home:
        hold = home.directory / "hold"
        hold.touch()
        await home.ring(opened())
        async with home.worker() as first:
            workflow_id = await asleep(home)
            await kill(first)
        await home.ring(commented(HEARD), "issue_comment")
        async with home.worker(HOLD=str(hold), HOLD_AT="waiting") as second:
            # Woken, it looks at its wait again: there it dies.
            await home.until(hold.with_suffix(".held").exists, "the look at the wait")
            assert len(await lived(home, workflow_id, 3)) == 3
            await kill(second)
        async with home.worker():
            run = await home.ended()
    assert (run["outcome"], run["turns"], told(script, HEARD)) == ("completed", 2, 1)
    assert home.executed() == ["read_thing it"]


async def test_r2_what_comes_between_the_decision_to_sleep_and_the_hop_is_heard(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([REPLY, says()])
    async with house(tmp_path, town, script, working=False) as home:
        hold = home.directory / "hold"
        hold.touch()
        await home.ring(opened())
        async with home.worker(HOLD=str(hold), HOLD_AT="waiting"):
            await home.until(hold.with_suffix(".held").exists, "the registered wait")
            event_id = await home.ring(commented(HEARD), "issue_comment")
            await home.until(lambda: _delivered(home, event_id), "its delivery")
            hold.unlink()
            run = await home.ended()
    assert (run["outcome"], run["turns"], told(script, HEARD)) == ("completed", 2, 1)


async def test_r2_all_that_comes_at_once_is_heard_once(tmp_path: Path, town: Town) -> None:
    script = Turns([REPLY, says()])
    async with house(tmp_path, town, script) as home:
        await home.ring(opened())
        await asleep(home)
        labels = [opened(action="labeled", note=f"label {number};") for number in range(3)]
        arrivals = [
            home.arrival(commented(HEARD), "issue_comment"),
            *(home.arrival(label) for label in labels),
        ]
        ids = await home.keep(*arrivals)
        await home.until(lambda: home.taken(ids), "all of them")
        run = await home.ended()
    assert Counter(run["events"])[ids[0]] == 1
    assert sorted(run["events"][1:]) == sorted(ids)
    assert told(script, HEARD) == 1


async def test_who_was_put_to_sleep_by_a_newer_program_waits_for_it_and_says_so(
    tmp_path: Path, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rollback: the older program can't read the state, leaves it as it is, and loses nothing that comes."""
    script = Turns([REPLY, says()])
    async with house(tmp_path, town, script) as home:
        await home.ring(opened())
        workflow_id = await asleep(home)
        with monkeypatch.context() as older:
            older.setattr(upgrades, "SCHEMA", 1)
            await home.ring(commented(HEARD), "issue_comment")
            run = await home.one("parked")
            await lived(home, workflow_id, 4)
        assert "a newer doorbell put this run to sleep" in run["reason"]
        await home.ring(opened(action="labeled"))
        run = await home.ended()
    assert (run["outcome"], told(script, HEARD)) == ("completed", 1)
    assert len(run["events"]) == 3


async def _delivered(home: House, event_id: str) -> bool:
    found = await home.stores.inbox.decisions([event_id])
    return any(str(decision.state) == "delivered" for decision in found[event_id])
