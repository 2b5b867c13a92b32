import json

import pytest
from click.testing import CliRunner

from orchestrator.cli.check import check
from orchestrator.cli.init import write_starter
from workflows.own_tools import BUILT_INS


@pytest.fixture
def starter(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("GITHUB_TOKEN", "GITHUB_WEBHOOK_SECRET"):
        monkeypatch.delenv(name, raising=False)
    write_starter(tmp_path / "doorbell.d")
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(check, arguments)


def test_a_sound_configuration_is_zero_and_shows_its_rules(starter):
    result = run()

    assert result.exit_code == 0
    assert "triage-new-issue" in result.stdout
    assert f"{5 + len(BUILT_INS)} of 40" in result.stdout
    assert "0 mistakes, 2 warnings" in result.stdout
    assert "doorbell.d/sources.yaml:7:13: env:GITHUB_WEBHOOK_SECRET is unset" in result.stderr
    assert "1 source (shut until its secret is set: github)" in result.stdout
    assert "not checked: limits, dedupe, loops" in result.stdout


def test_secrets_in_the_dotenv_file_are_seen(starter):
    (starter / ".env").write_text("GITHUB_TOKEN=t\nGITHUB_WEBHOOK_SECRET=s\n")

    said = run().stdout
    assert "0 mistakes, 0 warnings" in said
    assert "1 source, " in said


def test_mistakes_are_exit_two_each_with_its_place(starter):
    rules = starter / "doorbell.d" / "rules" / "triage.yaml"
    rules.write_text(rules.read_text().replace("run: triage ", "run: triag "))
    playbook = starter / "doorbell.d" / "playbooks" / "triage.md"
    playbook.write_text(playbook.read_text().replace("budget:", "budgt:"))

    result = run()

    assert result.exit_code == 2
    assert "doorbell.d/rules/triage.yaml:10:8: unknown playbook 'triag'" in result.stderr
    assert "triage.md:13:1: unknown key 'budgt'; did you mean 'budget'?" in result.stderr


def test_json_is_for_programs(starter):
    result = run("--json")

    said = json.loads(result.stdout)
    assert said["ok"] is True
    assert [warning["line"] for warning in said["warnings"]] == [7, 7]
    assert said["rules"][0]["stage"] == "preview"
    assert said["playbooks"][0]["tools"] == {
        "github": ["issue_read", "search_issues", "list_label", "issue_write", "add_issue_comment"]
    }


def test_json_of_a_broken_one_is_two_and_lists_the_mistakes(starter):
    (starter / "doorbell.d" / "sources.yaml").write_text("github: {schme: github}\n")

    result = run("--json")

    said = json.loads(result.stdout)
    assert result.exit_code == 2
    assert said["ok"] is False
    assert {mistake["message"] for mistake in said["mistakes"]} == {
        "unknown key 'schme'; did you mean 'scheme'?",
        "the key 'scheme' is missing",
        "the key 'secrets' is missing",
    }


def test_another_directory_can_be_named(starter, tmp_path):
    result = run("--config", str(tmp_path / "nope"))

    assert result.exit_code == 2
    assert "doorbell init" in result.stderr


def test_a_rule_that_forwards_shows_where_to_and_what_is_unset(starter):
    rules = starter / "doorbell.d" / "rules" / "onward.yaml"
    to = "{url: https://hooks.example.com/in?token=x, secret: env:ONWARD, headers: {X-Team: ops}}"
    rules.write_text(f"onward:\n  on: github/*\n  forward: {to}\n")

    shown, said = run(), json.loads(run("--json").stdout)

    assert shown.exit_code == 0
    assert "forward → https://hooks.example.com" in shown.stdout
    assert "token=x" not in shown.stdout
    assert "onward.yaml:3:64: secret not set: env:ONWARD is unset; events wait" in shown.stderr
    (onward,) = [rule for rule in said["rules"] if rule["name"] == "onward"]
    assert (onward["playbook"], onward["stage"]) == (None, None)
    assert onward["does"] == "forward → https://hooks.example.com"
    assert onward["forward"] == {
        "to": "https://hooks.example.com",
        "private": False,
        "timeout": 10.0,
        "secrets": [],
        "headers": ["X-Team"],
        "unset": ["env:ONWARD"],
    }
