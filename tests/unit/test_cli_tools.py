"""`doorbell tools` and the prices in `check`, from tools.lock: no server is asked."""

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from orchestrator.agent.hands.definitions import ToolDefinition
from orchestrator.agent.tools.builtins import BUILT_INS
from orchestrator.cli.check import check
from orchestrator.cli.tools import tools
from orchestrator.configuration.locks import Lock, text_of
from orchestrator.errors import OperatorError
from tests.support.configurations import PLAYBOOK
from tests.support.locked import lock_of_tools
from tests.support.rehearsing import secrets, written

ISSUE = {
    "properties": {"owner": {"type": "string"}, "method": {"type": "string"}, "labels": {}},
    "required": ["owner", "method"],
}
READ = ToolDefinition(server="github", name="issue_read", input_schema=ISSUE, read_only=True)
WRITE = replace(READ, name="issue_write", read_only=False)


@pytest.fixture
def there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    secrets(monkeypatch)
    return written(tmp_path / "doorbell.d")


def locked(there, *definitions):
    (there / "tools.lock").write_text(text_of(lock_of_tools(*definitions)), encoding="utf-8")


def told(*words):
    result = CliRunner().invoke(tools, ["triage", "--offline", "--json", *words])
    return result.exit_code, json.loads(result.stdout)


def test_h1_every_tool_is_shown_with_its_price_effect_server_and_why(there):
    policy = "max: 2, args: {labels: [bug]}"
    text = PLAYBOOK.replace("max: 2", policy).replace("writes:", "optional: github\nwrites:")
    (there / "playbooks" / "triage.md").write_text(text)
    locked(there, READ, WRITE)

    code, said = told()

    assert code == 0
    rows = {row["tool"]: row for row in said["tools"]}
    assert set(rows) == {"github.issue_read", "github.issue_write", *BUILT_INS}
    assert rows["github.issue_write"] | {"tokens": 0} == {
        "tool": "github.issue_write",
        "server": "github",
        "tokens": 0,
        "effect": "write-once",
        "known_from": "known server",
        "max": 2,
        "args": {"labels": "one of 'bug'"},
        "bound": ["method", "owner"],
        "why": "listed; while github can be reached",
    }
    assert rows["github.issue_read"]["max"] is None
    assert rows["doorbell__wait"]["why"] == "built in: every run has it"
    assert said["tokens"] == sum(row["tokens"] for row in said["tools"])
    assert (said["count"], said["most"], said["most_tokens"]) == (len(rows), 40, 16_000)


def test_h1_what_would_be_refused_says_what_to_drop_and_is_one(there):
    locked(there, READ, replace(WRITE, input_schema={"properties": {"a": {"title": "x" * 60_000}}}))

    result = CliRunner().invoke(tools, ["triage", "--offline"])

    assert result.exit_code == 1
    assert "the rest fits without github.issue_write" in result.stderr
    assert "github.issue_read" in result.stdout


def test_a_tool_that_is_not_locked_is_named(there):
    locked(there, READ)

    code, said = told()

    assert code == 1
    assert said["problems"] == [
        "github.issue_write isn't in tools.lock: run `doorbell lock`, or ask without --offline"
    ]


def test_a_playbook_that_is_none_is_named_with_its_nearest(there):
    result = CliRunner().invoke(tools, ["trage"])
    assert isinstance(result.exception, OperatorError)
    assert "did you mean 'triage'?" in str(result.exception)


def test_h1_check_prices_what_is_locked_and_refuses_what_is_too_much(there):
    locked(there, READ, WRITE)
    good = CliRunner().invoke(check, ["--json"])
    [playbook] = json.loads(good.stdout)["playbooks"]
    assert good.exit_code == 0
    assert playbook["tool_tokens"] > 0
    assert " tokens" in CliRunner().invoke(check, []).stdout

    huge = {**ISSUE, "properties": {**ISSUE["properties"], "labels": {"title": "x" * 60_000}}}
    locked(there, READ, replace(WRITE, input_schema=huge))
    bad = CliRunner().invoke(check, ["--json"])
    [mistake] = json.loads(bad.stdout)["mistakes"]
    assert bad.exit_code == 2
    assert "the rest fits without github.issue_write (18" in mistake["message"]
    assert (mistake["file"], mistake["line"]) == ("doorbell.d/playbooks/triage.md", 4)


def test_check_without_what_a_playbook_needs_in_the_lock_knows_no_price(there):
    (there / "tools.lock").write_text(text_of(Lock()), encoding="utf-8")
    [playbook] = json.loads(CliRunner().invoke(check, ["--json"]).stdout)["playbooks"]
    assert playbook["tool_tokens"] is None
