"""A8 and the preview: writes become proposals, and a person applies exactly those, once."""

from pathlib import Path

import pytest

from tests.support.house import Files, House, house, opened
from tests.support.scripts import Turns, results, says, use, uses, wait
from tests.support.town import Town

pytestmark = pytest.mark.temporal

PROPOSING = (
    uses(use("read_thing", name="the issue"), use("write_thing", body="first words")),
    uses(use("write_thing", body="second words")),
)


async def applied(home: House, run_id: str, count: int) -> bool:
    calls = (await home.run(run_id))["tool_calls"]
    return sum(call["state"] == "done" and call["turn"] == 0 for call in calls) == count


async def test_a8_a_preview_reads_and_records_its_writes_with_every_field(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([*PROPOSING, says()])
    async with house(tmp_path, town, script, Files(stage="preview")) as home:
        await home.ring(opened())
        run = await home.ended()
    assert home.executed() == ["read_thing the issue"]
    proposed = [call for call in run["tool_calls"] if call["state"] == "proposed"]
    assert [call["arguments"]["body"].splitlines()[0] for call in proposed] == [
        "first words",
        "second words",
    ]
    assert {(call["server"], call["tool"], call["effect"]) for call in proposed} == {
        ("lab", "write_thing", "write-once")
    }
    assert "Recorded as a proposal" in str(results(script.asked[-1]))
    assert run["outcome"] == "completed"


async def test_a8_applying_makes_exactly_the_proposed_calls_once_however_often_it_is_said(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([*PROPOSING, says()])
    async with house(tmp_path, town, script, Files(stage="preview")) as home:
        await home.ring(opened())
        run = await home.ended()
        said = [await home.say("apply", run["id"]), await home.say("apply", run["id"])]
        await home.until(lambda: applied(home, run["id"], 2), "both applied")
        again = await home.say("apply", run["id"])
        await home.until(lambda: home.taken([*said, again]), "the claims")
        run = await home.run(run["id"])
    assert home.executed("write") == ["write_thing first words", "write_thing second words"]
    proposed = {c["id"]: c["arguments"] for c in run["tool_calls"] if c["state"] == "proposed"}
    made = {
        c["id"]: c["arguments"] for c in run["tool_calls"] if c["state"] == "done" and not c["turn"]
    }
    assert made == {f"{call_id}:applied": arguments for call_id, arguments in proposed.items()}
    assert run["state"] == "ended"
    assert len(script.asked) == 3


async def test_a8_proposals_can_be_applied_while_the_run_still_waits(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([PROPOSING[0], uses(wait("github/issue_comment.created")), says()])
    async with house(tmp_path, town, script, Files(stage="preview")) as home:
        await home.ring(opened())
        run = await home.one("waiting")
        await home.say("apply", run["id"])
        await home.until(lambda: applied(home, run["id"], 1), "applied")
        assert (await home.run(run["id"]))["state"] == "waiting"
        await home.say("cancel", run["id"])
        run = await home.ended()
    assert home.executed("write") == ["write_thing first words"]
    assert run["outcome"] == "cancelled"
