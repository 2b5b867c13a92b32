"""A4: Temporal's history holds references, not conversations: under 3 KB a turn, whatever is said."""

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.demo.wire import Reply, Text
from tests.support.house import PLAYBOOK, Files, House, house, opened
from tests.support.scripts import Request, Turns, says, turn_of, use, uses, words
from tests.support.town import Town

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(120)]

TURNS = 30
RESULT = 20_000
MARKERS = ("MARK-OF-RESULT", "MARK-OF-PAYLOAD", "MARK-OF-REPLY", "MARK-OF-ARGUMENT")
ROOMY = PLAYBOOK.replace("tokens: 3000k", "tokens: 90000k")


def read_on(request: Request) -> Reply:
    if turn_of(request) == TURNS - 1:
        return says("MARK-OF-REPLY: done.")
    read = use("read_thing", name="MARK-OF-ARGUMENT", size=RESULT, marker="MARK-OF-RESULT")
    reply = uses(read)
    return replace(reply, blocks=(Text("MARK-OF-REPLY: on."), *reply.blocks))


async def history(home: House, workflow_id: str) -> list[bytes]:
    """Every event of the run's history, as it is kept."""
    handle = home.client.get_workflow_handle(workflow_id)
    return [event.SerializeToString() async for event in handle.fetch_history_events()]


async def test_a4_a_long_conversation_leaves_under_3_kb_a_turn_and_none_of_its_words(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([read_on])
    async with house(tmp_path, town, script, Files(playbook=ROOMY)) as home:
        await home.ring(opened(note="MARK-OF-PAYLOAD"))
        run = await home.ended()
        events = await history(home, run["workflow_id"])
    assert (run["outcome"], run["turns"]) == ("completed", TURNS)
    assert len(str(script.asked[-1])) > (TURNS - 1) * RESULT
    assert all(marker in str(script.asked[-1]) for marker in MARKERS)
    assert "MARK-OF-PAYLOAD" in words(script.asked[-1])
    size = sum(map(len, events))
    print(f"history: {size} bytes, {len(events)} events, {size / TURNS:.0f} bytes a turn")  # noqa: T201
    assert size / TURNS < 3_000
    whole = b"".join(events)
    assert [marker for marker in MARKERS if marker.encode() in whole] == []
