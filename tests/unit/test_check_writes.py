"""`doorbell check` on tools that write: declared, known by their server, or locked as no reader (R6)."""

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from orchestrator.cli.check import check
from orchestrator.configuration.locks import text_of
from tests.support.configurations import PLAYBOOK
from tests.support.locked import COMMENT, LOOK, lock_of_tools
from tests.support.rehearsing import secrets, written

PLAIN = PLAYBOOK.replace("  github.issue_write: {method: update}\n", "").replace(
    "writes: {github.issue_write: {max: 2}}\n", ""
)
OURS = "github:\n  command: [python, -m, somebody.else]\n"
ONE = """\
{name}:
  on: github/issues.opened
  stage: live
"""
RUN = '  run: triage\n  with: {owner: "{{ event.repository.owner.login }}", number: 1}\n'
CALL = "  call: [{tool: github.TOOL, args: {}}]\n"
CALLS = ONE.format(name="one") + CALL + ONE.format(name="two") + CALL
RUNS = ONE.format(name="one") + RUN + ONE.format(name="two") + RUN


@pytest.fixture
def warned(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    secrets(monkeypatch)

    def warned(tools, rules="{}\n", servers=OURS, lock=None):
        home = written(
            tmp_path / "doorbell.d",
            servers_yaml=servers,
            rules__triage_yaml=rules,
            playbooks__triage_md=PLAIN.replace("[issue_read, issue_write]", tools),
        )
        if lock is not None:
            (home / "tools.lock").write_text(text_of(lock))
        said = json.loads(CliRunner().invoke(check, ["--json"]).stdout)
        return [f"{one['line']}: {one['message']}" for one in said["warnings"]]

    return warned


ONCE = "4: github.{0} writes and has no line under `writes:`: a run may call it once; say `github.{0}: {{max: 1}}`"
BOTH = "both may write with github.{0} on the same event"
LOCK = lock_of_tools(COMMENT, LOOK)


def test_r6_a_locked_tool_that_does_not_claim_to_read_writes_and_has_max_one(warned):
    assert warned("[look, comment, other]", lock=LOCK) == [ONCE.format("comment")]
    assert warned("[look, other]", lock=LOCK) == []


def test_r6_a_declared_tool_and_one_of_a_known_server_write_without_a_lock(warned):
    known = OURS.replace("somebody.else", "mcp_servers.github")
    declared = OURS + "  tools: {other: {effect: write}}\n"

    assert warned("[issue_read, issue_write]", servers=known) == [ONCE.format("issue_write")]
    assert warned("[other, more]", servers=declared) == [ONCE.format("other")]
    assert warned("[other, comment]") == []


def test_two_live_rules_that_write_with_a_locked_tool_are_a_warning(warned):
    said = warned("[look, comment]", RUNS, lock=LOCK)

    assert [one for one in said if BOTH.format("comment") in one]
    assert not [one for one in warned("[look]", RUNS, lock=LOCK) if "both may write" in one]


def test_two_live_calls_of_a_tool_that_is_locked_to_read_are_none(warned):
    written_ = replace(LOOK, read_only=None)

    assert warned("[look]", CALLS.replace("TOOL", "look"), lock=LOCK) == []
    (said,) = [
        one
        for one in warned("[]", CALLS.replace("TOOL", "look"), lock=lock_of_tools(written_))
        if "both may write" in one
    ]
    assert BOTH.format("look") in said
