"""R5 and A8: a run that may not or cannot go on parks with the reason; mended and resumed, it goes on where it was."""

from pathlib import Path

import pytest

from orchestrator.demo.wire import Fault
from tests.support.house import PLAYBOOK, Files, House, house, opened
from tests.support.scripts import Once, Turns, says, use, uses
from tests.support.town import Town

pytestmark = pytest.mark.temporal

WRITE = uses(use("write_thing", body="once"))
REFUSED = Fault(status=401, type="authentication_error", message="invalid x-api-key")


def rewrite(home: House, old: str, new: str) -> None:
    """A person edits the playbook."""
    path = home.directory / "doorbell.d" / "playbooks" / "work.md"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("limit", "raised", "reason"),
    [
        ("turns: 60", "turns: 1", "turns budget: 1 of 1 used"),
        ("usd: 5", "usd: 0.007", "of 0.007 usd and 3000000 tokens"),
        ("tokens: 3000k", "tokens: 2k", "of 5 usd and 2000 tokens"),
    ],
    ids=["turns", "usd", "tokens"],
)
async def test_r5_a_spent_budget_parks_with_the_reason_and_raising_it_in_the_file_goes_on(
    tmp_path: Path, town: Town, limit: str, raised: str, reason: str
) -> None:
    low = PLAYBOOK.replace(limit, raised)
    script = Turns([WRITE, uses(use("read_thing")), says()])
    files = Files(playbook=low, model="claude-sonnet-5-5")
    async with house(tmp_path, town, script, files) as home:
        await home.ring(opened())
        run = await home.one("parked")
        asked = len(script.asked)
        assert reason in run["reason"]
        assert run["waiting_for"] == {"kind": "person", "reason": run["reason"]}
        assert run["turns"] < 3
        rewrite(home, raised, limit)
        await home.say("resume", run["id"])
        run = await home.ended()
    assert run["outcome"] == "completed"
    assert run["turns"] == 3
    assert len(script.asked) == 3
    assert asked < 3
    assert home.executed("write") == ["write_thing once"]


async def test_r5_whoever_is_asked_for_more_reads_a_summary_and_the_run_goes_on_with_its_tools(
    tmp_path: Path, town: Town
) -> None:
    low = PLAYBOOK.replace("turns: 60", "turns: 1")
    script = Turns([WRITE, says("I wrote once. I did not look."), uses(use("read_thing")), says()])
    async with house(tmp_path, town, script, Files(playbook=low)) as home:
        await home.ring(opened())
        run = await home.one("parked")
        assert run["account"] == "I wrote once. I did not look."
        await home.ring(opened(action="edited"))
        rewrite(home, "turns: 1", "turns: 60")
        await home.say("resume", run["id"])
        run = await home.ended()
    assert "tool_choice" not in script.asked[2]
    assert "A person let this run go on" in str(script.asked[2]["messages"][-1])
    assert (run["outcome"], run["turns"]) == ("completed", 4)
    assert home.executed() == ["write_thing once", "read_thing it"]


async def test_r5_resuming_without_raising_the_limit_parks_again_and_spends_nothing(
    tmp_path: Path, town: Town
) -> None:
    files = Files(playbook=PLAYBOOK.replace("turns: 60", "turns: 1"))
    script = Turns([WRITE, says()])
    async with house(tmp_path, town, script, files) as home:
        await home.ring(opened())
        run = await home.one("parked")
        summed_up = len(script.asked)
        word = await home.say("resume", run["id"])
        await home.until(lambda: home.taken([word]), "the word")
        run = await home.one("parked")
        await home.say("cancel", run["id"])
        run = await home.ended()
    assert run["outcome"] == "cancelled"
    assert (summed_up, len(script.asked)) == (2, 2)


async def test_a3_a_run_that_needs_exactly_its_turns_completes(tmp_path: Path, town: Town) -> None:
    files = Files(playbook=PLAYBOOK.replace("turns: 60", "turns: 2"))
    script = Turns([WRITE, says()])
    async with house(tmp_path, town, script, files) as home:
        await home.ring(opened())
        run = await home.ended()
    assert (run["outcome"], run["turns"]) == ("completed", 2)
    assert all("tool_choice" not in request for request in script.asked)


async def test_r5_at_eighty_percent_the_agent_is_asked_to_finish(
    tmp_path: Path, town: Town
) -> None:
    files = Files(playbook=PLAYBOOK.replace("turns: 60", "turns: 10"))
    script = Turns([uses(use("read_thing"))] * 8 + [says()])
    async with house(tmp_path, town, script, files) as home:
        await home.ring(opened())
        run = await home.ended()
    told = ["Finish now" in str(request["messages"]) for request in script.asked]
    assert told == [False] * 8 + [True]
    assert run["outcome"] == "completed"


async def test_r5_a_model_that_refuses_the_key_parks_and_goes_on_once_it_accepts_it(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([WRITE, Once(REFUSED, says())])
    async with house(tmp_path, town, script) as home:
        await home.ring(opened())
        run = await home.one("parked")
        assert "the API key is not accepted" in run["reason"]
        await home.say("resume", run["id"])
        run = await home.ended()
    assert run["outcome"] == "completed"
    assert home.executed() == ["write_thing once"]
    assert (script.asked_for(0), script.asked_for(1)) == (1, 2)


async def test_r5_without_a_key_a_run_parks_saying_what_to_set_and_goes_on_with_one(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([WRITE, says()])
    async with house(tmp_path, town, script, working=False) as home:
        await home.ring(opened())
        home.key = None
        async with home.working():
            run = await home.one("parked")
            assert "set ANTHROPIC_API_KEY" in run["reason"]
        home.key = "scripted"
        async with home.working():
            await home.say("resume", run["id"])
            run = await home.ended()
    assert run["outcome"] == "completed"


async def test_r5_hands_that_cannot_be_reached_park_the_run_before_it_asks_anything(
    tmp_path: Path, town: Town
) -> None:
    """The server dies at its start until somebody mends it."""
    mended = tmp_path / "mended"
    script_of_it = f"test -e {mended} && exec $0 $1; exit 3"
    servers = f"lab:\n  command: [sh, -c, '{script_of_it}', PYTHON, COUNTING]\n  env: {{COUNT: COUNTED}}\n"
    script = Turns([WRITE, says()])
    async with house(tmp_path, town, script, Files(servers=servers)) as home:
        await home.ring(opened())
        run = await home.one("parked")
        assert "lab" in run["reason"]
        assert script.asked == []
        mended.touch()
        await home.say("resume", run["id"])
        run = await home.ended()
    assert run["outcome"] == "completed"
    assert home.executed() == ["write_thing once"]
