"""R3, A3: what comes while a conversation is busy is heard by it or by the next one, and takes nothing from another."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.demo.wire import ToolUse
from orchestrator.inbox.inbox import Action
from orchestrator.ledger import claims, turns
from tests.support.house import PLAYBOOK, Files, House, house, opened
from tests.support.met import all_ended, delivered
from tests.support.scripts import Request, Turns, says, use, uses, wait, words
from tests.support.town import Town

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(120)]

FINISH = ToolUse("doorbell__finish", {"outcome": "completed", "summary": "Done."})
LATER = 30.0
"""Seconds that a reply takes, unless the test lets it come."""


async def meanwhile(home: House, script: Turns, turn: int, note: str) -> str:
    """Ring while the model thinks about that turn, then let it answer; the event's id."""
    await home.until(lambda: script.asked_for(turn), f"turn {turn}")
    event_id = await home.ring(opened(action="edited", note=note))
    await home.until(lambda: delivered(home, [event_id]), "the signal")
    home.pauses.over.set()
    return event_id


async def test_r3_what_comes_while_the_model_says_that_it_is_done_is_heard_all_the_same(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(FINISH, delay=LATER), says("I have heard that too.")])
    async with house(tmp_path, town, script) as home:
        first = await home.ring(opened())
        second = await meanwhile(home, script, 0, "came with the last word;")
        run = await home.ended()
    assert run["events"] == [first, second]
    assert "came with the last word;" in words(script.asked[1])


async def test_r3_an_event_whose_place_a_lost_task_has_taken_is_told_behind_that(
    tmp_path: Path, town: Town
) -> None:
    """A worker died between its words before the next turn and the end of its task: they stand there."""
    script = Turns([uses(use("read_thing"), delay=LATER), says()])
    async with house(tmp_path, town, script) as home:
        await home.ring(opened())
        await home.until(lambda: script.asked_for(0), "the first turn")
        (run,) = await home.runs()
        await home.stores.ledger.write(turns.note, run["id"], 2, 0, "Finish now.")
        await meanwhile(home, script, 0, "came second;")
        await home.ended()
    said = words(script.asked[1])
    assert said.index("Finish now.") < said.index("came second;")


async def test_a8_a_word_that_comes_before_its_run_stands_still_lets_it_go_on(
    tmp_path: Path, town: Town
) -> None:
    """The ledger says `parked` a moment before Temporal knows, and whoever says `resume` then is heard."""
    playbook = PLAYBOOK.replace("turns: 60", "turns: 1")
    script = Turns([uses(use("read_thing")), says("So far.", delay=LATER)])
    async with house(tmp_path, town, script, Files(playbook=playbook)) as home:
        await home.ring(opened())
        await home.until(lambda: script.asked_for(1), "the summary")
        (run,) = await home.runs()
        word = await home.say("resume", run["id"])
        await home.until(lambda: signalled(home, word), "the signal")
        home.pauses.over.set()
        assert await home.until(lambda: claimed(home, word), "the claim") == "consumed"


async def signalled(home: House, event_id: str) -> bool:
    found = (await home.stores.inbox.decisions([event_id]))[event_id]
    return bool(found) and all(one.delivered_at is not None for one in found)


async def claimed(home: House, event_id: str) -> str:
    """How the run took that word; empty as long as it didn't."""
    found = (await home.stores.inbox.decisions([event_id]))[event_id]
    (word,) = [one for one in found if one.action is not Action.IGNORE]
    return (await home.stores.ledger.read(claims.claimed, [word.id])).get(word.id, "")


def newer(*replies: Any, otherwise: Any) -> Turns:
    """A model that answers the conversations of newer events otherwise than the first."""

    def reply(request: Request) -> Any:
        said = words(request)
        found = [one for note, one in replies if note in said]
        return found[-1] if found else otherwise

    return Turns([reply, says()])


async def test_r3_a_newer_conversation_makes_its_own_calls_whatever_the_older_one_had_made(
    tmp_path: Path, town: Town
) -> None:
    """Calls are named by turn and place, and the older one ended in the middle of a turn."""
    consent = "lab.write_thing: {max: 5, approve: {by: [bob], ttl: 2s, on_timeout: park}}"
    files = Files(
        playbook=PLAYBOOK.replace("lab.write_thing: {max: 5}", consent),
        people="bob: {operator: bob}\n",
        mode="supersede",
    )
    script = newer(
        ("the newer;", uses(use("read_thing", name="the newer"))),
        otherwise=uses(use("read_thing", name="the older"), use("write_thing", body="never")),
    )
    async with house(tmp_path, town, script, files) as home:
        await home.ring(opened())
        await home.one("parked")
        await home.ring(opened(action="edited", note="the newer;"))
        old, new = await home.settled("ended", 2)
    assert (old["outcome"], new["outcome"]) == ("superseded", "completed")
    assert home.executed() == ["read_thing the older", "read_thing the newer"]


async def test_a8_a_newer_event_stops_nothing_of_what_a_person_applies_of_an_older_run(
    tmp_path: Path, town: Town
) -> None:
    script = newer(
        ("the second;", uses(wait("github/issue_comment.created"))),
        ("the third;", says()),
        otherwise=uses(use("slow_write", seconds=4), use("write_thing", body="last")),
    )
    async with house(tmp_path, town, script, Files(mode="supersede", stage="preview")) as home:
        await home.ring(opened())
        first = await home.ended()
        await home.ring(opened(action="edited", note="the second;"))
        await home.until(lambda: waiting(home), "the second one waits")
        await home.say("apply", first["id"])
        await home.until(lambda: home.executed("slow_write"), "the first of them")
        await home.ring(opened(action="edited", note="the third;"))
        runs = await home.settled("ended", 3)
        await all_ended(home)
        again = await home.run(first["id"])
    assert [run["outcome"] for run in runs] == ["completed", "superseded", "completed"]
    assert home.executed() == ["slow_write", "write_thing last"]
    assert [call["state"] for call in again["tool_calls"] if call["turn"] == 0] == ["done", "done"]


async def waiting(home: House) -> bool:
    return (await home.runs())[-1]["state"] == "waiting"
