"""A5, A8: the model's own waits: for an event of which something holds, for a time; and its own word on the end."""

from pathlib import Path

import pytest

from orchestrator.demo.wire import ToolUse
from tests.support.house import PLAYBOOK, Files, commented, house, opened
from tests.support.scripts import Turns, results, says, use, uses, wait
from tests.support.town import Town

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(90)]

SLEEP, FINISH = "doorbell__sleep_until", "doorbell__finish"


def sleep(until: str) -> ToolUse:
    return ToolUse(SLEEP, {"until": until, "reason": "nothing to do before"})


def finish(outcome: str) -> ToolUse:
    return ToolUse(FINISH, {"outcome": outcome, "summary": "All is said."})


def choosy(**given: str) -> ToolUse:
    asked = wait("github/issue_comment.created")
    return ToolUse(asked.name, {**asked.input, **given})


def last(script: Turns) -> str:
    return list(results(script.asked[-1]).values())[-1]


async def test_a5_a_wait_ends_with_the_event_of_which_its_condition_holds(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(choosy(when="event.comment.body.startsWith('yes')")), says()])
    async with house(tmp_path, town, script) as home:
        await home.ring(opened())
        await home.one("waiting")
        other = await home.ring(commented("no, not that"), "issue_comment")
        await home.until(lambda: home.stores.inbox.decisions([other]), "its decision")
        mine = await home.ring(commented("yes, that"), "issue_comment")
        run = await home.ended()
        found = (await home.stores.inbox.decisions([other]))[other]
    assert run["events"][1:] == [mine]
    assert "yes, that" in last(script)
    assert [
        one.reason.partition(" still waits")[0] for one in found if one.cause[:5] == "wait:"
    ] == [f"run {run['id']}"]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (choosy(when="event.comment.body =="), "The condition under `when` can't be read"),
        (choosy(key="issue:acme/secret#1"), '"issue:acme/secret#1" is none of the keys'),
        (sleep("2026-02-31T10:00:00Z"), "There is no such moment"),
        (sleep("1s"), "It is 20"),
    ],
)
async def test_a5_a_wait_for_nothing_is_answered_at_once_and_a_short_sleep_soon(
    tmp_path: Path, town: Town, call: ToolUse, said: str
) -> None:
    script = Turns([uses(call), says()])
    async with house(tmp_path, town, script) as home:
        await home.ring(opened())
        await home.ended()
    assert said in last(script)


async def test_a5_a_sleep_is_ended_by_an_event_of_the_runs_own_key(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(sleep("7d")), says()])
    async with house(tmp_path, town, script) as home:
        await home.ring(opened())
        await home.one("waiting")
        more = await home.ring(opened(action="labeled"))
        run = await home.ended()
    assert run["events"][1:] == [more]
    assert "something else came first" in last(script)


@pytest.mark.parametrize("claimed", ["completed", "needs_attention"])
async def test_a8_the_model_ends_its_run_with_a_word_on_how_it_went(
    tmp_path: Path, town: Town, claimed: str
) -> None:
    script = Turns([uses(use("read_thing"), finish(claimed)), uses(finish(claimed))])
    async with house(tmp_path, town, script) as home:
        await home.ring(opened())
        run = await home.ended()
    assert (run["outcome"], run["turns"]) == (claimed, 2)
    assert run["account"] == "All is said."
    assert "alone" in last(script)


async def test_a5_a_run_stays_open_no_longer_than_its_budget_and_ends_with_a_last_turn(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(wait("github/issue_comment.created")), says("Nobody answered.")])
    playbook = PLAYBOOK.replace("tool_calls: 90", "tool_calls: 90, open: 12s")
    async with house(tmp_path, town, script, Files(playbook=playbook)) as home:
        await home.ring(opened())
        run = await home.ended()
    assert (run["outcome"], run["turns"]) == ("needs_attention", 2)
    assert run["reason"].startswith("open time: ")
    assert run["account"] == "Nobody answered."
    assert "tools" not in script.asked[-1] or script.asked[-1]["tool_choice"] == {"type": "none"}
