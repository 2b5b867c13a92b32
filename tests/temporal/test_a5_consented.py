"""A5 and A6 together: a call that people consent to and an event answers, made by its run or applied later."""

from pathlib import Path

import pytest

from orchestrator.ledger import approvals, calls
from orchestrator.ledger.approvals import Approval
from orchestrator.sources.source import OPERATOR
from tests.support.deploying import DEPLOY, PLAYBOOK, RULE, Deploying, deploying
from tests.support.scripts import Turns, results, says, uses, wait, words
from tests.support.town import Town, kill

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(120)]

ASKING = PLAYBOOK.replace("{max: 1}", "{max: 1, approve: {by: [bob], ttl: 2h}}")
PREVIEW = RULE.replace("STAGE", "preview")
FAN_OUT = PREVIEW.replace("issues.opened", "issue*")
BOB = "bob: {operator: bob}\n"


async def asked(there: Deploying) -> Approval:
    """What people are asked, once they are."""

    async def look() -> Approval | None:
        for run in await there.home.runs():
            for one in await there.home.stores.ledger.read(approvals.of_run, run["id"]):
                return one
        return None

    found: Approval = await there.home.until(look, "a request")
    return found


async def say(there: Deploying, word: str, code: str) -> str:
    """Bob's word on the command line."""
    payload = {"type": f"run.{word}", "code": code, "by": "bob"}
    return (await there.home.keep(there.home.arrival(payload, source=OPERATOR)))[0]


async def parked(there: Deploying) -> None:
    """Until the call is made and its run waits for the event."""

    async def waits() -> bool:
        (run,) = await there.home.runs()
        return run["state"] == "waiting" and "deployment_status" in run["reason"]

    await there.home.until(waits, "a wait for the deployment's event")


async def applied(there: Deploying, text: str) -> calls.Call:
    """The call that somebody applied, once its answer says this."""

    async def look() -> calls.Call | None:
        for run in await there.home.runs():
            for one in await there.home.stores.ledger.read(calls.of_run, run["id"]):
                if one.turn == 0 and text in str(one.content):
                    return one
        return None

    found: calls.Call = await there.home.until(look, text)
    return found


def told(script: Turns) -> str:
    """What the only call was answered with."""
    (said,) = results(script.asked[-1]).values()
    return said


async def test_a5_a6_asked_consented_called_parked_and_woken(tmp_path: Path, town: Town) -> None:
    script = Turns([uses(DEPLOY), says()])
    async with deploying(tmp_path, town, script, playbook=ASKING, people=BOB) as there:
        await there.starts()
        request = await asked(there)
        assert there.peer.state.deployments == {}
        await say(there, "approve", request.code)
        await parked(there)
        await there.says("in_progress")
        await there.says("success")
        run = await there.home.ended()
        assert await there.ends() == ["resolved"]
    assert (len(there.peer.state.deployments), run["outcome"], run["turns"]) == (1, "completed", 2)
    assert '"state":"success"' in told(script).partition("<event>")[2]


@pytest.mark.parametrize("how", ["denied", "expired"])
async def test_a6_a5_without_a_yes_nothing_is_called_and_nothing_waited_for(
    tmp_path: Path, town: Town, how: str
) -> None:
    script = Turns([uses(DEPLOY), says()])
    asking = ASKING.replace("ttl: 2h", "ttl: 1s") if how == "expired" else ASKING
    async with deploying(tmp_path, town, script, playbook=asking, people=BOB) as there:
        await there.starts()
        if how == "denied":
            await say(there, "deny", (await asked(there)).code)
        run = await there.home.ended()
        assert await there.ends() == []
    assert there.peer.state.deployments == {}
    assert run["outcome"] == "completed_with_denials"
    assert "<event>" not in told(script)


async def test_a6_a5_a_worker_killed_while_people_are_asked_and_another_after_the_call_deploys_once(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(DEPLOY), says()])
    said = {"playbook": ASKING, "people": BOB}
    async with deploying(tmp_path, town, script, working=False, **said) as there:
        hold = there.home.directory / "hold"
        hold.touch()
        await there.starts()
        async with there.home.worker() as first:
            request = await asked(there)
            await there.home.one("waiting")
            await kill(first)
        await say(there, "approve", request.code)
        async with there.home.worker(HOLD=str(hold), HOLD_AT="answered") as second:
            await there.home.until(hold.with_suffix(".held").exists, "the instant")
            # Nobody waits yet but the one that was prepared: the event is found by looking back.
            await there.says("success")
            await kill(second)
        async with there.home.worker():
            run = await there.home.ended()
        assert await there.ends() == ["resolved"]
    assert (len(there.peer.state.deployments), run["outcome"]) == (1, "completed")
    assert told(script).count("<event>") == 1


async def test_a5_a_proposal_that_is_applied_after_its_conversation_hears_its_event(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(DEPLOY), says()])
    async with deploying(tmp_path, town, script, rule=PREVIEW) as there:
        await there.starts()
        run = await there.home.ended()
        await there.home.say("apply", run["id"])
        call = await applied(there, "A person applied this")
        assert 'github/deployment_status.* for "deployment:' in str(call.content)
        await there.says("in_progress")
        last = await there.says("success")
        call = await applied(there, "This event answers the call")
        late = await there.says("inactive")
        assert f"late: run {run['id']} waited" in "; ".join(await there.reasons(late))
        assert await there.ends() == ["resolved"]
    assert (call.state, len(there.peer.state.deployments)) == ("done", 1)
    assert last in str(call.content)
    assert len(script.asked) == 2


async def test_a5_a_conversation_that_is_open_is_told_of_the_event_of_what_was_applied(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(DEPLOY), uses(wait("github/issue_comment.created")), says()])
    async with deploying(tmp_path, town, script, rule=FAN_OUT) as there:
        await there.starts()
        run = await there.home.one("waiting")
        await there.home.say("apply", run["id"])
        await applied(there, "A person applied this")
        last = await there.says("success")
        run = await there.home.ended()
        assert sorted(await there.ends()) == ["interrupted", "resolved"]
    assert last in run["events"]
    assert words(script.asked[-1]).count('"state":"success"') == 1


async def test_a5_a_worker_killed_after_an_applied_call_loses_neither_it_nor_its_event(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(DEPLOY), says()])
    async with deploying(tmp_path, town, script, rule=PREVIEW, working=False) as there:
        hold = there.home.directory / "hold"
        await there.starts()
        async with there.home.worker():
            run = await there.home.ended()
        hold.touch()
        await there.home.say("apply", run["id"])
        async with there.home.worker(HOLD=str(hold), HOLD_AT="answered") as first:
            await there.home.until(hold.with_suffix(".held").exists, "the instant")
            await there.says("success")
            await kill(first)
        async with there.home.worker():
            await applied(there, "This event answers the call")
        assert await there.ends() == ["resolved"]
    assert len(there.peer.state.deployments) == 1


async def test_a6_a5_a_proposal_people_must_consent_to_is_asked_about_applied_and_answered(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(DEPLOY), says()])
    async with deploying(
        tmp_path, town, script, playbook=ASKING, people=BOB, rule=PREVIEW
    ) as there:
        await there.starts()
        run = await there.home.ended()
        await there.home.say("apply", run["id"])
        request = await asked(there)
        assert there.peer.state.deployments == {}
        await say(there, "approve", request.code)
        await applied(there, "A person applied this")
        await there.says("failure")
        await applied(there, "This event answers the call")
    assert len(there.peer.state.deployments) == 1
