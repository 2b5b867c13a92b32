"""People are told that they are asked and that a run stands still: by a row each, once; no run is the worse for it."""

import json
from dataclasses import replace

import pytest

from orchestrator.dispatch.decide import workflow_id_of
from orchestrator.inbox.inbox import Action, Decision, DecisionState
from orchestrator.ledger import calls, conversations, notices
from orchestrator.ledger.calls import Result
from orchestrator.rules.steps import Step
from orchestrator.sources.notices import ASKED, PARKED
from orchestrator.sources.source import DOORBELL
from tests.support.builders import AT, KEY, RUN, comment, opening
from tests.support.consent import CALL, HOUR
from tests.support.desk import TELL, desk_at
from workflows.messages import CallState, Outcome, RunState


@pytest.fixture
def desk(tmp_path):
    with desk_at(tmp_path, TELL) as made:
        yield made


async def test_whoever_is_asked_is_told_once_with_all_that_an_answer_needs(desk):
    asked = await desk.office.ask()

    assert await desk.notifying.step() == 1
    assert await desk.notifying.step() == 0

    said = await desk.said()
    (row,) = await desk.rows()
    request = await desk.office.request()
    assert (row.source, row.type, row.subject) == (DOORBELL, ASKED, RUN)
    assert row.keys == (f"run:{RUN}", f"approval:{asked.code}")
    assert said["code"] == asked.code
    assert said["digest"] == request.digest
    assert (said["asks"], said["tool"]) == ("consent", "github.comment")
    assert said["by"] == ["role:maintainer", "operator"]
    assert (said["playbook"], said["key"]) == ("triage", KEY)
    assert f"\n/approve {asked.code}\n" in said["text"]
    assert said["expires_at"] == "2026-11-21T13:00:00Z"


async def test_a7_a_notice_tells_no_secret(desk):
    await desk.office.ask()
    await desk.notifying.step()

    said = await desk.said()
    assert said["args"]["body"] == "[secret env:GREETING]"
    assert "Hello" not in json.dumps(said)


async def test_where_no_rule_hears_them_no_notice_is_written(tmp_path):
    deaf = replace(TELL, on=("*/*", "github/*"))
    with desk_at(tmp_path, deaf) as desk:
        await desk.office.ask()
        await desk.park()

        assert await desk.notifying.step() == 0
        assert await desk.rows() == []
        # A rule that comes later hears of what still stands.
        desk.office.configure(rules=(TELL,))
        assert await desk.notifying.step() == 2


async def test_a_rule_with_wide_globs_hears_no_notice(tmp_path):
    wide = replace(TELL, id="wide", name="wide", on=("*/*",), backstop=True)
    with desk_at(tmp_path, TELL, wide) as desk:
        await desk.office.ask()
        await desk.notifying.step()
        (row,) = await desk.rows()
        acted = [one for one in await desk.office.decided(row.id) if one.action is Action.START]
    assert [one.rule for one in acted] == ["tell"]


async def test_what_was_answered_or_ran_out_meanwhile_is_not_told(desk):
    asked = await desk.office.ask()
    await desk.office.heard(await desk.office.hand("deny", asked.code))
    assert await desk.notifying.step() == 0

    await desk.office.intend("2.0")
    await desk.office.ask("2.0")
    desk.office.pass_by(HOUR + 1)
    assert await desk.notifying.step() == 0


async def test_killed_between_the_row_and_its_record_the_same_notice_comes_once(desk):
    await desk.office.ask()
    ledger, wrote = desk.notifying.ledger, []

    class Dying:
        read = ledger.read

        async def write(self, step, *given):
            if step is notices.told:
                wrote.append(given)
                raise RuntimeError("killed")
            return await ledger.write(step, *given)

    desk.notifying.ledger = Dying()
    with pytest.raises(RuntimeError, match="killed"):
        await desk.notifying.step()
    desk.notifying.ledger = ledger
    # By the time it is written again its run has got a little further.
    desk.office.pass_by(5)
    assert await desk.notifying.step() == 1

    assert wrote
    (row,) = await desk.rows()
    assert row.duplicates == 1
    assert [one.event_id for one in await desk.told()] == [row.id]


async def test_a_run_that_parks_is_told_of_once_for_each_reason(desk):
    await desk.park("usd budget: 0.50 of 0.50 used")
    assert await desk.notifying.step() == 1
    said = await desk.said()
    assert (said["type"], said["run"]) == (PARKED, RUN)
    assert said["reason"] == "usd budget: 0.50 of 0.50 used"
    assert f"doorbell runs resume {RUN}" in said["text"]

    running = (RUN, RunState.RUNNING, "resumed by a person", None, AT)
    await desk.office.ledger.write(conversations.record, *running)
    await desk.park("usd budget: 0.50 of 0.50 used")
    assert await desk.notifying.step() == 0
    await desk.park("usd budget: 0.80 of 0.80 used")
    assert await desk.notifying.step() == 1


