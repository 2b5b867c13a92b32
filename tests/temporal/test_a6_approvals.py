"""A6: consent is for exactly one call with exactly those arguments, once, in time, and by those who may."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestrator.demo.wire import ToolUse
from orchestrator.ledger import approvals
from orchestrator.sources.source import OPERATOR
from tests.support.house import PLAYBOOK, Files, House, commented, house, opened
from tests.support.scripts import Answer, Request, Turns, results, says, use, uses, wait, words
from tests.support.town import Town, kill
from workflows import parking

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(90)]

ADA = 1
PEOPLE = """\
ada: {github: 1, roles: [maintainer]}
bob: {github: 2, operator: bob}
"""
WRITE = use("write_thing", body="Thank you.")


def files(approve: str = "{by: [role:maintainer, bob]}", **changes: Any) -> Files:
    asking = PLAYBOOK.replace(
        "lab.write_thing: {max: 5}", f"lab.write_thing: {{max: 5, approve: {approve}}}"
    )
    return Files(**{"playbook": asking, "people": PEOPLE, **changes})


async def asked(home: House, count: int = 1) -> list[approvals.Approval]:
    """What people are asked, once there is so much of it."""

    async def look() -> list[approvals.Approval] | None:
        found = [
            one
            for run in await home.runs()
            for one in await home.stores.ledger.read(approvals.of_run, run["id"])
        ]
        return found if len(found) >= count else None

    found: list[approvals.Approval] = await home.until(look, f"{count} requests")
    return found


async def say(home: House, word: str, code: str, by: str = "bob", **more: Any) -> str:
    """Somebody's word on the command line."""
    payload = {"type": f"run.{word}", "code": code, "by": by, **more}
    return (await home.keep(home.arrival(payload, source=OPERATOR)))[0]


async def comment(home: House, text: str, by: int = ADA) -> str:
    """Somebody's comment on the issue."""
    sender = {"login": f"user-{by}", "id": by, "type": "User"}
    payload = commented(text) | {"sender": sender}
    payload["comment"] = {"id": 1, "body": text, "user": sender, "author_association": "NONE"}
    return await home.ring(payload, "issue_comment")


def answer(script: Turns) -> str:
    """What the model was told of the last call it made."""
    return list(results(script.asked[-1]).values())[-1]


async def test_a6_a_call_waits_for_consent_and_is_made_once_whoever_repeats_it(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(use("read_thing"), WRITE), says()])
    async with house(tmp_path, town, script, files()) as home:
        await home.ring(opened())
        (request,) = await asked(home)
        run = await home.one("waiting")
        assert home.executed() == ["read_thing it"]
        assert request.code in run["reason"]
        await say(home, "approve", request.code)
        await say(home, "approve", request.code)
        run = await home.ended()
    assert home.executed("write") == ["write_thing Thank you."]
    assert answer(script) == "written"
    assert run["outcome"] == "completed"


async def test_a6_a_comment_of_a_maintainer_counts_and_wakes_nothing_else(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(WRITE), says()])
    async with house(tmp_path, town, script, files("{by: [role:maintainer]}")) as home:
        await home.ring(opened())
        (request,) = await asked(home)
        stranger = await comment(home, f"/approve {request.code}", by=9)
        foreign = await comment(home, "/approve ABCDEFGHIJ")
        meant = await comment(home, f"/approve {request.code}\n\nGo ahead.")
        run = await home.ended()
        found = await home.stores.inbox.decisions([stranger, foreign, meant])
    assert home.executed("write") == ["write_thing Thank you."]
    assert [one.action for one in found[stranger]] == ["ignore"]
    assert "isn't in people.yaml" in found[stranger][0].reason
    assert [one.cause for one in found[foreign]] == ["doorbell:others"]
    assert [(one.action, one.cause) for one in found[meant]] == [("control", "doorbell:answer")]
    assert run["events"] == run["events"][:1]
    assert run["outcome"] == "completed"


async def test_a6_a_no_is_told_to_the_model_with_its_reason_and_the_outcome_says_so(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(WRITE), says()])
    async with house(tmp_path, town, script, files()) as home:
        await home.ring(opened())
        (request,) = await asked(home)
        await comment(home, f"/deny {request.code} not in this thread")
        run = await home.ended()
        (said,) = await home.stores.ledger.read(approvals.words_of, request.approval_id)
    assert home.executed() == []
    assert answer(script).startswith("ada refused this call of lab.write_thing; it was not made.")
    assert '"not in this thread"' in answer(script)
    assert [call["state"] for call in run["tool_calls"]] == ["denied"]
    assert run["outcome"] == "completed_with_denials"
    assert said.became == "denied"


