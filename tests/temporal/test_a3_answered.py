"""A3: every tool_use is answered, whatever the model asks and whatever its hands do.

The scripted server refuses a conversation in which one is not (400), and then the run would park.
"""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.demo.wire import Cut, Fault, ToolUse
from tests.support.house import PLAYBOOK, STDIO, Files, house, opened
from tests.support.scripts import Turns, results, says, use, uses, wait
from tests.support.town import SUPPORT, Town
from workflows.messages import CallRequest

pytestmark = pytest.mark.temporal


def answered(script: Turns) -> dict[str, str]:
    """The answers to the calls of the last turn but one, by tool; each id exactly once."""
    request = script.asked[-1]
    asked = [block for block in request["messages"][-2]["content"] if block["type"] == "tool_use"]
    given = request["messages"][-1]["content"]
    ids = [block["tool_use_id"] for block in given if block["type"] == "tool_result"]
    assert ids == [block["id"] for block in asked]
    texts = results(request)
    return {f"{n} {block['name']}": texts[block["id"]] for n, block in enumerate(asked)}


async def test_a3_parallel_unknown_and_invalid_calls_and_two_waits_are_all_answered(
    tmp_path: Path, town: Town
) -> None:
    soon = wait("github/issue_comment.created", timeout="1s")
    turn = uses(
        use("read_thing", name="one"),
        soon,
        use("read_thing", name="two"),
        use("no_such_tool", x=1),
        ToolUse("lab__write_thing", {"bodi": "misspelt"}),
        soon,
        ToolUse("doorbell__wait", {"events": []}),
        use("write_thing", body="written"),
    )
    script = Turns([turn, says()])
    async with house(tmp_path, town, script) as home:
        await home.ring(opened())
        run = await home.ended()
    told = answered(script)
    assert told["0 lab__read_thing"] == "one is fine. "
    assert told["1 doorbell__wait"].startswith("Nothing came before the timeout")
    assert told["2 lab__read_thing"] == "two is fine. "
    assert "There is no tool 'lab__no_such_tool'" in told["3 lab__no_such_tool"]
    assert "arguments don't fit" in told["4 lab__write_thing"]
    assert "Only one wait at a time" in told["5 doorbell__wait"]
    assert "arguments don't fit" in told["6 doorbell__wait"]
    assert told["7 lab__write_thing"] == "written"
    assert sorted(home.executed()) == ["read_thing one", "read_thing two", "write_thing written"]
    assert run["outcome"] == "completed"


async def test_a3_a_server_that_dies_in_the_middle_of_a_write_is_an_unknown_outcome_in_words(
    tmp_path: Path, town: Town
) -> None:
    playbook = PLAYBOOK.replace("slow_write]", "slow_write, dies]")
    script = Turns([uses(use("dies"), use("read_thing")), uses(use("read_thing")), says()])
    files = Files(servers=STDIO, playbook=playbook)
    async with house(tmp_path, town, script, files) as home:
        await home.ring(opened())
        run = await home.ended()
    states = {call["tool"]: call["state"] for call in run["tool_calls"]}
    assert states == {"dies": "unknown", "read_thing": "done"}
    assert home.executed("dies") == ["dies"]
    assert "outcome of this call is unknown" in str(results(script.asked[-1]))
    assert run["outcome"] == "needs_attention"
    assert run["reason"] == "writes of which nobody knows: 1"


async def test_a8_a_write_that_failed_and_was_never_made_good_is_named_as_what_needs_attention(
    tmp_path: Path, town: Town
) -> None:
    playbook = PLAYBOOK.replace("slow_write]", "slow_write], broken: [boom]")
    broken = f"broken:\n  command: [python, {SUPPORT / 'lab_server.py'}, {tmp_path / 'lab.log'}]\n"
    script = Turns([uses(ToolUse("broken__boom", {})), says()])
    files = Files(servers=STDIO + broken, playbook=playbook)
    async with house(tmp_path, town, script, files) as home:
        await home.ring(opened())
        run = await home.ended()
    assert [call["state"] for call in run["tool_calls"]] == ["failed"]
    assert (run["outcome"], run["reason"]) == (
        "needs_attention",
        "meant and not written: broken.boom",
    )


async def test_a3_a_mute_server_is_an_answer_in_words_for_a_read_and_for_a_write(
    tmp_path: Path, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    deadlines: dict[str, Any] = CallRequest.__init__.__kwdefaults__
    # The commit that lets a write leave is within it.
    monkeypatch.setitem(deadlines, "deadline", 3.0)
    never = 600.0
    script = Turns(
        [uses(use("slow_read", seconds=never), use("slow_write", seconds=never)), says()]
    )
    async with house(tmp_path, town, script) as home:
        await home.ring(opened())
        run = await home.ended()
    told = answered(script)
    assert "gave no answer in 3 attempts" in told["0 lab__slow_read"]
    assert "outcome of this call is unknown" in told["1 lab__slow_write"]
    assert len(home.executed("slow_read")) == 3
    assert len(home.executed("slow_write")) == 1
    assert run["outcome"] == "needs_attention"


async def test_a3_a_model_that_is_overloaded_or_broken_off_is_asked_again(
    tmp_path: Path, town: Town
) -> None:
    tries = iter([Fault(cut=Cut.DROP), Fault()])
    script = Turns([uses(use("write_thing", body="once")), lambda _: next(tries, says())])
    async with house(tmp_path, town, script) as home:
        await home.ring(opened())
        run = await home.ended()
    assert home.executed() == ["write_thing once"]
    assert (run["turns"], script.asked_for(1)) == (2, 3)
    assert run["spent"]["assumed_attempts"] == 1
