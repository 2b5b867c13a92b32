"""`call:`: tool calls that no model chooses go the way of an agent's calls, with its promises and without its price."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.house import HTTP, STDIO, Files, House, house, opened
from tests.support.scripts import Turns, says
from tests.support.town import SUPPORT, Town, kill

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(90)]

HEAD = """\
work:
  id: HOUSE
  on: [github/issues.*]
  key: "issue:{{ event.repository.full_name }}#{{ event.issue.number }}"
  flow: {mode: queue}
  stage: STAGE
  call:
"""
READ = '    - {tool: lab.read_thing, args: {name: "{{ event.issue.title }}"}}\n'
WRITE = '    - {tool: lab.write_thing, args: {body: "Thanks for {{ event.issue.number }}."}}\n'
SLOW = "    - {tool: lab.slow_write, args: {seconds: 30}}\n"


def calling(*steps: str, **more: str) -> Files:
    """The files of a house whose rule calls these."""
    return Files(rule=HEAD + "".join(steps), **more)


def states(run: dict[str, Any]) -> list[tuple[str, str]]:
    return [(call["tool"], call["state"]) for call in run["tool_calls"]]


async def test_calls_are_made_in_their_order_and_no_model_is_asked(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([says()])
    async with house(tmp_path, town, script, calling(READ, WRITE, WRITE)) as home:
        await home.ring(opened())
        run = await home.ended()
    assert home.executed() == ["read_thing Issue 7", *["write_thing Thanks for 7."] * 2]
    assert script.asked == []
    assert states(run) == [("read_thing", "done"), *[("write_thing", "done")] * 2]
    assert (run["outcome"], run["playbook"]) == (
        "completed",
        "call: lab.read_thing, lab.write_thing",
    )
    assert (run["model"], run["scripted"], run["spent"]["usd"]) == ("none", False, 0.0)
    assert "<!-- doorbell:" in run["tool_calls"][1]["arguments"]["body"]


async def test_a8_a_preview_reads_and_records_the_writes_which_a_person_applies_exactly(
    tmp_path: Path, town: Town
) -> None:
    files = calling(READ, WRITE, stage="preview")
    async with house(tmp_path, town, Turns([says()]), files) as home:
        await home.ring(opened())
        run = await home.ended()
        assert home.executed() == ["read_thing Issue 7"]
        assert states(run) == [("read_thing", "done"), ("write_thing", "proposed")]
        assert run["outcome"] == "completed"
        said = [await home.say("apply", run["id"]), await home.say("apply", run["id"])]
        await home.until(lambda: home.executed("write"), "the write")
        await home.until(lambda: home.taken(said), "the claims")
        run = await home.run(run["id"])
    assert home.executed("write") == ["write_thing Thanks for 7."]
    made = {call["id"]: call["arguments"] for call in run["tool_calls"]}
    assert made["2.0:applied"] == made["2.0"]


def failing(tmp_path: Path, *steps: str) -> Files:
    """A house with one more server, whose `boom` fails in words."""
    server = SUPPORT / "lab_server.py"
    other = f"broken:\n  command: [python, {server}, {tmp_path / 'broken.log'}]\n"
    return calling(*steps, servers=HTTP + other)


async def test_a_call_that_fails_ends_the_run_with_the_reason_and_nothing_behind_it_is_made(
    tmp_path: Path, town: Town
) -> None:
    files = failing(tmp_path, READ, "    - {tool: broken.boom}\n", WRITE)
    async with house(tmp_path, town, Turns([says()]), files) as home:
        await home.ring(opened())
        run = await home.ended()
    assert home.executed() == ["read_thing Issue 7"]
    assert states(run) == [("read_thing", "done"), ("boom", "failed")]
    assert run["outcome"] == "needs_attention"
    assert run["reason"] == "call 2 of 3, broken.boom: failed; 1 more not made"
    assert "upstream said 503" in run["account"]


async def test_with_on_error_continue_the_rest_is_made_and_the_outcome_stays_honest(
    tmp_path: Path, town: Town
) -> None:
    files = failing(tmp_path, "    - {tool: broken.boom, on_error: continue}\n", WRITE)
    async with house(tmp_path, town, Turns([says()]), files) as home:
        await home.ring(opened())
        run = await home.ended()
    assert home.executed() == ["write_thing Thanks for 7."]
    assert states(run) == [("boom", "failed"), ("write_thing", "done")]
    assert run["outcome"] == "needs_attention"
    assert run["reason"] == "call 1 of 2, broken.boom: failed"
    assert run["account"].splitlines() == [
        "call 1 of 2, broken.boom: failed",
        "call 2 of 2, lab.write_thing: done",
    ]


async def test_arguments_that_do_not_fit_are_found_before_anything_is_half_done(
    tmp_path: Path, town: Town
) -> None:
    files = calling(WRITE, '    - {tool: lab.slow_write, args: {seconds: "{{ event.action }}"}}\n')
    async with house(tmp_path, town, Turns([says()]), files) as home:
        await home.ring(opened())
        run = await home.ended()
    assert home.executed() == []
    assert (run["tool_calls"], run["outcome"]) == ([], "needs_attention")
    assert run["reason"].startswith("call 2 of 2, lab.slow_write: its arguments don't fit")
    assert "'opened' is not of type 'number'" in run["account"]


async def test_r3_events_of_one_key_are_called_for_one_after_the_other_and_none_is_lost(
    tmp_path: Path, town: Town
) -> None:
    step = '    - {tool: lab.write_thing, args: {body: "{{ event.action }}"}}\n'
    actions = ["opened", "edited", "labeled", "closed", "reopened"]
    async with house(tmp_path, town, Turns([says()]), calling(step)) as home:
        await home.keep(*(home.arrival(opened(action=action)) for action in actions))
        runs = await home.settled("ended", len(actions))
    assert home.executed() == [f"write_thing {action}" for action in actions]
    assert {run["outcome"] for run in runs} == {"completed"}


async def test_a2_a_call_whose_worker_is_killed_after_it_left_is_never_sent_again(
    tmp_path: Path, town: Town
) -> None:
    files = calling(SLOW, WRITE)
    async with house(tmp_path, town, Turns([says()]), files, working=False) as home:
        await home.ring(opened())
        async with home.worker(DEADLINE="2") as first:
            await home.until(lambda: home.executed("slow_write"), "the write")
            await kill(first)
        async with home.worker():
            run = await home.ended()
    assert home.executed() == ["slow_write"]
    assert states(run) == [("slow_write", "unknown")]
    assert run["outcome"] == "needs_attention"
    assert run["reason"] == "call 1 of 2, lab.slow_write: unknown; 1 more not made"


async def killed_at(home: House, instant: str, **told: str) -> None:
    """Kill the first worker exactly there."""
    hold = home.directory / "hold"
    hold.touch()
    await home.ring(opened())
    async with home.worker(HOLD=str(hold), HOLD_AT=instant, **told) as first:
        await home.until(hold.with_suffix(".held").exists, instant)
        await kill(first)


async def test_a2_a_call_whose_worker_is_killed_before_it_was_sent_is_made_exactly_once(
    tmp_path: Path, town: Town
) -> None:
    files = calling(WRITE, READ, servers=STDIO)
    async with house(tmp_path, town, Turns([says()]), files, working=False) as home:
        await killed_at(home, "intended")
        assert home.executed() == []
        async with home.worker():
            run = await home.ended()
    assert home.executed() == ["write_thing Thanks for 7.", "read_thing Issue 7"]
    assert run["outcome"] == "completed"


async def test_a2_a_call_that_may_have_left_is_unknown_although_it_never_did(
    tmp_path: Path, town: Town
) -> None:
    async with house(tmp_path, town, Turns([says()]), calling(WRITE, READ), working=False) as home:
        await killed_at(home, "sent", DEADLINE="2")
        async with home.worker():
            run = await home.ended()
    assert home.executed() == []
    assert (states(run), run["outcome"]) == ([("write_thing", "unknown")], "needs_attention")


async def test_a1_a_worker_killed_between_two_calls_repeats_none_and_goes_on(
    tmp_path: Path, town: Town
) -> None:
    files = calling(WRITE, "    - {tool: lab.slow_read, args: {seconds: 1}}\n", WRITE)
    async with house(tmp_path, town, Turns([says()]), files, working=False) as home:
        await home.ring(opened())
        async with home.worker() as first:
            await home.until(lambda: home.executed("slow_read"), "the call between")
            await kill(first)
        async with home.worker():
            run = await home.ended()
    assert home.executed("write") == ["write_thing Thanks for 7."] * 2
    assert [state for _, state in states(run)] == ["done"] * 3
    assert run["outcome"] == "completed"


async def test_a_last_call_that_fails_is_no_success_either(tmp_path: Path, town: Town) -> None:
    files = failing(tmp_path, READ, "    - {tool: broken.boom}\n")
    async with house(tmp_path, town, Turns([says()]), files) as home:
        await home.ring(opened())
        run = await home.ended()
    assert run["outcome"] == "needs_attention"
    assert run["reason"] == "call 2 of 2, broken.boom: failed"
