"""What a notice says: complete for whoever answers, and nothing in a model's words gets out of its block."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.dispatch.answers import SAID
from orchestrator.ledger.approvals import Approval, Said
from orchestrator.ledger.calls import Call
from orchestrator.ledger.conversations import Conversation
from orchestrator.ledger.notices import Heard
from orchestrator.tending import announcing
from orchestrator.tending.announcing import MOST, MOST_ARGUMENTS, Opened
from tests.support.builders import AT, KEY, RUN, WORKFLOW
from workflows.approvals import Standing
from workflows.messages import CallState, RunState
from workflows.own_tools import ASK
from workflows.playbook import Effect, OnTimeout

BY = Opened(inputs={"number": 7}, source="github", type="issues.opened", subject="acme/api#7")
LIVE = Conversation(
    run_id=RUN,
    workflow_id=WORKFLOW,
    number=1,
    decision_id="dec_1",
    event_id="evt_1",
    position=1,
    rule="triage",
    playbook="triage",
    key=KEY,
    source="github",
    stage="live",
    state=RunState.WAITING,
    reason="",
    outcome=None,
    frozen=None,
    model=None,
    scripted=False,
    configuration="sha",
    opened_at=AT,
    ended_at=None,
)
REQUEST = Approval(
    approval_id="apr_1",
    code="ABCDEFGHIJ",
    run_id=RUN,
    workflow_id=WORKFLOW,
    call_id="1.0",
    number=1,
    tool="github.issue_write",
    digest="d" * 64,
    by=("role:maintainer", "bob"),
    on_timeout=OnTimeout.DENY,
    standing=Standing.OPEN,
    asked_at=AT,
    expires_at=AT + 3600,
)


def asked(arguments, alias="github__issue_write", **changes):
    return announcing.asked(replace(REQUEST, **changes), arguments, alias, LIVE, BY)


def made(arguments, state=CallState.INTENDED, words=""):
    """The call that is asked about."""
    return Call(
        run_id=RUN,
        call_id="1.0",
        turn=1,
        position=0,
        alias="github__issue_write",
        server="github",
        tool="issue_write",
        effect=Effect.WRITE_ONCE,
        arguments=arguments,
        state=state,
        attempt=0,
        sent_at=None,
        deadline_at=None,
        content=[{"type": "text", "text": words}] if words else None,
        is_error=False,
        artifact=None,
        size=0,
        done_at=None if state is CallState.INTENDED else AT,
    )


def answered(approval, became, word, arguments=None):
    said = Said(
        decision_id="dec_2",
        approval_id="apr_1",
        event_id="evt_2",
        word=word,
        person="ann",
        at=AT,
        became=became,
    )
    heard = Heard(identity="answered-apr_1-evt_2", said=said, approval=approval, became=became)
    return announcing.answered(heard, made(arguments or {}), LIVE, BY, None)


def executed(state, words=""):
    approval = replace(REQUEST, standing=Standing.APPROVED, person="ann")
    return announcing.executed(approval, made({}, state, words), LIVE, BY)


def outside(text):
    """The lines that stand in no code block, as Markdown reads it."""
    lines, fence = [], ""
    for line in text.splitlines():
        ticks = re.match("`{3,}", line)
        if fence:
            fence = "" if ticks and ticks[0] == fence and line.strip() == fence else fence
        elif ticks:
            fence = ticks[0]
        else:
            lines.append(line)
    assert not fence
    return lines


def test_whoever_reads_it_knows_what_is_asked_of_whom_until_when_and_how_to_answer():
    said = asked({"labels": ["bug"]})

    assert said["with"] == {"number": 7}
    assert said["opened_by"]["subject"] == "acme/api#7"
    assert said["args"] == {"labels": ["bug"]}
    assert "`github.issue_write`" in said["text"]
    assert (
        "Asked: role:maintainer, bob. Until 2026-11-21 13:00 UTC; then it is denied."
        in said["text"]
    )
    assert "\n/approve ABCDEFGHIJ\n/deny ABCDEFGHIJ why\n" in said["text"]


@pytest.mark.parametrize(
    ("on_timeout", "words"),
    [(OnTimeout.FAIL, "then the run fails"), (OnTimeout.PARK, "then the run is parked")],
)
def test_what_happens_when_nobody_answers_is_said(on_timeout, words):
    assert words in asked({}, on_timeout=on_timeout)["text"]


def test_a_question_stands_there_with_the_line_that_answers_it():
    said = asked({"question": "Is it urgent?", "to": ["bob"]}, ASK, tool="")

    assert (said["asks"], said["tool"], said["args"]) == ("answer", None, None)
    assert said["question"] == "Is it urgent?"
    assert "Is it urgent?" in said["text"]
    assert "\n/answer ABCDEFGHIJ your answer\n" in said["text"]
    assert "then it goes on without an answer" in said["text"]


@given(st.text(alphabet="`~ab@\n /", max_size=200))
def test_a7_what_a_model_says_stays_in_its_block_and_is_no_answer_by_itself(words):
    denied = replace(REQUEST, standing=Standing.DENIED, event_id="evt_2", why=words)
    edited = replace(REQUEST, standing=Standing.APPROVED, event_id="evt_2", before={"body": words})
    texts = [
        asked({"body": words})["text"],
        asked({"question": words}, ASK, tool="")["text"],
        announcing.parked(replace(LIVE, reason=words or "x"), words, BY)["text"],
        answered(denied, "denied", "deny")["text"],
        answered(edited, "approved", "approve", {"body": f"other {words}"})["text"],
        answered(REQUEST, f"refused: {words}", "approve")["text"],
        executed(CallState.FAILED, words)["text"],
    ]

    for text in texts:
        assert not any("@" in line for line in outside(text))
        assert SAID.fullmatch(text.splitlines()[0]) is None


@pytest.mark.parametrize(
    ("word", "became", "says"),
    [("answer", "answered", "has its answer."), ("deny", "denied", "gets no answer.")],
)
def test_what_a_question_was_answered_is_recorded_and_not_repeated(word, became, says):
    said = answered(replace(REQUEST, tool="", event_id="evt_2"), became, word)

    assert (said["tool"], said["changes"]) == (None, None)
    assert said["text"] == (
        f"Recorded: {word} ABCDEFGHIJ by `ann`: run {RUN} (playbook triage) {says}"
    )


def test_what_was_executed_well_says_so_in_one_line():
    told = executed(CallState.DONE, "a long result")

    assert told["text"] == (
        "Executed: `github.issue_write`, to which `ann` consented by ABCDEFGHIJ,"
        f" for run {RUN} (playbook triage)."
    )
    assert "a long result" not in str(told)


def test_very_long_arguments_are_cut_in_the_text_and_left_out_beside_it():
    said = asked({"body": "x" * (MOST_ARGUMENTS + 1)})

    assert said["args"] is None
    assert len(said["text"]) < 2 * MOST
    assert "more characters" in said["text"]


def test_a_parked_run_says_why_what_it_did_and_how_it_goes_on():
    said = announcing.parked(replace(LIVE, reason="usd budget: 1 of 1 used"), "I looked.", BY)

    assert (said["reason"], said["summary"]) == ("usd budget: 1 of 1 used", "I looked.")
    assert "I looked." in said["text"]
    assert f"`doorbell runs resume {RUN}`" in said["text"]
    assert announcing.parked(LIVE, "", BY)["summary"] is None
