"""R3, A3: what comes while a conversation is busy is heard by it or by the next one, and takes nothing from another."""

from pathlib import Path

import pytest

from orchestrator.inbox.inbox import Action
from orchestrator.ledger import claims, turns
from tests.support import overlaps
from tests.support.house import House, house, opened
from tests.support.met import all_ended
from tests.support.overlaps import LATER, meanwhile, thinks
from tests.support.scripts import Turns, says, use, uses, words
from tests.support.town import Town

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(120)]


async def test_r3_what_comes_while_the_model_says_that_it_is_done_is_heard_all_the_same(
    tmp_path: Path, town: Town
) -> None:
    script = Turns(overlaps.LAST_WORD)
    async with house(tmp_path, town, script) as home:
        await overlaps.with_the_last_word(home)
        run = await home.ended()
    assert len(run["events"]) == 2
    assert "came with the last word;" in words(script.asked[1])


async def test_r3_an_event_whose_place_a_lost_task_has_taken_is_told_behind_that(
    tmp_path: Path, town: Town
) -> None:
    """A worker died between its words before the next turn and the end of its task: they stand there."""
    script = Turns([uses(use("read_thing"), delay=LATER), says()])
    async with house(tmp_path, town, script) as home:
        await home.ring(opened())
        await home.until(lambda: thinks(home, 1), "the first turn")
        (run,) = await home.runs()
        await home.stores.ledger.write(turns.note, run["id"], 2, 0, "Finish now.")
        await meanwhile(home, "came second;")
        await home.ended()
    said = words(script.asked[1])
    assert said.index("Finish now.") < said.index("came second;")


async def test_a8_a_word_that_comes_before_its_run_stands_still_lets_it_go_on(
    tmp_path: Path, town: Town
) -> None:
    """The ledger says `parked` a moment before Temporal knows, and whoever says `resume` then is heard."""
    async with house(tmp_path, town, Turns(overlaps.SUMMARY), overlaps.ONE_TURN) as home:
        await overlaps.before_the_stop(home)
        assert await word_of_a_person(home) == "consumed"


async def word_of_a_person(home: House) -> str:
    """How its run took the word that lets it go on."""
    (word,) = [one for one in await home.stores.inbox.entries(10) if one.type == "run.resume"]
    found = (await home.stores.inbox.decisions([word.id]))[word.id]
    (told,) = [one for one in found if one.action is not Action.IGNORE]
    return (await home.stores.ledger.read(claims.claimed, [told.id]))[told.id]


async def test_r3_a_newer_conversation_makes_its_own_calls_whatever_the_older_one_had_made(
    tmp_path: Path, town: Town
) -> None:
    """Calls are named by turn and place, and the older one ended in the middle of a turn."""
    async with house(tmp_path, town, Turns(overlaps.IN_A_TURN), overlaps.ASKING) as home:
        await overlaps.in_the_middle_of_a_turn(home)
        old, new = await all_ended(home)
    assert (old["outcome"], new["outcome"]) == ("superseded", "completed")
    assert home.executed() == ["read_thing the older", "read_thing the newer"]


async def test_a8_a_newer_event_stops_nothing_of_what_a_person_applies_of_an_older_run(
    tmp_path: Path, town: Town
) -> None:
    async with house(tmp_path, town, Turns(overlaps.APPLIES), overlaps.PROPOSING) as home:
        await overlaps.while_older_proposals_are_applied(home)
        runs = await all_ended(home)
    applied = [call["state"] for call in runs[0]["tool_calls"] if call["turn"] == 0]
    assert [run["outcome"] for run in runs] == ["completed", "superseded", "completed"]
    assert home.executed() == ["slow_write", "write_thing last"]
    assert applied == ["done", "done"]
