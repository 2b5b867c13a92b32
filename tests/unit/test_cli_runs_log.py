"""`doorbell runs log`: a run reads like a conversation, and can be followed while it goes on."""

import json
from datetime import UTC, datetime
from functools import partial

import pytest

from orchestrator.ledger import (
    approvals,
    calls,
    clearings,
    notices,
    quarantines,
    transcript,
    turns,
    waits,
)
from orchestrator.tell import when
from tests.support.builders import AT, KEY, RUN, WORKFLOW, comment, intent, wait
from tests.support.installed import Installed
from workflows.approvals import Standing
from workflows.messages import CallState, Outcome, RunState
from workflows.own_tools import BUILTIN, WAIT
from workflows.playbook import Effect, OnTimeout

EVENT = "Rung.\n<event>\n" + "x" * 2_000 + "\n</event>"


@pytest.fixture
def there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    there = Installed(tmp_path / "state")
    there.only_kept(comment("evt_1"))
    there.began("evt_1")
    there.write(turns.note, RUN, 1, 0, EVENT)
    return there


def answered(there, call_id, text, state=CallState.DONE, turn=1, **changes):
    there.write(calls.intend, RUN, turn, intent(call_id, **changes), AT)
    content = [{"type": "text", "text": text}, {"type": "image", "source": {}}]
    done = calls.Result(state=state, content=content, is_error=False, artifact="a" * 64, size=99)
    there.write(calls.finish, RUN, call_id, done, AT + 2)


def spoken(there):
    there.said(
        1,
        {"type": "thinking", "thinking": "I must be sly.", "signature": "s"},
        {"type": "text", "text": "I'll look.\nThen I'll write."},
        {"type": "tool_use", "id": "t1", "name": "github__comment", "input": {"body": "Hello"}},
    )
    answered(there, "1.0", "It was written.")
    there.write(turns.note, RUN, 2, 0, "Another event.", "evt_2")
    there.said(2, {"type": "text", "text": "Done."})
    there.stood(RunState.ENDED, outcome=Outcome.COMPLETED)


def lines(there, *flags):
    result = there.doorbell("runs", "log", RUN, *flags)
    assert result.exit_code == 0, result.output
    return [line.rstrip() for line in result.stdout.splitlines()]


def without_times(line):
    words = line.split("  ")
    return "  ".join(word for word in words if word[:2].strip().isdigit() is False)


def test_a_run_reads_like_a_conversation(there):
    spoken(there)
    assert [without_times(line) for line in lines(there) if not line.startswith(" ")] == [
        "turn 1  told: event evt_1",
        "turn 1  the model said (end_turn, USD 0.0100, 100 in, 5 cached, 10 out, thinking left out)",
        'turn 1  called github.comment {"body": "Hello"}',
        "turn 1  github.comment: done, 99 bytes, artifact aaaaaaaaaaaa (--call 1.0)",
        "turn 2  told: event evt_2",
        "turn 2  the model said (end_turn, USD 0.0100, 100 in, 5 cached, 10 out)",
        "ended: completed",
    ]


def test_what_a_rule_calls_is_not_said_to_be_the_models(there):
    there.write(turns.reply, RUN, 1, "[]", "tool_use", None, AT)

    assert "turn 1  the rule said (tool_use)" in map(without_times, lines(there))


def test_what_it_was_told_is_cut_unless_all_is_wanted(there):
    spoken(there)
    short, whole = lines(there), lines(there, "--whole")
    assert "    … 523 more characters: --whole" in short
    assert "    " + "x" * 2_000 in whole
    assert {"    I'll look.", "    Then I'll write.", "    It was written.", "    [image]"} <= set(
        short
    )
    assert not any("sly" in line for line in whole)


def test_a_strangers_text_draws_nothing_on_the_terminal(there):
    there.said(1, {"type": "text", "text": "\x1b[2J[bold]gone[/bold]"})
    assert "    \\x1b[2J[bold]gone[/bold]" in lines(there)


def test_as_json_every_line_has_a_name_of_its_own_and_nothing_is_cut(there):
    spoken(there)
    said = there.told("runs", "log", RUN)
    names = [line["name"] for line in said]
    assert names == [
        "told 1.0",
        "said 1",
        "called 1.0",
        "answered 1.0",
        "told 2.0",
        "said 2",
        "stands ended ",
    ]
    assert said[0]["text"] == EVENT
    assert said[1]["attempts"][0]["usd"] == 0.01
    assert said[2]["arguments"] == {"body": "Hello"}
    assert said[3]["content"][0]["text"] == "It was written."
    assert said[-1]["outcome"] == "completed"


