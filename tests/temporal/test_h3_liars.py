"""H3 in a whole run: servers that flood and lie are answers in words, and the server beside them works as ever."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.demo.wire import ToolUse
from tests.support.house import HTTP, PLAYBOOK, Files, house, opened
from tests.support.lab import SUPPORT
from tests.support.scripts import Turns, results, says, use, uses
from tests.support.town import Town
from workflows.messages import CallRequest

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(240)]

LOST = "gave no answer in 3 attempts"
FLOODS = {"line": LOST, "pieces": LOST, "progress": LOST}
LIES = {"closed": LOST, "shapes": "not a tool result", "twice": "seen"}
"""What the model hears: of a message too large, one of too many parts, and progress without end; and of a feigned end,
a result that is none, and one answer too many."""
PATIENCE = 150.0


def liars(directory: Path, ways: Iterable[str]) -> str:
    """They as servers.yaml has them; what they offer reads."""
    return "".join(
        f"{how}:\n"
        f"  command: [python, {SUPPORT / 'lying_server.py'}, {directory / how}, {how}]\n"
        "  own_actor: false\n"
        "  tools: {look: {effect: read}}\n"
        for how in ways
    )


@pytest.mark.parametrize(("ways", "deadline"), [(FLOODS, 6.0), (LIES, 30.0)])
async def test_h3_a_run_among_servers_that_flood_and_lie_hears_of_each_in_words(
    tmp_path: Path,
    town: Town,
    monkeypatch: pytest.MonkeyPatch,
    ways: dict[str, str],
    deadline: float,
) -> None:
    deadlines: dict[str, Any] = CallRequest.__init__.__kwdefaults__
    monkeypatch.setitem(deadlines, "deadline", deadline)
    listed = ", ".join(f"{how}: [look]" for how in ways)
    playbook = PLAYBOOK.replace("slow_write]}", f"slow_write], {listed}}}")
    calls = [ToolUse(f"{how}__look", {}) for how in ways]
    script = Turns([uses(*calls), uses(use("read_thing", name="one")), says()])
    files = Files(servers=HTTP + liars(tmp_path, ways), playbook=playbook)
    async with house(tmp_path, town, script, files) as home:
        await home.ring(opened())
        async with asyncio.timeout(PATIENCE):
            while len(script.asked) < 2:  # noqa: ASYNC110 - it's the model that is asked
                await asyncio.sleep(0.1)
        monkeypatch.setitem(deadlines, "deadline", 30.0)
        run = await home.ended()
    told = answers(script.asked[1])
    assert set(told) == set(ways)
    assert [how for how, words in ways.items() if words not in told[how]] == []
    assert max(map(len, told.values())) < 2_000
    assert "one is fine. " in results(script.asked[2]).values()
    assert (run["outcome"], run["turns"]) == ("completed", 3)


def answers(request: dict[str, Any]) -> dict[str, str]:
    """The answers to the calls of the last turn, by server."""
    given = results(request)
    asked = [block for block in request["messages"][-2]["content"] if block["type"] == "tool_use"]
    return {block["name"].removesuffix("__look"): str(given[block["id"]]) for block in asked}