async def test_a6_what_a_person_changes_is_what_is_sent_and_what_does_not_fit_changes_nothing(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(WRITE), says()])
    async with house(tmp_path, town, script, files()) as home:
        await home.ring(opened())
        (request,) = await asked(home)
        wrong = await say(home, "approve", request.code, args={"body": 7})
        await home.until(lambda: home.taken([wrong]), "the word that doesn't fit")
        await say(home, "approve", request.code, args={"body": "Thanks, all."})
        run = await home.ended()
        first, second = await home.stores.ledger.read(approvals.words_of, request.approval_id)
        (changed,) = await asked(home)
    assert home.executed() == ["write_thing Thanks, all."]
    assert (first.became or "").startswith("refused: The call of lab__write_thing was not made")
    assert second.became == "approved"
    assert changed.digest != request.digest
    assert changed.before is not None
    assert changed.before["body"].startswith("Thank you.")
    assert run["tool_calls"][0]["arguments"]["body"].count("<!-- doorbell:") == 1
    assert answer(script).startswith("bob consented with changes")


async def test_a6_nobody_in_time_is_a_no(tmp_path: Path, town: Town) -> None:
    script = Turns([uses(WRITE), says()])
    async with house(tmp_path, town, script, files("{ttl: 1s}")) as home:
        await home.ring(opened())
        run = await home.ended()
        (request,) = await asked(home)
        late = await say(home, "approve", request.code)
        await home.until(lambda: _decided(home, late), "the late word")
        (decision,) = (await home.stores.inbox.decisions([late]))[late]
    assert home.executed() == []
    assert "Nobody consented to this call" in answer(script)
    assert run["outcome"] == "completed_with_denials"
    assert decision.reason == f"approve {request.code}: too late, it is expired"


async def test_a6_nobody_in_time_fails_the_run_where_the_playbook_says_so(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(WRITE, use("read_thing")), says()])
    async with house(tmp_path, town, script, files("{ttl: 1s, on_timeout: fail}")) as home:
        await home.ring(opened())
        run = await home.ended()
    assert home.executed() == ["read_thing it"]
    assert run["outcome"] == "failed"
    assert run["reason"].startswith("nobody answered in time: consent to lab.write_thing")
    assert len(script.asked) == 1


async def test_a6_nobody_in_time_parks_the_run_and_a_person_who_resumes_it_is_asked_again(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(WRITE), says()])
    async with house(tmp_path, town, script, files("{ttl: 6s, on_timeout: park}")) as home:
        await home.ring(opened())
        run = await home.one("parked")
        assert [call["state"] for call in run["tool_calls"]] == ["pending"]
        await home.say("resume", run["id"])
        first, second = await asked(home, 2)
        assert first.code != second.code
        await say(home, "approve", second.code, by="anybody")
        run = await home.ended()
    assert home.executed() == ["write_thing Thank you."]
    assert run["outcome"] == "completed"


@pytest.mark.parametrize("mode", ["signal", "supersede"])
async def test_a6_a_run_that_is_called_off_asks_nobody_any_more(
    tmp_path: Path, town: Town, mode: str
) -> None:
    script = Turns([uses(WRITE, use("ask_nobody")), says()])
    newer = Turns([says()])
    both = Either(first=script, then=newer)
    async with house(tmp_path, town, both, files(mode=mode)) as home:
        await home.ring(opened())
        (request,) = await asked(home)
        run = await home.one("waiting")
        if mode == "signal":
            await home.say("cancel", run["id"])
        else:
            both.over = True
            await home.ring(opened(action="edited"))
        await home.settled("ended", 1 if mode == "signal" else 2)
        run = await home.run(run["id"])
        late = await say(home, "approve", request.code)
        await home.until(lambda: _decided(home, late), "the late word")
        (closed,) = await asked(home)
    assert home.executed() == []
    assert closed.standing == "closed"
    assert {call["state"] for call in run["tool_calls"]} == {"refused"}
    assert run["outcome"] == ("cancelled" if mode == "signal" else "superseded")


async def test_a6_what_is_asked_outlives_a_continue_as_new_and_events_wait_for_the_answer(
    tmp_path: Path, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parking, "HISTORY_LIMIT", 45)
    script = Turns([uses(use("read_thing"), WRITE), says()])
    async with house(tmp_path, town, script, files()) as home:
        await home.ring(opened())
        (request,) = await asked(home)
        run = await home.one("waiting")
        notes = [
            await home.ring(opened(action="labeled", note=f"note {number};")) for number in range(8)
        ]
        await home.until(lambda: _parts(home, run["workflow_id"]), "a continue-as-new")
        await home.until(lambda: _delivered(home, notes), "the notes in the mailbox")
        await say(home, "approve", request.code)
        run = await home.ended()
        assert await asked(home) == [await _settled(home, request)]
    assert home.executed() == ["read_thing it", "write_thing Thank you."]
    assert [words(script.asked[-1]).count(f"note {number};") for number in range(8)] == [1] * 8
    assert run["outcome"] == "completed"