def test_a_wait_says_what_for_and_until_when(there):
    asked = {"events": ["github/*"], "reason": "x"}
    there.said(1, {"type": "tool_use", "id": "t1", "name": WAIT, "input": asked})
    told = intent("w1", alias=WAIT, server=BUILTIN, tool="wait", effect=Effect.READ)
    there.write(calls.intend, RUN, 1, told, AT)
    there.write(waits.begin, wait())
    there.stood(RunState.WAITING, "github/issue_comment.*")
    found = [without_times(line) for line in lines(there) if "wait" in line]
    assert found[1].startswith(f"turn 1  waits for github/issue_comment.* of {KEY}, until")
    assert found[-1] == "waiting github/issue_comment.*"


def test_a_wait_whose_key_is_not_known_yet_names_none(there):
    there.said(1, {"type": "tool_use", "id": "t1", "name": WAIT, "input": {}})
    there.write(calls.intend, RUN, 1, intent("w1"), AT)
    there.write(waits.begin, wait(key=""))

    assert any("waits for github/issue_comment.*, until" in line for line in lines(there))


def test_what_was_applied_stands_behind_the_conversation(there):
    answered(there, "1.0", "proposed", CallState.PROPOSED)
    answered(there, "1.0:applied", "written", turn=0)
    heads = [without_times(line) for line in lines(there) if line.startswith("applied")]
    assert heads[1].startswith("applied  github.comment: done")


def test_a_turn_that_is_still_paid_for_says_how_often_it_was_tried(there):
    there.said(1, {"type": "text", "text": "Hm."})
    unpriced = turns.Charge(usd=None, input_tokens=7, output_tokens=0, cached_tokens=0)
    there.write(turns.reserve, RUN, 1, 2, unpriced, AT)
    (said,) = [line for line in lines(there) if "the model said" in line]
    assert "price unknown, 107 in, 5 cached, 10 out, 2 attempts" in said


def test_following_ends_with_the_run_and_tells_each_line_once(there):
    spoken(there)
    told = [json.loads(line) for line in lines(there, "--json", "--follow")]
    assert [one["name"] for one in told][-1] == "stands ended "
    assert len({one["name"] for one in told}) == len(told)


def test_as_a_run_goes_on_lines_are_added_and_none_is_changed(there):
    before = []
    for step in (
        lambda: there.said(1, {"type": "text", "text": "I'll look."}),
        lambda: there.write(calls.intend, RUN, 1, intent("1.0"), AT),
        lambda: there.write(calls.intend, RUN, 1, intent("1.1", position=1), AT),
        lambda: answered(there, "1.1", "the second"),
        lambda: answered(there, "1.0", "the first"),
        lambda: there.write(turns.note, RUN, 2, 0, "More."),
        lambda: there.said(2, {"type": "text", "text": "Done."}),
    ):
        step()
        now = {line["name"]: line for line in there.told("runs", "log", RUN)}
        assert all(now[line["name"]] == line for line in before if line["voice"] != "stands")
        assert len(now) == len(before) + 1 if before else 3
        before = list(now.values())


def test_a_run_that_is_not_there_is_said(there):
    result = there.doorbell("runs", "log", "nothing")
    assert result.exit_code == 1
    assert "there is no run whose id is or begins with 'nothing'" in result.stderr


def test_nothing_of_a_run_that_is_gone_is_made_up(there):
    async def nobody(stores):
        return await stores.ledger.read(transcript.of_run, "nothing.1")

    with pytest.raises(LookupError):
        there.use(nobody)


def _iso(at):
    return datetime.fromtimestamp(at, UTC).isoformat()


def asked_of_people(there, **changes):
    """A request to people about the call 1.0, asked after the model had spoken."""
    values = {
        "approval_id": "apr_1",
        "code": "ABCDEFGHIJ",
        "run_id": RUN,
        "workflow_id": WORKFLOW,
        "call_id": "1.0",
        "number": 1,
        "tool": "github.comment",
        "digest": "d",
        "by": ("role:maintainer",),
        "on_timeout": OnTimeout.DENY,
        "standing": Standing.OPEN,
        "asked_at": AT + 1,
        "expires_at": AT + 3600,
    }
    there.said(1, {"type": "text", "text": "I'll write."})
    there.write(calls.intend, RUN, 1, intent("1.0"), AT)
    request = approvals.Approval(**values | changes)
    there.write(approvals.open_request, request)
    return request


