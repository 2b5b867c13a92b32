"""`doorbell approvals`, and `runs approve|deny|answer`: shown whole before it is said, told as what it came to."""

import json

import pytest

from orchestrator.cli import approvals as cli
from orchestrator.console.outcome import Outcome
from orchestrator.ledger import approvals, calls, waits
from orchestrator.ledger.approvals import Approval
from tests.support.builders import AT, RUN, WORKFLOW, comment, intent, wait
from tests.support.installed import Installed
from tests.support.service import working
from workflows.approvals import Standing
from workflows.messages import CallState, RunState
from workflows.own_tools import ASK
from workflows.playbook import Effect, OnTimeout

LASTS = 10 * 365 * 86_400.0
ID, CODE = approvals.named(RUN, "1.0", 1, "digest")


@pytest.fixture
def there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "PATIENCE", 0.5)
    there = Installed(tmp_path / "state")
    there.only_kept(comment("evt_1"))
    there.began("evt_1")
    return there


def ask(there, call_id="1.0", by=("operator", "role:maintainer"), **changes):
    there.write(calls.intend, RUN, 1, intent(call_id, **changes), AT)
    approval_id, code = approvals.named(RUN, call_id, 1, "digest")
    request = Approval(
        approval_id=approval_id,
        code=code,
        run_id=RUN,
        workflow_id=WORKFLOW,
        call_id=call_id,
        number=1,
        tool="" if changes.get("alias") == ASK else "github.comment",
        digest="digest",
        by=by,
        on_timeout=OnTimeout.DENY,
        standing=Standing.OPEN,
        asked_at=AT,
        expires_at=AT + LASTS,
    )
    there.write(approvals.open_request, request)
    return request


def answered(there, request, event_id="evt_a", state=None):
    said = approvals.Said(
        decision_id="dec_a",
        approval_id=request.approval_id,
        event_id=event_id,
        word="approve",
        person="ann",
        at=AT,
    )
    there.write(approvals.heard, said)
    there.write(approvals.settle, request, Standing.APPROVED, AT, said)
    there.write(approvals.release, request)
    there.write(approvals.became, "dec_a", "approved")
    if state is not None:
        end = calls.Result(state=state, content=[], is_error=False)
        there.write(calls.finish, RUN, request.call_id, end, AT)


def test_a6_what_is_asked_is_listed_until_it_is_settled(there):
    request = ask(there)
    assert [one["code"] for one in there.told("approvals", "list")] == [CODE]
    assert "github.comment" in there.doorbell("approvals", "list").stdout

    answered(there, request)

    assert there.told("approvals", "list") == []
    (one,) = there.told("approvals", "list", "--all")
    assert (one["standing"], one["person"]) == ("approved", "ann")


def test_a6_a_request_is_shown_with_every_field_and_every_word(there):
    ask(there, arguments={"body": "x" * 300, "draft": True})

    shown = there.doorbell("approvals", "show", CODE.lower()).stdout

    assert f"{CODE}  consent to github.comment  by operator or role:maintainer  open" in shown
    assert "x" * 300 in shown
    assert "draft: true" in shown


def test_a6_a_run_says_whom_it_waits_for_and_how_to_answer(there):
    ask(there)
    ask(there, "1.1", alias=ASK, server="doorbell", tool="ask", effect=Effect.READ)

    shown = there.doorbell("runs", "show", RUN).stdout

    assert f"`doorbell runs approve {CODE}`" in shown
    assert "waits for an answer by operator or role:maintainer" in shown
    waits = there.told("runs", "show", RUN)["waiting_for"]
    assert (waits["kind"], len(waits["requests"])) == ("people", 2)


def test_a6_a_yes_is_recorded_and_says_that_its_run_has_not_taken_it(there):
    ask(there)
    with working(there):
        result = there.doorbell("runs", "approve", CODE)
        told = there.told("runs", "approve", CODE, "--set", "body=Bye", "--set", "n=7")

    assert result.exit_code == 0
    assert f"approve {CODE}: recorded as evt_" in result.stdout
    assert "recorded; its run has not taken it yet" in result.stdout
    assert (told["done"], told["request"]["standing"]) == (None, "open")
    words = there.use(lambda stores: stores.ledger.read(approvals.words_of, ID))
    decision = there.use(lambda stores: stores.inbox.decision(words[-1].decision_id))
    assert decision.with_["args"] == {"body": "Bye", "n": 7}


