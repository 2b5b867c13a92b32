"""A4, R2: a conversation outlives several continue-as-news, and no signal that comes meanwhile is lost."""

from pathlib import Path

import pytest

from orchestrator.demo.wire import Reply
from tests.support.house import PLAYBOOK, Files, house, opened
from tests.support.scripts import Request, Turns, says, turn_of, use, uses, words
from tests.support.town import Town
from workflows import parking

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(90)]

TURNS = 14


def last_or_read(request: Request) -> Reply:
    return says() if turn_of(request) >= TURNS - 1 else uses(use("read_thing"), use("read_thing"))


async def test_r2_a_long_conversation_continues_as_new_and_hears_everything_in_order(
    tmp_path: Path, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parking, "HISTORY_LIMIT", 40)
    script = Turns([last_or_read])
    async with house(tmp_path, town, script, Files(playbook=PLAYBOOK)) as home:
        ids = [await home.ring(opened())]
        for turn in range(1, TURNS - 1):
            await home.until(lambda turn=turn: script.asked_for(turn), f"turn {turn}")
            ids.append(await home.ring(opened(action="labeled", note=f"note {turn};")))
        run = await home.ended()
        parts = [
            part
            async for part in home.client.list_workflows(f"WorkflowId = '{run['workflow_id']}'")
        ]
    assert len(parts) > 3
    assert run["events"] == ids
    told = words(script.asked[-1])
    places = [told.index(f"note {turn};") for turn in range(1, TURNS - 1)]
    assert places == sorted(places)
    assert run["outcome"] == "completed"
    assert run["turns"] == len([turn for turn in range(TURNS) if script.asked_for(turn) == 1])
