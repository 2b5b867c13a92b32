"""R5, mechanics 17: a long outage of the model parks a run, and its end lets it go on where it was, by itself."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.demo.wire import Fault, Reply
from orchestrator.tending.resuming import PROBE, resume_some
from tests.support.builders import Log
from tests.support.house import PLAYBOOK, Files, House, house, opened
from tests.support.scripts import Request, Turns, says, use, uses
from tests.support.town import Town
from workflows import calls

pytestmark = pytest.mark.temporal

WRITE = uses(use("write_thing", body="once"))
DOWN = Fault(status=529)


async def look(home: House, later: float) -> int:
    """The service looks who may go on."""
    now = datetime.now(UTC) + timedelta(seconds=later)
    stores = home.stores
    return await resume_some(stores.inbox, stores.ledger, now, home.dispatcher.poke, Log())


async def test_r5_a_run_parks_in_a_long_outage_and_goes_on_when_the_model_answers_again(
    tmp_path: Path, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "MODEL", replace(calls.MODEL, attempts=2))
    script = Turns([WRITE, DOWN])
    async with house(tmp_path, town, script) as home:
        await home.ring(opened())
        run = await home.one("parked")
        assert "529" in run["reason"]
        assert await look(home, 0) == 0
        assert await look(home, PROBE) == 1
        # Tried once more, in vain.
        await home.until(lambda: script.asked_for(1) >= 4, "another try")
        await home.one("parked")
        script.replies = [WRITE, says()]
        assert await look(home, 3 * PROBE) == 1
        run = await home.ended()
    assert (run["outcome"], run["turns"]) == ("completed", 2)
    assert home.executed() == ["write_thing once"]


async def test_a3_an_outage_that_outlasts_its_active_time_brings_it_no_last_turn(
    tmp_path: Path, town: Town
) -> None:
    outage = [DOWN, DOWN, DOWN, DOWN]  # 15 seconds between them

    def down_for_a_while(_: Request) -> Reply | Fault:
        return outage.pop() if outage else WRITE

    script = Turns([WRITE, down_for_a_while, says()])
    playbook = PLAYBOOK.replace("tool_calls: 90", "tool_calls: 90, active: 12s")
    async with house(tmp_path, town, script, Files(playbook=playbook)) as home:
        await home.ring(opened())
        run = await home.ended()
    assert (run["outcome"], run["turns"]) == ("completed", 3)
    assert home.executed() == ["write_thing once", "write_thing once"]
