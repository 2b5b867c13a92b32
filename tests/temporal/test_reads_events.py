"""`doorbell__event` on a real worker: a payload too long for its block is looked into by the run it rang for."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestrator.demo.wire import Reply, ToolUse
from tests.support.house import house, opened
from tests.support.scripts import Turns, results, says, uses, words
from tests.support.town import Town
from workflows.own_tools import EVENT

pytestmark = pytest.mark.temporal


def asks(request: Mapping[str, Any]) -> Reply:
    """For the end of the comment, and for an event that another run heard."""
    found = re.search(r"<event>\n(.*)\n", words(request))
    assert found is not None
    own = json.loads(found[1])["id"]
    end = {"event": own, "pointer": "/issue/body", "offset": 60_000, "limit": 200}
    return uses(ToolUse(EVENT, end), ToolUse(EVENT, {"event": "evt_of_somebody"}))


async def test_a7_a_long_payload_is_read_in_parts_and_nobody_elses_is(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([asks, says()])
    payload = opened()
    payload["issue"]["body"] = "x" * 60_000 + "the end\u200b"
    async with house(tmp_path, town, script) as home:
        await home.ring(payload)
        run = await home.ended()
    first, second = results(script.asked[-1]).values()
    assert '\n<event>\n"the end[U+200B]"\n</event>' in first
    assert second.startswith("This conversation has heard no event 'evt_of_somebody'")
    calls = [(call["server"], call["tool"], call["state"]) for call in run["tool_calls"]]
    assert calls == [("doorbell", "event", "done"), ("doorbell", "event", "refused")]
    assert "more characters of the payload are not shown" in words(script.asked[0])
    assert run["outcome"] == "completed"
