"""`doorbell check` and the arguments of `call:` (R6): what its tool wouldn't take is a mistake before it is called."""

import json

import pytest
from click.testing import CliRunner

from orchestrator.cli.main import main
from tests.support.rehearsing import secrets, written

RULE = """\
label:
  on: github/issues.opened
  call:
    - tool: github.issue_write
      args: {args}
"""
SOUND = '{method: update, owner: a, repo: b, issue_number: "{{ event.issue.number }}"}'
TOOL = "github.issue_write"


@pytest.fixture
def there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    secrets(monkeypatch)
    return written(tmp_path / "doorbell.d", rules__triage_yaml=RULE.replace("{args}", SOUND))


def mistakes(*words):
    result = CliRunner().invoke(main, ["check", *words, "--json"])
    return [
        f"{one['line']}:{one['column']}: {one['message']}"
        for one in json.loads(result.stdout)["mistakes"]
    ]


def test_r6_arguments_that_its_tool_would_not_take_are_mistakes_where_they_stand(there):
    args = "{metod: update, owner: 7, repo: b, issue_number: 1}"
    (there / "rules" / "triage.yaml").write_text(RULE.replace("{args}", args))

    assert mistakes("--online") == [
        f"5:7: {TOOL} needs the argument 'method'",
        f"5:14: {TOOL} has no argument 'metod'; did you mean 'method'?",
        "5:36: owner: 7 is not of type 'string'",
    ]


def test_r6_the_lock_says_it_too_and_nobody_is_asked(there):
    locked = CliRunner().invoke(main, ["lock"])
    assert locked.exit_code == 0, locked.output
    assert mistakes() == []

    args = SOUND.replace("update", "updat")
    (there / "rules" / "triage.yaml").write_text(RULE.replace("{args}", args))

    (said,) = mistakes()
    assert said.startswith("5:22: method: 'updat' is not one of")


def test_what_a_template_fills_in_is_known_only_when_it_is_called(there):
    args = SOUND.replace("update", '"{{ event.action }}"')
    (there / "rules" / "triage.yaml").write_text(RULE.replace("{args}", args))

    assert mistakes("--online") == []
