"""A2: a write is never silently repeated, and an outcome nobody can know is told in words."""

from pathlib import Path

import pytest

from orchestrator.ledger import calls
from tests.support.house import HTTP, STDIO, Files, House, house, opened
from tests.support.scripts import Turns, results, says, use, uses
from tests.support.town import Town, kill

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(90)]

WRITE = use("write_thing", body="Thank you.")


def answer(script: Turns) -> str:
    """What the model was told of the last call it made."""
    return list(results(script.asked[-1]).values())[-1]


async def test_a2_a_write_whose_worker_is_killed_after_it_left_is_never_sent_again(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(use("slow_write", seconds=30)), says()])
    async with house(tmp_path, town, script, working=False) as home:
        await home.ring(opened())
        async with home.worker(DEADLINE="2") as first:
            await home.until(lambda: home.executed("slow_write"), "the write")
            await kill(first)
        async with home.worker():
            run = await home.ended()
    assert home.executed() == ["slow_write"]
    assert "outcome of this call is unknown" in answer(script)
    assert [call["state"] for call in run["tool_calls"]] == ["unknown"]
    assert run["outcome"] == "needs_attention"
    assert run["reason"] == "writes of which nobody knows: 1"


async def killed_at(home: House, instant: str, **told: str) -> None:
    """Kill the first worker exactly there."""
    hold = home.directory / "hold"
    hold.touch()
    await home.ring(opened())
    async with home.worker(HOLD=str(hold), HOLD_AT=instant, **told) as first:
        await home.until(hold.with_suffix(".held").exists, instant)
        await kill(first)


async def test_a2_a_write_whose_worker_is_killed_before_it_was_sent_is_made_exactly_once(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(WRITE), says()])
    async with house(tmp_path, town, script, Files(servers=STDIO), working=False) as home:
        await killed_at(home, "intended")
        assert home.executed() == []
        async with home.worker():
            run = await home.ended()
    assert home.executed() == ["write_thing Thank you."]
    assert answer(script) == "written"
    assert run["outcome"] == "completed"


async def test_a2_a_write_that_may_have_left_is_unknown_although_it_never_did(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(WRITE), says()])
    async with house(tmp_path, town, script, working=False) as home:
        await killed_at(home, "sent", DEADLINE="2")
        async with home.worker():
            run = await home.ended()
    assert home.executed() == []
    assert "outcome of this call is unknown" in answer(script)
    assert run["outcome"] == "needs_attention"


async def test_a2_an_attempt_that_was_only_slow_can_no_longer_send_what_the_next_one_sent(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(WRITE), says()])
    async with house(tmp_path, town, script, working=False) as home:
        hold = home.directory / "hold"
        hold.touch()
        await home.ring(opened())
        async with home.worker(HOLD=str(hold), HOLD_AT="intended", MUTE="yes"):
            await home.until(hold.with_suffix(".held").exists, "the slow attempt")
            run = await home.ended()
            hold.unlink()
            await home.until(hold.with_suffix(".refused").exists, "the refusal")
    assert home.executed() == ["write_thing Thank you."]
    assert [call["attempts"] for call in run["tool_calls"]] == [2]


@pytest.mark.parametrize(
    ("bounds", "state"),
    [("timeout: 30s", "done"), ("tools: {slow_write: {timeout: 1s}}", "unknown")],
)
async def test_a2_a_write_may_take_as_long_as_its_server_or_tool_says_and_no_longer(
    tmp_path: Path, town: Town, bounds: str, state: str
) -> None:
    """This worker gives every other call 2 seconds."""
    script = Turns([uses(use("slow_write", seconds=4)), says()])
    files = Files(servers=f"{HTTP}  {bounds}\n")
    async with house(tmp_path, town, script, files, working=False) as home:
        await home.ring(opened())
        async with home.worker(DEADLINE="2"):
            run = await home.ended()
        (call,) = await home.stores.ledger.read(calls.of_run, run["id"])
    assert home.executed() == ["slow_write"]
    assert call.state == state
    assert round(call.deadline_at - call.sent_at) == (30 if state == "done" else 1)
