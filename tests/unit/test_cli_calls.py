"""A `call:` as people see it: `why`, `rules list`, `rules test`, `check` and `runs show`."""

import json

import pytest
from click.testing import CliRunner

from orchestrator.cli.main import main
from orchestrator.rehearsal.doubts import unknown_tools
from orchestrator.rules.steps import Step
from tests.support.builders import RUN, comment, rule
from tests.support.configurations import configuration
from tests.support.installed import Installed
from tests.support.rehearsing import RULE, secrets, written
from workflows.messages import CallState, Outcome, RunState

LABEL = """\
label:
  on: github/issues.opened
  call:
    - {tool: github.issue_write, args: {issue_number: "{{ event.issue.number }}"}}
    - {tool: github.add_issue_comment, args: {body: "{{ event.issue.title }}"}}
  stage: live
"""
TESTED = """\
  tests:
    - {event: fixtures/opened.http, expect: {match: true, action: call}}
    - {event: fixtures/late.http, expect: {match: true, action: run}}
"""


@pytest.fixture
def there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    secrets(monkeypatch)
    return written(tmp_path / "doorbell.d", rules__label_yaml=LABEL)


def run(*words):
    return CliRunner().invoke(main, [*words])


def warned(there, text):
    (there / "rules" / "label.yaml").write_text(text)
    return " ".join(json.loads(run("check", "--json").stdout)["warnings"][0]["message"].split())


def test_the_list_of_rules_says_what_is_called(there):
    shown = run("rules", "list", "--json")

    found = next(one for one in json.loads(shown.stdout)["rules"] if one["name"] == "label")
    assert found["does"] == "call: github.issue_write, github.add_issue_comment"


def test_r6_a_rules_test_can_expect_a_call(there):
    (there / "rules" / "label.yaml").write_text(LABEL + TESTED)
    result = run("rules", "test", "label")

    assert "ok    label  fixtures/opened.http  matched" in result.stdout
    assert "action: expected run, got call" in result.stdout


def test_r6_check_shows_what_a_call_does_and_that_no_model_is_paid(there):
    result = run("check")
    said = json.loads(run("check", "--json").stdout)

    assert "2 calls" in result.stdout
    assert "no model" in result.stdout
    shown = next(one for one in said["rules"] if one["name"] == "label")
    assert shown["call"] == ["github.issue_write", "github.add_issue_comment"]
    assert (shown["stage"], shown["playbook"]) == ("live", None)


def test_r6_check_knows_what_no_sample_has(there):
    text = LABEL.replace("event.issue.title", "event.issue.titel")

    assert "no sample has event.issue.titel; did you mean 'title'?" in warned(there, text)


def test_r6_check_sees_an_agent_and_a_call_that_write_with_the_same_tool(there):
    (there / "rules" / "triage.yaml").write_text(RULE + "  stage: live\n")

    assert "both may write with github.issue_write" in warned(there, LABEL)


def test_r6_a_tool_that_its_server_does_not_have_is_a_mistake_with_its_place():
    found = configuration(rules__label_yaml=LABEL)
    (mistake,) = unknown_tools(
        found, {"github": {"issue_read", "issue_write", "add_issue_comments"}}
    )

    assert str(mistake) == (
        "conf/rules/label.yaml:5:14: 'github' has no tool 'add_issue_comment';"
        " did you mean 'add_issue_comments'?"
    )


@pytest.fixture
def installed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    there = Installed(tmp_path / "state")
    step = Step(tool="github.issue_write", args={"issue_number": "{{ event.issue.number }}"})
    there.kept(comment("evt_1"), rule("label", playbook=None, call=(step,)))
    return there


def test_r1_why_names_what_is_called_and_with_what(installed):
    (decision,) = installed.told("why", "evt_1")["decisions"]

    assert (decision["action"], decision["rule"]) == ("start", "label")
    assert decision["call"] == [{"tool": "github.issue_write", "args": {"issue_number": 7}}]
    assert (
        "label: call github.issue_write (ready): matched"
        in installed.doorbell("why", "evt_1").stdout
    )


def test_a_run_of_calls_says_that_no_model_was_asked(installed):
    installed.began("evt_1", rule="label", playbook="call: github.issue_write", scripted=False)
    installed.called("1.0", CallState.DONE, tool="issue_write")
    installed.frozen("none")
    installed.stood(RunState.ENDED, outcome=Outcome.COMPLETED)

    shown = installed.doorbell("runs", "show", RUN).stdout
    assert "label -> call: github.issue_write" in shown
    assert "no model" in shown
    assert "USD" not in shown