def said_by(there, decision_id, word, person, at, became):
    said = approvals.Said(
        decision_id=decision_id,
        approval_id="apr_1",
        event_id=f"evt_{decision_id}",
        word=word,
        person=person,
        at=at,
    )
    there.write(approvals.heard, said)
    there.write(approvals.became, decision_id, became)
    return said


def heads(there, *flags):
    return [without_times(line) for line in lines(there, *flags) if not line.startswith(" ")]


def test_a6_who_was_asked_who_answered_and_what_they_changed_stands_in_its_order(there):
    request = asked_of_people(there)
    notice = notices.Notice(
        identity="asked-apr_1",
        run_id=RUN,
        about="apr_1",
        type="approval.asked",
        event_id="evt_9",
        at=AT + 1.5,
    )
    there.write(notices.told, notice)
    assert heads(there)[-2:] == [
        "people are told (approval.asked, event evt_9): nothing is known of it yet",
        "running choosing tools",
    ]
    there.write(notices.settle, "asked-apr_1", "tell: GitHub said 403", AT + 2, True)
    said_by(there, "d1", "approve", "zoe", AT + 3, "refused: zoe may not")
    yes = said_by(there, "d2", "approve", "ann", AT + 4, "approved")
    there.write(approvals.edit, request, {"body": "Bye"}, "d2")
    there.write(approvals.settle, request, Standing.APPROVED, AT + 4, yes)
    there.write(approvals.release, request)
    there.write(partial(calls.take, again=False), RUN, "1.0", 1)
    there.write(calls.send, RUN, "1.0", 1, AT + 5, AT + 65)
    done = calls.Result(state=CallState.DONE, content=[], is_error=False)
    there.write(calls.finish, RUN, "1.0", done, AT + 6)

    assert [head for head in heads(there) if "told: event" not in head] == [
        "turn 1  the model said (end_turn, USD 0.0100, 100 in, 5 cached, 10 out)",
        f"turn 1  asks role:maintainer for consent to github.comment, code ABCDEFGHIJ, until {when(_iso(AT + 3600))}",
        "people are told (approval.asked, event evt_9): FAILED: tell: GitHub said 403",
        "turn 1  zoe said approve ABCDEFGHIJ: refused: zoe may not",
        "turn 1  approved by ann, changed (code ABCDEFGHIJ)",
        'turn 1  called github.comment {"body": "Bye"}',
        "turn 1  github.comment: done",
        "running choosing tools",
    ]
    assert "    body: Hello -> Bye" in lines(there)


def test_a_request_that_ran_out_and_one_that_was_closed_say_so(there):
    request = asked_of_people(there)
    there.write(approvals.settle, request, Standing.EXPIRED, AT + 3600)

    assert "turn 1  expired (code ABCDEFGHIJ)" in heads(there)


def test_what_was_cleared_and_what_is_in_quarantine_stands_in_its_order(there):
    spoken(there)
    there.write(clearings.clear, RUN, 2, 1, AT + 10)
    seen = quarantines.Quarantine(
        server="lab", tool="look", seen="h", words="description changed", run_id=RUN, at=AT - 1
    )
    there.write(quarantines.put, seen)

    found = heads(there)
    assert found[0] == "quarantine: lab.look"
    assert found[-2:] == [
        "turn 2  results up to turn 1 are shown to the model no more",
        "ended: completed",
    ]


def test_show_counts_what_happened_beside_the_calls(there):
    asked_of_people(there)
    notice = notices.Notice(
        identity="n", run_id=RUN, about="apr_1", type="approval.asked", event_id="e", at=AT
    )
    there.write(notices.told, notice)
    there.write(notices.settle, "n", "tell: no", AT, True)
    there.write(clearings.clear, RUN, 2, 1, AT)

    shown = there.doorbell("runs", "show", RUN).stdout
    assert "people asked: 1 open\n" in shown
    assert "notices: 0 of 1 told, 1 failed\nnotice FAILED: tell: no\n" in shown
    assert "results up to turn 1 are shown to the model no more\n" in shown