def test_a6_a_no_carries_its_reason_and_an_answer_its_value(there):
    ask(there)
    with working(there):
        there.told("runs", "deny", CODE, "not today")
        there.told("runs", "answer", CODE, '{"n": 1}')
    words = there.use(lambda stores: stores.ledger.read(approvals.words_of, ID))
    no, answer = [
        there.use(lambda stores, one=one: stores.inbox.decision(one.decision_id)).with_
        for one in words
    ]

    assert (no["word"], no["why"]) == ("deny", "not today")
    assert (answer["word"], answer["answer"]) == ("answer", '{"n": 1}')


def test_a6_a_word_of_somebody_who_may_not_is_refused_and_exits_one(there):
    ask(there, by=("role:maintainer",))
    with working(there):
        result = there.doorbell("runs", "approve", CODE)

    assert result.exit_code == 1
    assert "may not: expected role:maintainer" in result.stderr


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (None, "approved; not executed yet"),
        (CallState.DONE, "approved, executed"),
        (CallState.FAILED, "approved, executed"),
        (CallState.UNKNOWN, "approved, sent, outcome unknown"),
        (CallState.REFUSED, "approved, not executed"),
        (CallState.DENIED, "approved, not executed"),
    ],
)
def test_a6_what_came_of_a_yes_is_told_as_it_is(there, state, said):
    answered(there, ask(there), state=state)
    shown = there.told("approvals", "show", CODE)
    word = Outcome(kind="run.approve", event="evt_a", named=CODE, request=shown)

    assert word.reason == said
    assert word.over is (state is not None)
    assert not word.refused


def test_a6_a_word_whose_decision_is_still_to_be_made_is_not_over_though_it_changed_nothing(there):
    request = ask(there)
    said = approvals.Said(
        decision_id="dec_a",
        approval_id=request.approval_id,
        event_id="evt_a",
        word="approve",
        person="ann",
        at=AT,
        became="refused: ann may not: expected operator",
    )
    there.write(approvals.heard, said)
    shown = there.told("approvals", "show", CODE)
    word = Outcome(kind="run.approve", event="evt_a", named=CODE, request=shown)

    assert word.refused
    assert not word.over


@pytest.mark.parametrize("verb", [("approvals", "show"), ("runs", "approve"), ("runs", "deny")])
def test_a6_a_code_that_nobody_gave_is_said_to_nobody(there, verb):
    result = there.doorbell(*verb, "NOSUCHCODE")

    assert result.exit_code == 1
    assert "nobody was asked anything under the code 'NOSUCHCODE'" in result.stderr


def test_a6_a_change_without_a_value_is_said_to_nobody(there):
    ask(there)
    result = there.doorbell("runs", "approve", CODE, "--set", "body")

    assert result.exit_code == 2
    assert "expected NAME=VALUE, got 'body'" in result.stderr


def test_a6_what_programs_read_is_whole(there):
    ask(there)

    assert json.loads(json.dumps(there.told("approvals", "show", CODE)))["words"] == []


def test_a6_why_says_what_came_of_a_comment(there):
    request = ask(there)
    with working(there):
        event_id = there.told("runs", "approve", CODE)["event"]
    (word,) = there.use(lambda stores: stores.ledger.read(approvals.words_of, ID))
    there.write(approvals.became, word.decision_id, "too late: it is denied")

    shown = there.doorbell("why", event_id).stdout

    assert f"recorded: approve {request.code} by operator" in shown
    assert "what came of it: too late: it is denied" in shown


def test_a6_what_was_applied_is_asked_beside_what_the_run_waits_for(there):
    ask(there, f"1.0{calls.APPLIED}")
    assert there.told("runs", "show", RUN)["waiting_for"]["kind"] == "people"

    there.stood(RunState.WAITING)
    there.write(waits.begin, wait())

    assert there.told("runs", "show", RUN)["waiting_for"]["kind"] == "event"
