"""A5: who waits long sleeps in the prologue and wakes in the code of the day; neither hop loses anything."""

from pathlib import Path

import pytest
from temporalio.client import WorkflowExecutionStatus

from orchestrator.ledger import approvals
from orchestrator.sources.source import OPERATOR
from tests.support.house import PLAYBOOK, Files, House, commented, house, opened
from tests.support.scripts import Turns, results, says, use, uses, wait
from tests.support.sleepers import asleep, given, lived, newest, size
from tests.support.town import Town
from workflows import parking

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(120)]

REPLY = uses(use("read_thing"), wait("github/issue_comment.created"))
CONSENT = PLAYBOOK.replace(
    "lab.write_thing: {max: 5}", "lab.write_thing: {max: 5, approve: {by: [ada]}}"
)
PEOPLE = "ada: {operator: ada}\n"


def last(script: Turns) -> str:
    """What the model was told of the last call it made."""
    return list(results(script.asked[-1]).values())[-1]


async def test_a5_the_history_of_who_waits_long_is_short_and_a_callback_wakes_it(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([*[uses(use("read_thing"))] * 4, REPLY, says()])
    async with house(tmp_path, town, script) as home:
        await home.ring(opened())
        workflow_id = await asleep(home)
        before, sleeping = await lived(home, workflow_id, 2)
        sizes = [await size(before), await size(sleeping)]
        events = len([event async for event in sleeping.fetch_history_events()])
        await home.ring(commented("the answer"), "issue_comment")
        run = await home.ended()
        assert len(await lived(home, workflow_id, 3)) == 3
    assert sizes[1] < sizes[0] / 3
    assert events <= 5
    assert (run["outcome"], run["turns"], len(run["events"])) == ("completed", 6, 2)
    # What the turn did before its wait is not begun again by whoever wakes.
    assert home.executed() == ["read_thing it"] * 5
    assert "the answer" in last(script)


async def test_a5_a_sleep_ends_with_its_time(
    tmp_path: Path, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parking, "LONG", 0.5)
    script = Turns([uses(wait("github/issue_comment.created", timeout="3s")), says()])
    async with house(tmp_path, town, script) as home:
        await home.ring(opened())
        run = await home.ended()
        assert len(await lived(home, run["workflow_id"], 3)) == 3
    assert run["outcome"] == "completed"
    assert "Nothing came before the timeout" in last(script)


async def test_a6_a_word_wakes_who_waits_for_consent_and_the_call_is_made_once(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(use("read_thing"), use("write_thing", body="x")), says()])
    async with house(tmp_path, town, script, Files(playbook=CONSENT, people=PEOPLE)) as home:
        await home.ring(opened())
        await asleep(home)
        (run,) = await home.runs()
        (request,) = await home.stores.ledger.read(approvals.of_run, run["id"])
        payload = {"type": "run.approve", "code": request.code, "by": "ada"}
        await home.keep(home.arrival(payload, source=OPERATOR))
        run = await home.ended()
    assert run["outcome"] == "completed"
    assert home.executed() == ["read_thing it", "write_thing x"]


async def test_a8_a_persons_cancel_wakes_and_every_call_is_answered(
    tmp_path: Path, town: Town
) -> None:
    async with house(tmp_path, town, Turns([REPLY, says()])) as home:
        await home.ring(opened())
        await asleep(home)
        (run,) = await home.runs()
        await home.say("cancel", run["id"])
        run = await home.ended()
    assert (run["outcome"], run["reason"]) == ("cancelled", "cancelled by a person")
    assert "intended" not in {call["state"] for call in run["tool_calls"]}


async def test_a8_a_cancel_in_temporal_itself_ends_a_sleeper_in_the_ledger_too(
    tmp_path: Path, town: Town
) -> None:
    async with house(tmp_path, town, Turns([REPLY, says()])) as home:
        await home.ring(opened())
        handle = home.client.get_workflow_handle(await asleep(home))
        await handle.cancel()
        run = await home.ended()
        await home.until(lambda: _closed(handle), "its end in Temporal")
        described = await handle.describe()
    assert (run["outcome"], run["reason"]) == ("cancelled", "cancelled in Temporal")
    assert "intended" not in {call["state"] for call in run["tool_calls"]}
    assert described.status is WorkflowExecutionStatus.CANCELED


async def test_r3_a_newer_event_wakes_and_supersedes_who_sleeps(tmp_path: Path, town: Town) -> None:
    async with house(tmp_path, town, Turns([REPLY, says()]), Files(mode="supersede")) as home:
        await home.ring(opened())
        await asleep(home)
        await home.ring(opened(action="labeled"))
        await home.until(lambda: _count(home, 2), "the second conversation")
        first, _ = await home.runs()
    assert first["outcome"] == "superseded"
    assert {call["state"] for call in first["tool_calls"]} == {"done"}


async def test_r3_what_only_waits_for_its_turn_wakes_nobody(tmp_path: Path, town: Town) -> None:
    script = Turns([REPLY, says()])
    async with house(tmp_path, town, script, Files(mode="queue")) as home:
        await home.ring(opened())
        workflow_id = await asleep(home)
        sleeping = await newest(home, workflow_id)
        second = await home.ring(opened(action="labeled"))
        await home.until(lambda: _delivered(home, second), "its delivery")
        await home.ring(commented("the answer"), "issue_comment")
        await home.until(lambda: _count(home, 2), "the next conversation")
        first, after = await home.runs()
        woken = (await lived(home, workflow_id, 3))[2]
        mail = (await given(home, woken)).mail
    assert (kinds(mail), first["outcome"]) == (["event", "woken"], "completed")
    assert after["events"] == [second]
    assert sleeping.run_id != woken.run_id


async def test_a8_who_is_parked_hears_a_persons_word_in_its_sleep(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(use("write_thing", body="x")), uses(use("read_thing")), says()])
    files = Files(playbook=PLAYBOOK.replace("turns: 60", "turns: 1"))
    async with house(tmp_path, town, script, files) as home:
        await home.ring(opened())
        await asleep(home)
        (run,) = await home.runs()
        assert run["state"] == "parked"
        playbook = home.directory / "doorbell.d" / "playbooks" / "work.md"
        playbook.write_text(playbook.read_text().replace("turns: 1", "turns: 60"))
        await home.say("resume", run["id"])
        run = await home.ended()
    assert (run["outcome"], run["turns"]) == ("completed", 3)
    assert home.executed("write") == ["write_thing x"]


async def test_r3_who_gathers_long_sleeps_and_folds_all_that_came(
    tmp_path: Path, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parking, "LONG", 0.5)
    mode = "signal, coalesce: {quiet: 3s, within: 20s}"
    async with house(tmp_path, town, Turns([says()]), Files(mode=mode)) as home:
        ids = [await home.ring(opened())]
        ids.append(await home.ring(opened(action="labeled")))
        run = await home.ended()
        assert await home.taken(ids)
        begun = [await given(home, one) for one in await lived(home, run["workflow_id"], 3)]
    assert [one.asleep is not None for one in begun[:2]] == [False, True]
    assert run["events"] == ids[1:]


def kinds(mail) -> list[str]:
    return [str(entry.kind) for entry in mail]


async def _count(home: House, count: int) -> bool:
    return len(await home.runs()) >= count


async def _closed(handle) -> bool:
    return (await handle.describe()).status is not WorkflowExecutionStatus.RUNNING


async def _delivered(home: House, event_id: str) -> bool:
    found = await home.stores.inbox.decisions([event_id])
    return any(str(decision.state) == "delivered" for decision in found[event_id])
