"""A5: waits last; an early callback is found, a timeout is an outcome, a stranger's event wakes nobody."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.ledger import waits
from tests.support.house import House, commented, house, opened
from tests.support.scripts import Turns, results, says, use, uses, wait, words
from tests.support.town import Town

pytestmark = pytest.mark.temporal

REPLY = wait("github/issue_comment.created")


def woken(script: Turns) -> str:
    """What the last wait was answered with."""
    return list(results(script.asked[-1]).values())[-1]


async def ends_of_waits(home: House, run: dict[str, Any]) -> list[str]:
    return [one.state for one in await home.stores.ledger.read(waits.of_run, run["id"])]


async def decided(home: House, event_id: str) -> list[str]:
    """The actions decided for an event, once there are some."""

    async def look() -> list[str]:
        found = await home.stores.inbox.decisions([event_id])
        return [str(decision.action) for decision in found[event_id]]

    actions: list[str] = await home.until(look, "a decision")
    return actions


async def test_a5_an_event_that_came_before_the_wait_wakes_the_run_once(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(use("slow_read", seconds=6)), uses(REPLY), says()])
    async with house(tmp_path, town, script) as home:
        await home.ring(opened())
        await home.until(lambda: home.executed("slow_read"), "work before the wait")
        early = await home.ring(commented("an early answer"), "issue_comment")
        assert await decided(home, early) == ["ignore"]
        run = await home.ended()
        assert await ends_of_waits(home, run) == ["resolved"]
        assert await decided(home, early) == ["ignore", "resume"]
    assert "an early answer" in woken(script)
    assert str(script.asked[-1]).count("an early answer") == 1
    assert run["events"][1:] == [early]


async def test_a5_a_timeout_is_an_outcome_that_the_model_hears(tmp_path: Path, town: Town) -> None:
    soon = wait("github/issue_comment.created", timeout="1s")
    script = Turns([uses(soon), says()])
    async with house(tmp_path, town, script) as home:
        await home.ring(opened())
        run = await home.ended()
        assert await ends_of_waits(home, run) == ["expired"]
    assert woken(script) == "Nothing came before the timeout. Decide what to do without it."
    assert run["outcome"] == "completed"


async def test_a5_a_foreign_key_source_or_type_wakes_nobody(tmp_path: Path, town: Town) -> None:
    script = Turns([uses(REPLY), says()])
    async with house(tmp_path, town, script) as home:
        await home.ring(opened())
        await home.one("waiting")
        from_desk = {"type": "issue_comment.created", "issue": "acme/api#7", "text": "foreign"}
        pretended = home.arrival(from_desk, source="desk")
        assert pretended.keys == ("issue:acme/api#7",)
        for event_id in (
            await home.ring(commented("foreign key", number=8), "issue_comment"),
            *await home.keep(pretended),
            await home.ring(
                commented("foreign type") | {"action": "edited"},
                "issue_comment",
            ),
        ):
            assert await decided(home, event_id) == ["ignore"] * len(await decided(home, event_id))
        own = await home.ring(commented("the answer"), "issue_comment")
        run = await home.ended()
    assert run["events"][1:] == [own]
    assert "the answer" in woken(script)
    assert "foreign" not in str(script.asked[-1])


async def test_a5_our_own_comment_wakes_nobody(tmp_path: Path, town: Town) -> None:
    script = Turns([uses(REPLY), says()])
    async with house(tmp_path, town, script) as home:
        await home.ring(opened())
        run = await home.one("waiting")
        marked = commented(f"our words\n\n<!-- doorbell:{run['id']} -->")
        ours = await home.ring(marked, "issue_comment")
        assert set(await decided(home, ours)) == {"ignore"}
        await home.ring(commented("theirs"), "issue_comment")
        run = await home.ended()
    assert len(run["events"]) == 2
    assert "our words" not in str(script.asked[-1])


async def test_a5_an_event_of_the_runs_own_key_interrupts_its_wait_and_is_handed_in(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(REPLY), says()])
    async with house(tmp_path, town, script) as home:
        await home.ring(opened())
        await home.one("waiting")
        closed = await home.ring(opened(action="closed", note="it is over"))
        run = await home.ended()
        assert await ends_of_waits(home, run) == ["interrupted"]
    assert "The wait was interrupted" in woken(script)
    assert "it is over" in words(script.asked[-1])
    assert run["events"][1:] == [closed]


async def test_a5_of_two_events_racing_for_one_wait_one_wakes_and_the_other_is_heard(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(REPLY), says()])
    async with house(tmp_path, town, script) as home:
        await home.ring(opened())
        await home.one("waiting")
        both = await home.keep(
            home.arrival(commented("first answer"), "issue_comment"),
            home.arrival(commented("second answer"), "issue_comment"),
        )
        run = await home.ended()
        await home.until(lambda: _all_heard(home, run["id"], 3), "both events")
        run = await home.run(run["id"])
        assert await ends_of_waits(home, run) == ["resolved"]
    assert run["events"][1:] == both
    heard = str(script.asked[-1])
    assert (heard.count("first answer"), heard.count("second answer")) == (1, 1)


async def _all_heard(home: House, run_id: str, count: int) -> bool:
    return len((await home.run(run_id))["events"]) == count