async def test_a_run_that_a_notice_opened_tells_nobody_that_it_parks(desk):
    with desk.office.ledger.engine.begin() as connection:
        other = opening("dec_2", source=DOORBELL, workflow_id="tell:x~ffffffffffff")
        run = conversations.begin(connection, other, AT)
        conversations.record(connection, run.run_id, RunState.PARKED, "no such tool", None, AT)

    assert await desk.notifying.step() == 0


async def run_of(desk, outcome, reason="", wrong=""):
    """The run that the rule's decision opened, and how it ended."""
    (row,) = await desk.rows()
    (decision,) = [d for d in await desk.office.decided(row.id) if d.action is Action.START]
    await desk.office.dispatcher.deliver_some()
    with desk.office.ledger.engine.begin() as connection:
        given = opening(
            decision.id,
            source=DOORBELL,
            workflow_id=workflow_id_of("tell", row.id),
            rule="tell",
            event_id=row.id,
        )
        run = conversations.begin(connection, given, AT)
        if wrong:
            step = calls.Intent(
                call_id="1.0",
                position=0,
                alias="x",
                server="github",
                tool="add_issue_comment",
                effect="write-once",
                arguments={},
            )
            calls.intend(connection, run.run_id, 1, step, AT)
            content = [{"type": "text", "text": wrong}]
            failed = Result(state=CallState.FAILED, content=content, is_error=True)
            calls.finish(connection, run.run_id, "1.0", failed, AT)
        conversations.record(connection, run.run_id, RunState.ENDED, reason, outcome, AT)
    return run.run_id


async def test_what_became_of_a_notice_is_written_down_and_counted_once(desk):
    await desk.office.ask()
    await desk.notifying.step()
    assert [(one.became, one.failed) for one in await desk.told()] == [(None, None)]
    told_by = await run_of(desk, Outcome.COMPLETED)

    await desk.notifying.step()
    await desk.notifying.step()

    (notice,) = await desk.told()
    assert (notice.became, notice.failed) == (f"tell: run {told_by} completed", False)
    assert await desk.counted() == {(ASKED, "done"): 1}


async def test_a_notice_that_fails_says_why_and_the_request_stays_as_it_is(desk):
    asked = await desk.office.ask()
    await desk.notifying.step()
    reason = "meant and not written: github.comment"
    told_by = await run_of(desk, Outcome.NEEDS_ATTENTION, reason, wrong="GitHub said 403")

    await desk.notifying.step()

    (notice,) = await desk.told()
    assert notice.became == f"tell: run {told_by} needs_attention: {reason}: GitHub said 403"
    assert notice.failed
    assert await desk.counted() == {(ASKED, "failed"): 1}
    assert "run.notice_failed" in desk.log.said
    heeded = await desk.office.heard(await desk.office.hand("approve", asked.code))
    assert heeded.standing == "approved"


async def test_a_rule_that_cannot_be_filled_in_is_a_failure_and_one_that_does_not_match_is_none(
    tmp_path,
):
    broken = replace(
        TELL, call=(Step(tool="github.add_issue_comment", args={"n": "{{ event.with.none }}"}),)
    )
    with desk_at(tmp_path, broken) as desk:
        await desk.office.ask()
        await desk.notifying.step()
        await desk.office.dispatcher.decide_some()
        await desk.notifying.step()
        (notice,) = await desk.told()
        assert notice.failed
        assert "tell: the rule is broken for this event" in notice.became

        desk.office.configure(rules=(replace(TELL, on=(f"{DOORBELL}/{PARKED}",)),))
        await desk.office.intend("2.0")
        await desk.office.ask("2.0")
        assert await desk.notifying.step() == 0


async def test_a_forward_that_is_given_up_is_a_failure(desk, monkeypatch):
    await desk.office.ask()
    await desk.notifying.step()
    (row,) = await desk.rows()
    await desk.office.decided(row.id)
    inbox = desk.notifying.inbox
    (made,) = [d for d in (await inbox.decisions([row.id]))[row.id] if d.action is Action.START]
    gone = Decision(
        id=made.id,
        event_id=row.id,
        cause="tell",
        rule="tell",
        action=Action.FORWARD,
        reason="matched",
        state=DecisionState.DEAD,
        note="410 Gone",
    )

    async def dead(_ids):
        return {row.id: [gone]}

    monkeypatch.setattr(type(inbox), "decisions", lambda _self, ids: dead(ids))
    await desk.notifying.step()

    (notice,) = await desk.told()
    assert (notice.became, notice.failed) == ("tell: given up, 410 Gone", True)


async def test_a_comment_with_the_text_of_a_notice_answers_nothing_by_itself(desk):
    asked = await desk.office.ask()
    await desk.notifying.step()
    text = (await desk.said())["text"]

    receipt = await desk.office.keep(comment("echo", text=text))

    assert {one.action for one in await desk.office.decided(receipt)} == {Action.IGNORE}
    assert (await desk.office.request()).standing == "open"
    quoted = "\n".join(f"> {line}" for line in text.splitlines())
    heard = await desk.office.heard(await desk.office.comment(f"/approve {asked.code}\n\n{quoted}"))
    assert heard.standing == "approved"
    assert (await desk.office.call(CALL)).state is CallState.INTENDED
