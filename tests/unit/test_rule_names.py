"""A rule's name stands in workflow ids, in lanes and beside causes of our own: it is a plain name."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.configuration.files import Files
from orchestrator.configuration.load import configured
from orchestrator.configuration.shaping import NAME
from orchestrator.dispatch.decide import workflow_id_of


@pytest.mark.parametrize("name", ["triage", "label-renovate", "7", "v1_b", "A" * 64])
def test_a_plain_name_may_name_a_rule(name):
    assert NAME.fullmatch(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "doorbell:ourselves",
        "wait:1",
        "-x",
        ".",
        "a b",
        "a/b",
        "a~b",
        "a!person",
        "ä",
        "a\n",
        "A" * 65,
    ],
)
def test_r1_what_could_be_taken_for_something_of_ours_may_not(name):
    assert NAME.fullmatch(name) is None


@given(st.from_regex(NAME, fullmatch=True), st.text(max_size=50))
def test_o1_a_name_stands_in_the_title_of_its_runs_as_it_is(name, key):
    assert workflow_id_of(name, f"k:{key}").startswith(f"{name}:k:")


RULE = """
{name}:
  {more}
  on: github/issues.opened
  run: triage
sound:
  on: github/issues.opened
  run: triage
"""
TEXTS = {
    "sources.yaml": "github:\n  scheme: github\n  secrets: [env:HOOK]\n",
    "servers.yaml": "files:\n  command: [files]\n",
    "playbooks/triage.md": "---\nmodel: claude-sonnet-5-5\ntools: {files: [look]}\n---\nLook.\n",
}


def loaded(name, more=""):
    texts = TEXTS | {"rules/triage.yaml": RULE.format(name=name, more=more)}
    files = Files(root=Path("conf"), texts=texts)
    return configured(files, {"HOOK": "s3cret"}, lambda _: None)


def test_r1_a_rule_with_such_a_name_is_a_mistake_and_the_sound_ones_run():
    found = loaded("doorbell:ourselves")

    assert [rule.name for rule in found.rules] == ["sound"]
    (mistake,) = found.mistakes
    assert "expected a rule's name of letters, digits" in str(mistake)
    assert "triage.yaml:2:1" in str(mistake)


def test_a_rule_with_a_plain_name_is_none():
    found = loaded("triage-2_c")

    assert found.mistakes == ()
    assert [rule.name for rule in found.rules] == ["triage-2_c", "sound"]


@pytest.mark.parametrize("id_", ["doorbell:ourselves", "wait:wait_1", "a b", "a\\nb"])
def test_r1_the_id_that_a_renamed_rule_keeps_is_a_plain_name_too(id_):
    """Decisions are named by it: with a cause of ours as its id, a rule's decision would be taken for ours."""
    found = loaded("renamed", f'id: "{id_}"')

    assert [rule.name for rule in found.rules] == ["sound"]
    (mistake,) = found.mistakes
    assert "triage.yaml:3:" in str(mistake)


def test_a_renamed_rule_keeps_its_id():
    assert [rule.id for rule in loaded("renamed", "id: old-name").rules] == ["old-name", "sound"]
