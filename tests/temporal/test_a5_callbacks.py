"""A5: an ordinary tool made call-now-fetch-later: after the call its run sleeps until the webhook that answers it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog

from orchestrator.demo.wire import Reply, ToolUse
from orchestrator.tending import lapsing
from tests.support.deploying import DEPLOY, PLAYBOOK, RULE, Deploying, acme, deploying
from tests.support.house import House
from tests.support.scripts import Turns, results, says, uses, wait, words
from tests.support.sleepers import lived
from tests.support.town import Town, kill
from workflows import parking

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(120)]

COMMENT = uses(wait("github/issue_comment.created"))
FAN_OUT = RULE.replace("issues.opened", "issues.*")


def answers(script: Turns) -> Sequence[str]:
    """What the calls were answered with, as the model saw it in the end."""
    return list(results(script.asked[-1]).values())


async def decided(there: Deploying, event_id: str) -> str:
    """All that was decided about an event."""
    return "; ".join(await there.reasons(event_id))


async def test_a5_the_example_of_the_design_sleeps_until_its_deployment_has_ended(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(DEPLOY), says()])
    async with deploying(tmp_path, town, script) as there:
        await there.starts()
        waiting = await there.home.one("waiting")
        first = await there.says("in_progress")
        assert f"ignore: run {waiting['id']} still waits" in await decided(there, first)
        assert (await there.home.one("waiting"))["id"] == waiting["id"]
        last = await there.says("success")
        run = await there.home.ended()
        (number,) = there.peer.state.deployments
        late = await there.says("inactive")
        assert f"ignore: late: run {run['id']} waited" in await decided(there, late)
    assert (run["id"], run["outcome"], run["turns"]) == (waiting["id"], "completed", 2)
    (said,) = answers(script)
    assert f'"id":{number}' in said
    assert f"{first} (github/deployment_status.created" in said
    assert '"state":"success"' in said.partition("<event>")[2]
    assert "in_progress" not in said
    assert run["events"][1:] == [first, last]


@pytest.mark.parametrize("instant", ["answered", "waiting"])
async def test_a5_a_callback_that_came_while_its_worker_was_dead_is_found_and_nothing_is_deployed_twice(
    tmp_path: Path, town: Town, instant: str
) -> None:
    """At `answered` nobody waits yet, at `waiting` only the ledger does: Temporal knows of neither."""
    script = Turns([uses(DEPLOY), says()])
    async with deploying(tmp_path, town, script, working=False) as there:
        hold = there.home.directory / "hold"
        hold.touch()
        await there.starts()
        async with there.home.worker(HOLD=str(hold), HOLD_AT=instant) as first:
            await there.home.until(hold.with_suffix(".held").exists, "the instant")
            early = [await there.says("in_progress"), await there.says("success")]
            for event_id in early:
                await decided(there, event_id)
            await kill(first)
        async with there.home.worker():
            run = await there.home.ended()
        assert await there.ends() == ["resolved"]
    assert (len(there.peer.state.deployments), run["outcome"]) == (1, "completed")
    (said,) = answers(script)
    assert said.count("<event>") == 1
    assert run["events"][1:] == early


async def test_a5_two_calls_of_one_turn_are_each_answered_by_their_own_event(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(DEPLOY, ToolUse(DEPLOY.name, {"environment": "qa"})), says()])
    playbook = PLAYBOOK.replace("{max: 1}", "{max: 2}")
    async with deploying(tmp_path, town, script, playbook=playbook) as there:
        await there.starts()
        await there.home.one("waiting")
        for number, word in zip(
            reversed(there.peer.state.deployments), ("failure", "success"), strict=True
        ):
            await there.says(word, number)
        await there.home.ended()
        made = {
            str(number): one["environment"] for number, one in there.peer.state.deployments.items()
        }
    for said in answers(script):
        call, _, event = said.partition("<event>")
        (number,) = [number for number in made if f'"id":{number}' in call]
        assert f'"environment":"{made[number]}"' in call
        assert (
            f'"deployment":{{"url":"https://api.github.com/repos/acme/api/deployments/{number}"'
            in event
        )


async def test_a5_a_callback_that_never_comes_is_a_result_and_its_event_is_late(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(DEPLOY), says()])
    playbook = PLAYBOOK.replace("timeout: 2h", "timeout: 1s")
    async with deploying(tmp_path, town, script, playbook=playbook) as there:
        await there.starts()
        run = await there.home.ended()
        assert await there.ends() == ["expired"]
        late = await there.says("success")
        assert f"ignore: late: run {run['id']} waited" in await decided(there, late)
    assert run["outcome"] == "completed"
    assert "did not come within 0:00:01" in answers(script)[0]


async def test_a5_what_interrupts_a_callback_is_heard_and_the_callback_is_handed_in_later(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(DEPLOY), COMMENT, says()])
    async with deploying(tmp_path, town, script, rule=FAN_OUT) as there:
        await there.starts()
        await there.home.one("waiting")
        other = await there.knock(("issues", acme("issues.labeled")))
        await there.home.until(lambda: script.asked_for(1), "the turn after the interruption")
        await there.home.one("waiting")
        last = await there.says("success")
        run = await there.home.ended()
        assert sorted(await there.ends()) == ["interrupted", "resolved"]
    assert run["events"][1:] == [other, last]
    assert "Something else came first" in answers(script)[0]
    assert words(script.asked[-1]).count('"state":"success"') == 1


@pytest.mark.parametrize("then", [COMMENT, says(delay=10.0)], ids=["waits", "at work"])
async def test_a5_a_conversation_that_is_open_is_told_that_what_was_interrupted_never_came(
    tmp_path: Path, town: Town, then: Reply
) -> None:
    script = Turns([uses(DEPLOY), then, says()])
    async with deploying(tmp_path, town, script, rule=FAN_OUT) as there:
        home = there.home
        await there.starts()
        await home.one("waiting")
        await there.knock(("issues", acme("issues.labeled")))
        await home.until(lambda: script.asked_for(1), "the turn after the interruption")
        if then is COMMENT:
            await home.one("waiting")
        assert await lapses(home, timedelta(hours=1)) == 0
        await home.until(lambda: lapses(home, timedelta(hours=3)), "the end of its time")
        run = await home.ended()
        assert await lapses(home, timedelta(hours=3)) == 0
        late = await there.says("success")
        assert "ignore: late" in await decided(there, late)
        ends = await there.ends()
    assert sorted(ends) == (["expired", "interrupted"] if then is COMMENT else ["expired"])
    assert words(script.asked[-1]).count("did not come within 2:00:00") == 1
    assert (run["outcome"], run["turns"]) == ("completed", 3)


async def lapses(home: House, later: timedelta) -> int:
    """How much of what the house waits for has no time left by then."""
    stores, log = home.stores, structlog.get_logger("house")
    now = datetime.now(UTC) + later
    return await lapsing.lapse_some(stores.inbox, stores.ledger, now, home.dispatcher.poke, log)


async def test_a5_a_wait_outlives_a_continue_as_new(
    tmp_path: Path, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Turns([uses(DEPLOY), says()])
    async with deploying(tmp_path, town, script, rule=FAN_OUT) as there:
        await there.starts()
        await there.home.one("waiting")
        monkeypatch.setattr(parking, "HISTORY_LIMIT", 10)
        strange = await there.home.say("resume", "nobody.1")
        await there.reasons(strange)
        await there.says("success")
        run = await there.home.ended()
        assert await there.ends() == ["resolved"]
        await lived(there.home, run["workflow_id"], 2)
    assert (len(there.peer.state.deployments), run["turns"]) == (1, 2)
    assert answers(script)[0].count("<event>") == 1


async def test_a3_a_run_that_is_cancelled_while_it_waits_for_a_callback_has_answered_its_call(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(DEPLOY), says()])
    async with deploying(tmp_path, town, script) as there:
        await there.starts()
        run = await there.home.one("waiting")
        await there.home.say("cancel", run["id"])
        run = await there.home.ended()
        assert await there.ends() == ["closed"]
        late = await there.says("success")
        assert f"ignore: late: run {run['id']} waited" in await decided(there, late)
    assert run["outcome"] == "cancelled"
    assert [call["state"] for call in run["tool_calls"]] == ["done"]


async def test_a2_a_deployment_of_which_nobody_knows_is_told_as_that_and_waited_for_by_nobody(
    tmp_path: Path, town: Town
) -> None:
    script = Turns([uses(DEPLOY), says()])
    async with deploying(tmp_path, town, script, working=False) as there:
        hold = there.home.directory / "hold"
        hold.touch()
        await there.starts()
        async with there.home.worker(HOLD=str(hold), HOLD_AT="sent", DEADLINE="2") as first:
            await there.home.until(hold.with_suffix(".held").exists, "the instant")
            await kill(first)
        async with there.home.worker():
            run = await there.home.ended()
        assert await there.ends() == ["closed"]
    assert run["outcome"] == "needs_attention"
    (said,) = answers(script)
    assert "The outcome of this call is unknown" in said
    assert "can't be waited for: nobody knows what the call returned" in said
