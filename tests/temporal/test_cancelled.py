"""A2, A3, A8: a person's cancel reaches what is under way; every call is answered, and the end is honest."""

from pathlib import Path

import pytest

from tests.support.house import HTTP, PLAYBOOK, Files, House, house, opened
from tests.support.scripts import Once, Turns, says, use, uses, wait
from tests.support.town import Town, kill

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(90)]

NEVER = 600.0
ENDLESS = Files(playbook=PLAYBOOK.replace("slow_write]", "slow_write, endless_write]"))
TURN = uses(
    use("read_thing"),
    use("endless_write"),
    use("slow_read", seconds=NEVER),
    wait("github/issue_comment.created"),
)
MUTE = HTTP + "mute:\n  command: [python, -c, 'import time; time.sleep(600)']\n"


def states(run: dict) -> dict[str, str]:
    return {call["tool"]: call["state"] for call in run["tool_calls"]}


async def under_way(home: House, *tools: str) -> str:
    """The id of the only run, once these tools are being executed."""
    for tool in tools:
        await home.until(lambda tool=tool: home.executed(tool), tool)
    (run,) = await home.runs()
    return run["id"]


async def test_a8_a_cancel_reaches_the_calls_that_are_under_way_and_answers_every_one(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([TURN, says()])
    async with house(tmp_path, town, script, ENDLESS) as home:
        await home.ring(opened())
        await home.say("cancel", await under_way(home, "endless_write", "slow_read", "read_thing"))
        run = await home.ended()
        await home.until(lambda: home.executed("stopped endless_write"), "the server's part")
    assert run["outcome"] == "cancelled"
    assert run["reason"] == "cancelled by a person; writes of which nobody knows: 1"
    assert states(run) == {
        "read_thing": "done",
        "endless_write": "unknown",
        "slow_read": "refused",
        "wait": "refused",
    }
    assert home.executed("endless_write") == ["endless_write"]
    assert len(script.asked) == 1


async def test_a8_a_run_that_was_cancelled_in_temporal_itself_answers_every_call_too(
    tmp_path: Path, town: Town
) -> None:
    async with house(tmp_path, town, Turns([TURN, says()]), ENDLESS) as home:
        await home.ring(opened())
        await under_way(home, "endless_write", "slow_read")
        (run,) = await home.runs()
        await home.client.get_workflow_handle(run["workflow_id"]).cancel()
        run = await home.ended()
        await home.until(lambda: home.executed("stopped endless_write"), "the server's part")
    assert run["outcome"] == "cancelled"
    assert run["reason"] == "cancelled in Temporal; writes of which nobody knows: 1"
    assert states(run)["endless_write"] == "unknown"
    assert "intended" not in states(run).values()
    assert "sent" not in states(run).values()


async def test_a2_a_cancel_that_came_while_no_worker_was_there_repeats_nothing(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(use("endless_write")), says()])
    async with house(tmp_path, town, script, ENDLESS, working=False) as home:
        await home.ring(opened())
        async with home.worker() as first:
            run_id = await under_way(home, "endless_write")
            await kill(first)
        await home.say("cancel", run_id)
        async with home.worker():
            run = await home.ended()
    assert run["outcome"] == "cancelled"
    assert states(run) == {"endless_write": "unknown"}
    assert home.executed("endless_write") == ["endless_write"]


async def test_a8_a_run_whose_hands_never_answer_is_cancelled_while_its_tools_are_chosen(
    tmp_path: Path, town: Town
) -> None:
    playbook = PLAYBOOK.replace("slow_write]", "slow_write], mute: [anything]")
    script = Turns([says()])
    async with house(tmp_path, town, script, Files(servers=MUTE, playbook=playbook)) as home:
        await home.ring(opened())
        run = await home.one("running")
        await home.say("cancel", run["id"])
        run = await home.ended()
    assert (run["outcome"], run["reason"]) == ("cancelled", "cancelled by a person")
    assert script.asked == []


async def test_a8_a_cancel_ends_the_making_of_proposals_and_repeats_none(
    tmp_path: Path, town: Town
) -> None:
    proposing = uses(use("endless_write"), use("write_thing", body="never made"))
    script = Turns([proposing, uses(wait("github/issue_comment.created")), says()])
    files = Files(playbook=ENDLESS.playbook, stage="preview")
    async with house(tmp_path, town, script, files) as home:
        await home.ring(opened())
        run = await home.one("waiting")
        await home.say("apply", run["id"])
        await home.say("cancel", await under_way(home, "endless_write"))
        run = await home.ended()
        await home.until(lambda: home.executed("stopped endless_write"), "the server's part")
    assert run["outcome"] == "cancelled"
    applied = {call["tool"]: call["state"] for call in run["tool_calls"] if not call["turn"]}
    assert applied == {"endless_write": "unknown", "write_thing": "refused"}
    assert home.executed("write") == []


async def test_r3_an_event_that_came_before_the_cancel_is_heard_by_the_run_it_came_for(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([Once(uses(use("endless_write")), says())])
    async with house(tmp_path, town, script, ENDLESS) as home:
        first = await home.ring(opened())
        run_id = await under_way(home, "endless_write")
        second = await home.ring(opened(action="labeled"))
        await home.until(lambda: _delivered(home, second), "its delivery")
        await home.say("cancel", run_id)
        run = await home.ended()
        third = await home.ring(opened(action="reopened"))
        _, after = await home.settled("ended", count=2)
    assert run["events"] == [first, second]
    assert after["events"] == [third]
    assert after["outcome"] == "completed"


async def _delivered(home: House, event_id: str) -> bool:
    found = await home.stores.inbox.decisions([event_id])
    return any(str(decision.state) == "delivered" for decision in found[event_id])
