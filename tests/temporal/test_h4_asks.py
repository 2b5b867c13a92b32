"""H4, A5, A6: what a server asks in the middle of a call is a question to people, as the run's own are."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from orchestrator.agent.calling import eliciting
from orchestrator.demo.wire import ToolUse
from orchestrator.ledger import inputs
from tests.support.answers import PEOPLE, asked, comment, said
from tests.support.house import House, opened
from tests.support.later import Later, later
from tests.support.scripts import Turns, results, says, uses
from tests.support.town import Town, kill

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(150)]

LATER = uses(ToolUse("later__write_later", {"body": "hello"}))
FIRST = uses(ToolUse("later__write_first", {"body": "hello"}))


def answer(script: Turns) -> str:
    """What the only call was answered with, as the model saw it in the end."""
    (told,) = results(script.asked[-1]).values()
    return str(told)


async def activities(home: House) -> list[str]:
    """The activities of the only run, over all its parts, and what its histories say in words."""
    (run,) = await home.runs()
    found: list[str] = []
    async for part in home.client.list_workflows(f"WorkflowId = '{run['workflow_id']}'"):
        handle = home.client.get_workflow_handle(part.id, run_id=part.run_id)
        begun = [
            event.activity_task_scheduled_event_attributes.activity_type.name
            async for event in handle.fetch_history_events()
            if event.HasField("activity_task_scheduled_event_attributes")
        ]
        found += begun
    return found


async def histories(home: House) -> str:
    """Everything that Temporal keeps of the only run."""
    (run,) = await home.runs()
    parts = []
    async for part in home.client.list_workflows(f"WorkflowId = '{run['workflow_id']}'"):
        handle = home.client.get_workflow_handle(part.id, run_id=part.run_id)
        parts.append(str(await handle.fetch_history()))
    return "".join(parts)


async def wanted(there: Later) -> list[inputs.Input]:
    """What the server of the only call wants, as it is kept."""
    (run,) = await there.home.runs()
    call_id = next(one["id"] for one in run["tool_calls"] if inputs.ASKS not in one["id"])
    return await there.home.stores.ledger.read(inputs.of_call, run["id"], call_id)


async def test_h4_a6_what_a_task_asks_is_answered_by_a_person_and_told_to_its_server_once(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([LATER, says()])
    async with later(tmp_path, town, script, people=PEOPLE) as there:
        await there.home.ring(opened())
        await there.begun()
        assert await there.peer.tells("asks") == "True"
        await there.hints()
        (request,) = await asked(there.home)
        await there.home.until(lambda: _is_told(there.home, request.code), "the code")
        before = await activities(there.home)
        await comment(there.home, f"/answer {request.code} velvet")
        await comment(there.home, f"/answer {request.code} glossy")
        await there.home.until(lambda: _told(there), "the response")
        heard = json.loads(await there.peer.tells("heard"))
        await there.peer.tells("completed", "printed")
        await there.hints("now")
        run = await there.home.ended()
        text = await histories(there.home)
        (settled,) = await asked(there.home)
    assert heard == {"paper": {"action": "accept", "content": {"paper": "glossy"}}}
    assert (run["outcome"], settled.standing, settled.person) == ("completed", "answered", "ada")
    assert "printed" in answer(script)
    assert "ada answered what its server asked" in answer(script)
    assert before.count("look") == 1
    # Neither the question nor the answer stands in a history.
    assert "Which paper" not in text
    assert "glossy" not in text


async def _is_told(home: House, code: str) -> bool:
    (run,) = await home.runs()
    return code in str(run["reason"])


async def _told(there: Later) -> bool:
    return any(one.told_at is not None for one in await wanted(there))


async def test_h4_a_no_is_told_to_the_server_and_to_the_model(tmp_path: Path, town: Town) -> None:
    script = Turns([LATER, says()])
    async with later(tmp_path, town, script, people=PEOPLE) as there:
        await there.home.ring(opened())
        await there.begun()
        await there.peer.tells("asks")
        await there.hints()
        (request,) = await asked(there.home)
        await said(there.home, "deny", request.code, why="no paper today")
        await there.home.until(lambda: _told(there), "the response")
        heard = json.loads(await there.peer.tells("heard"))
        await there.peer.tells("completed", "not printed")
        await there.hints("now")
        run = await there.home.ended()
    assert heard == {"paper": {"action": "decline"}}
    assert run["outcome"] == "completed"
    assert "no paper today" in answer(script)


async def test_h4_who_answers_what_is_no_longer_asked_is_too_late(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([LATER, says()])
    async with later(tmp_path, town, script, people=PEOPLE) as there:
        await there.home.ring(opened())
        await there.begun()
        await there.peer.tells("asks")
        await there.hints()
        (request,) = await asked(there.home)
        await there.peer.tells("completed", "printed on what was there")
        await there.hints("never mind")
        run = await there.home.ended()
        late = await said(there.home, "answer", request.code, answer="glossy")
        reason = await there.home.until(lambda: _reason(there.home, late), "what came of it")
        (closed,) = await asked(there.home)
    assert (run["outcome"], closed.standing) == ("completed", "closed")
    assert "no longer wanted it" in answer(script)
    assert "too late, it is closed" in reason


async def _reason(home: House, event_id: str) -> str:
    decided = (await home.stores.inbox.decisions([event_id])).get(event_id, [])
    return " ".join(one.reason or "" for one in decided)


async def test_h4_a2_a_call_that_asks_first_is_made_once_when_a_person_has_answered(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([FIRST, says()])
    async with later(tmp_path, town, script, working=False, people=PEOPLE) as there:
        async with there.home.worker() as first:
            await there.home.ring(opened())
            (request,) = await asked(there.home)
            await there.home.one("waiting")
            await there.home.until(lambda: _is_told(there.home, request.code), "the code")
            assert there.peer.did == []
            await kill(first)
        there.peer.kill()
        await there.peer.start()
        await comment(there.home, f"/answer {request.code} matt")
        async with there.home.worker():
            run = await there.home.ended()
        states = [call["state"] for call in run["tool_calls"]]
        made = await activities(there.home)
        text = await histories(there.home)
        state = await there.home.stores.ledger.read(_state, run["id"])
    assert (run["outcome"], there.peer.did) == ("completed", ["write_first hello on matt"])
    assert states == ["done", "done"]
    assert "written on matt" in answer(script)
    assert made.count("later.write_first") == 2
    assert state
    assert state not in text


def _state(connection: Any, run_id: str) -> str | None:
    row = connection.execute(select(inputs.rounds.c.state).where(inputs.rounds.c.run_id == run_id))
    found: str | None = row.scalar_one()
    return found


async def test_a5_nobody_in_time_is_told_to_the_server_and_to_the_model(
    tmp_path: Path, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eliciting, "SERVERS", 3.0)
    script = Turns([FIRST, says()])
    async with later(tmp_path, town, script, people=PEOPLE) as there:
        await there.home.ring(opened())
        run = await there.home.ended()
        (request,) = await asked(there.home)
    assert (request.standing, there.peer.did) == ("expired", [])
    assert "Nobody answered in time" in answer(script)
    assert run["outcome"] == "needs_attention"


async def test_a8_a_run_that_is_called_off_asks_nobody_any_more(tmp_path: Path, town: Town) -> None:
    script = Turns([FIRST, says()])
    async with later(tmp_path, town, script, people=PEOPLE) as there:
        await there.home.ring(opened())
        await asked(there.home)
        run = await there.home.one("waiting")
        await there.home.say("cancel", run["id"])
        run = await there.home.ended()
        (request,) = await asked(there.home)
    assert (run["outcome"], request.standing, there.peer.did) == ("cancelled", "closed", [])
    assert {call["state"] for call in run["tool_calls"]} == {"refused"}
