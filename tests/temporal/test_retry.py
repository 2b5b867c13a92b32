"""`run.retry`: a run that failed is run once more for the same event, beside what it was, however often it is said."""

from pathlib import Path

import pytest

from tests.support.house import House, house, opened
from tests.support.scripts import Turns, says, use, uses
from tests.support.town import Town

pytestmark = pytest.mark.temporal


async def decided(home: House, event_id: str) -> str:
    """What was decided about a person's word."""

    async def look() -> str | None:
        found = (await home.stores.inbox.decisions([event_id]))[event_id]
        return found[0].reason if found else None

    return str(await home.until(look, "a decision"))


async def test_a_cancelled_run_is_run_once_more_as_a_conversation_of_its_own(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(use("slow_read", seconds=30)), says()])
    async with house(tmp_path, town, script) as home:
        event_id = await home.ring(opened())
        await home.until(lambda: home.executed("slow_read"), "the call")
        first = (await home.runs())[0]
        await home.say("cancel", first["id"])
        await home.ended()
        script.replies = [says()]
        word = await home.say("retry", first["id"])
        before, after = await home.settled("ended", 2)
        assert await decided(home, word) == "run.retry by a tester"
    assert (before["outcome"], after["outcome"]) == ("cancelled", "completed")
    assert (before["workflow_id"], before["events"]) == (after["workflow_id"], after["events"])
    assert after["events"] == [event_id]
    assert (before["id"][-2:], after["id"][-2:]) == (".1", ".2")


async def test_a2_a_run_that_wrote_is_not_retried_by_a_plain_word(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(use("write_thing", body="once")), says()])
    async with house(tmp_path, town, script) as home:
        await home.ring(opened())
        run = await home.ended()
        word = await home.say("retry", run["id"])
        assert "it may have written: lab.write_thing (done)" in await decided(home, word)
        assert len(await home.runs()) == 1
    assert home.executed("write") == ["write_thing once"]