async def test_a6_each_of_two_calls_is_made_as_soon_as_somebody_consents_to_it(
    tmp_path: Path, town: Town
) -> None:
    both = uses(use("write_thing", body="one"), use("write_thing", body="two"))
    script = Turns([both, says()])
    async with house(tmp_path, town, script, files()) as home:
        await home.ring(opened())
        first, second = sorted(await asked(home, 2), key=lambda one: one.call_id)
        await say(home, "approve", second.code)
        await home.until(lambda: home.executed("write") == ["write_thing two"], "the second")
        await home.until(lambda: _waits_for(home, first.code), "the first alone")
        await say(home, "deny", first.code)
        run = await home.ended()
    assert home.executed("write") == ["write_thing two"]
    assert sorted(call["state"] for call in run["tool_calls"]) == ["denied", "done"]


async def test_a6_a_condition_over_the_arguments_says_which_calls_are_asked_about(
    tmp_path: Path, town: Town
) -> None:
    approve = """{when: "args.body.contains('refund')"}"""
    both = uses(use("write_thing", body="hello"), use("write_thing", body="a refund"))
    script = Turns([both, says()])
    async with house(tmp_path, town, script, files(approve)) as home:
        await home.ring(opened())
        (request,) = await asked(home)
        await home.until(lambda: home.executed("write"), "the call nobody has to look at")
        await say(home, "approve", request.code)
        await home.ended()
    assert home.executed("write") == ["write_thing hello", "write_thing a refund"]


@pytest.mark.parametrize("state", ["ended", "waiting"])
async def test_a6_a_preview_asks_nobody_until_somebody_applies_it(
    tmp_path: Path, town: Town, state: str
) -> None:
    ends = says() if state == "ended" else uses(wait("github/issue_comment.created"))
    script = Turns([uses(WRITE), ends])
    async with house(tmp_path, town, script, files(stage="preview")) as home:
        await home.ring(opened())
        run = await home.one(state)
        assert await home.stores.ledger.read(approvals.of_run, run["id"]) == []
        await home.say("apply", run["id"])
        (request,) = await asked(home)
        assert home.executed() == []
        await say(home, "approve", request.code)
        await home.until(lambda: home.executed("write"), "the applied call")
    assert home.executed("write") == ["write_thing Thank you."]


@pytest.mark.parametrize("instant", ["pending", "approved", "intended"])
async def test_a6_a_worker_killed_around_the_answer_leaves_one_write(
    tmp_path: Path, town: Town, instant: str
) -> None:
    script = Turns([uses(WRITE), says()])
    hold = tmp_path / "hold"
    async with house(tmp_path, town, script, files(), working=False) as home:
        await home.ring(opened())
        async with home.worker(HOLD=str(hold), HOLD_AT="intended") as first:
            (request,) = await asked(home)
            await home.one("waiting")
            if instant == "intended":
                hold.touch()
            if instant == "pending":
                await kill(first)
            await say(home, "approve", request.code)
            if instant == "approved":
                await home.until(lambda: _standing(home, "approved"), "the consent")
                await kill(first)
            if instant == "intended":
                await home.until(hold.with_suffix(".held").exists, instant)
                await kill(first)
        async with home.worker():
            run = await home.ended()
    assert home.executed("write") == ["write_thing Thank you."]
    assert run["outcome"] == "completed"


async def test_a6_a_question_is_answered_in_its_form_by_those_who_may(
    tmp_path: Path, town: Town
) -> None:
    question = ask(
        "Which label?", answer={"type": "string", "enum": ["bug", "question"]}, to=["ada"]
    )
    script = Turns([uses(question), says()])
    async with house(tmp_path, town, script, files()) as home:
        await home.ring(opened())
        (request,) = await asked(home)
        run = await home.one("waiting")
        assert request.tool == ""
        wrong = await comment(home, f"/answer {request.code} whatever")
        await home.until(lambda: home.taken([wrong]), "the answer that doesn't fit")
        await comment(home, f"/answer {request.code} bug")
        run = await home.ended()
    assert answer(script) == 'ada answers: "bug"'
    assert run["outcome"] == "completed"


@dataclass
class Either:
    """One script until it is over, then another."""

    first: Turns
    then: Turns
    over: bool = False

    def reply(self, request: Request) -> Answer:
        return (self.then if self.over else self.first).reply(request)


async def _parts(home: House, workflow_id: str) -> bool:
    query = f"WorkflowId = '{workflow_id}'"
    return len([part async for part in home.client.list_workflows(query)]) > 1


async def _settled(home: House, request: approvals.Approval) -> approvals.Approval:
    return await home.stores.ledger.read(approvals.one, request.approval_id)


def ask(question: str, **more: Any) -> ToolUse:
    return ToolUse("doorbell__ask", {"question": question, **more})


async def _waits_for(home: House, code: str) -> bool:
    reason = (await home.one("waiting"))["reason"]
    return reason.count("code") == 1 and code in reason


async def _decided(home: House, event_id: str) -> bool:
    return bool((await home.stores.inbox.decisions([event_id]))[event_id])


async def _delivered(home: House, event_ids: list[str]) -> bool:
    found = await home.stores.inbox.decisions(event_ids)
    return all(listed and all(one.delivered_at for one in listed) for listed in found.values())


async def _standing(home: House, standing: str) -> bool:
    return all(one.standing == standing for one in await asked(home))
