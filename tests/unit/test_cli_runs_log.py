"""`doorbell runs log`: a run reads like a conversation, and can be followed while it goes on."""

import json

import pytest

from orchestrator.ledger import calls, transcript, turns, waits
from tests.support.builders import AT, KEY, RUN, comment, intent, wait
from tests.support.installed import Installed
from workflows.messages import BUILTIN, WAIT, CallState, Outcome, RunState
from workflows.playbook import Effect

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
        "turn 1  github.comment: done, 99 bytes, artifact aaaaaaaaaaaa",
        "turn 2  told: event evt_2",
        "turn 2  the model said (end_turn, USD 0.0100, 100 in, 5 cached, 10 out)",
        "ended: completed",
    ]


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
