"""`on: doorbell/...`: a rule that tells people what runs ask, as people write it."""

import pytest

from orchestrator.cli.init import write_starter
from orchestrator.configuration.load import load
from orchestrator.sources.notices import TYPES
from tests.support.configurations import RULE, SOURCES, configuration, mistakes

TELL = """\
tell:
  on: WHAT
  when: {playbook: triage}
  DOES
"""
CALL = 'call: [{tool: github.add_issue_comment, args: {body: "{{ event.text }}"}}]'
FORWARD = "forward: {url: https://hooks.example.com/in, secret: env:FORWARD}"


def tell(on, action=CALL):
    return RULE + TELL.replace("WHAT", on).replace("DOES", action)


@pytest.mark.parametrize("action", [CALL, FORWARD], ids=["call", "forward"])
@pytest.mark.parametrize("on", [*(f"doorbell/{one}" for one in TYPES), "doorbell/*"])
def test_a_rule_may_call_a_tool_or_forward_what_runs_have_to_tell(on, action):
    found = configuration(rules__triage_yaml=tell(f'["{on}"]', action))

    assert [one for one in found.mistakes if "tell" in str(one) or "doorbell" in str(one)] == []

    assert [rule.name for rule in found.rules] == ["triage", "tell"]


def test_what_no_run_ever_tells_is_a_mistake_with_a_hint():
    (said,) = [
        one
        for one in mistakes(rules__triage_yaml=tell("doorbell/approval.aksed"))
        if "doorbell" in one
    ]

    assert f"expected {' or '.join(f'doorbell/{one}' for one in TYPES)}" in said
    assert "did you mean 'approval.asked'?" in said


def test_no_source_of_ones_own_may_be_called_so():
    found = mistakes(sources_yaml=SOURCES.replace("github:", "doorbell:", 1))

    assert any("'doorbell' is built in: give this source another name" in one for one in found)


def test_the_rule_that_the_starter_offers_in_a_comment_is_sound(tmp_path):
    write_starter(tmp_path)
    path = tmp_path / "rules" / "triage.yaml"
    before, _, offered = path.read_text().partition("# tell-people:")
    told = "\n".join(line.removeprefix("# ") for line in f"# tell-people:{offered}".splitlines())
    path.write_text(f"{before}\n{told}\n")

    found = load(tmp_path, {}, lambda _path: None)

    assert found.mistakes == ()
    tells = next(rule for rule in found.rules if rule.name == "tell-people")
    assert tells.on == ("doorbell/approval.*", "doorbell/run.parked")
