"""`runs show` says how far a running call is, and how a call stands that its server answers later."""

import json

import pytest

from orchestrator.cli.consoles import Server
from orchestrator.console import underway
from orchestrator.ledger import calls, handles
from orchestrator.ledger.handles import Handle
from tests.support.api import READS, answering
from tests.support.builders import AT, RUN, comment, intent, rule
from tests.support.installed import Installed
from workflows.messages import CallState, RunState

TASK = Handle(
    run_id=RUN,
    call_id="1.1",
    server="github",
    task_id="not-for-people",
    document="{}",
    opened_at=AT,
    ttl=None,
    poll=5.0,
    looks=2,
    look_at=AT + 60,
    status="working",
    said="3 of 10 are printed",
)


@pytest.fixture
def there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    there = Installed(tmp_path / "state")
    there.kept(comment("evt_1"), rule())
    there.began("evt_1")
    there.called("1.0", CallState.DONE)
    there.write(calls.intend, RUN, 1, intent("1.1"), AT)
    there.write(handles.keep, TASK)
    return there


def test_h4_a_call_that_is_answered_later_is_shown_with_its_servers_last_words(there):
    shown = there.doorbell("runs", "show", RUN)
    first, second = there.told("runs", "show", RUN)["tool_calls"]

    words = "its server answers later: working: 3 of 10 are printed (asked after 2 times, again "
    assert words in shown.stdout
    assert (first["task"], first["progress"]) == (None, None)
    assert (second["task"]["status"], second["task"]["looks"]) == ("working", 2)
    assert second["task"]["look_at"] == "2026-11-21T12:01:00+00:00"


def test_a7_the_name_of_a_task_is_as_good_as_a_key_and_is_shown_to_nobody(there):
    assert TASK.task_id not in there.doorbell("runs", "show", RUN, "--json").stdout


def test_o2_an_installation_elsewhere_says_the_same(there):
    with answering(there, deciding=False) as api:
        elsewhere = there.doorbell("runs", "show", RUN, "--url", api.url, "--token", READS)

    assert elsewhere.stdout == there.doorbell("runs", "show", RUN).stdout


def test_h4_a_task_that_has_ended_is_asked_after_no_more(there):
    there.write(handles.end, TASK, "completed", AT + 30)
    task = there.told("runs", "show", RUN)["tool_calls"][1]["task"]

    assert (task["status"], task["look_at"]) == ("completed", None)
    assert task["ended_at"] == "2026-11-21T12:00:30+00:00"


def test_o1_what_a_server_said_last_stands_beside_the_call_while_it_runs():
    run = {"state": RunState.RUNNING, "tool_calls": [call("1.0", "done"), call("1.1", "sent")]}
    told = underway.told(run, {}, {"1.0": "working (9/9)", "1.1": "working (3/9)"})

    assert [one["progress"] for one in told["tool_calls"]] == [None, "working (3/9)"]
    assert underway.has_sent(run)
    assert not underway.has_sent({**run, "state": RunState.ENDED})


def test_o1_the_last_words_are_printed_under_the_call(there, monkeypatch):
    async def progress(_settings, _state, _workflow_id):
        return {"1.1": "printing (3/10)"}

    there.use(lambda stores: stores.ledger.write(calls.take, RUN, "1.1", 1, again=False))
    there.write(calls.send, RUN, "1.1", 1, AT, AT + 60)
    monkeypatch.setattr("orchestrator.cli.runs.HERE", Server(identity=progress, progress=progress))

    assert "now: printing (3/10)" in there.doorbell("runs", "show", RUN).stdout
    shown = json.loads(there.doorbell("runs", "show", RUN, "--json").stdout)
    assert shown["tool_calls"][1]["progress"] == "printing (3/10)"


def call(call_id, state):
    return {"id": call_id, "state": state}
