"""`doorbell check` on what a rule's trust says against the rule, or against itself (R6)."""

import json

import pytest
from click.testing import CliRunner

from orchestrator.cli.check import check
from tests.support.rehearsing import secrets, written

RULE = """\
opened:
  on: {on}
  when: {when}
  trust: {trust}
  run: triage
  with: {{owner: acme, number: 1}}
"""


@pytest.fixture
def checked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    secrets(monkeypatch)

    def checked(when="{}", trust="{}", on="github/issues.opened"):
        text = RULE.format(on=on, when=when, trust=trust)
        written(tmp_path / "doorbell.d", rules__triage_yaml=text)
        said = json.loads(CliRunner().invoke(check, ["--json"]).stdout)
        return [
            [f"{one['line']}:{one['column']}: {one['message']}" for one in said[kind]]
            for kind in ("mistakes", "warnings")
        ]

    return checked


@pytest.mark.parametrize(
    ("on", "thing"),
    [
        ("github/issues.*", "issue"),
        ("github/issue_comment.created", "comment"),
        ("github/pull_request_review.*", "review"),
        ("[github/pull_request.opened, github/pull_request.edited]", "pull_request"),
    ],
)
def test_r6_a_rule_that_asks_for_strangers_whom_its_trust_shuts_out_is_a_mistake(
    checked, on, thing
):
    when = f"{{{thing}.author_association: [NONE, CONTRIBUTOR]}}"

    mistakes, _ = checked(when, "{associations: [OWNER, MEMBER]}", on)

    assert len(mistakes) == 1
    assert mistakes[0].endswith(
        "this rule can never match: it asks for NONE, CONTRIBUTOR, whom trust.associations shuts out"
        " (it wants: in ['MEMBER', 'OWNER'])"
    )


@pytest.mark.parametrize(
    ("when", "trust", "on"),
    [
        ("{issue.author_association: [NONE, OWNER]}", "{associations: OWNER}", "github/issues.*"),
        (
            "{issue.author_association: NONE}",
            "{associations: OWNER, allow: ann}",
            "github/issues.*",
        ),
        ("{issue.author_association: NONE}", "{}", "github/issues.*"),
        ("{issue.author_association: {ne: OWNER}}", "{associations: OWNER}", "github/issues.*"),
        ("{issue.author_association: NONE}", "{associations: OWNER}", "github/issue_comment.*"),
        ("{issue.author_association: NONE}", "{associations: OWNER}", '"github/*"'),
    ],
    ids=[
        "one is trusted",
        "somebody is vouched for",
        "no guard",
        "others",
        "another's text",
        "any event",
    ],
)
def test_a_rule_that_somebody_may_pass_is_none(checked, when, trust, on):
    assert checked(when, trust, on)[0] == []


@pytest.mark.parametrize(
    ("trust", "said"),
    [
        ("{allow: [Ann, bob], deny: [ann]}", "'Ann' stands under `deny` too, and that wins"),
        ("{allow: ['id:7'], deny: ['id:7']}", "'id:7' stands under `deny` too, and that wins"),
        ("{bots: ['a[bot]'], deny: ['a[bot]']}", "'a[bot]' stands under `deny` too"),
    ],
)
def test_a_name_on_both_lists_is_a_warning(checked, trust, said):
    mistakes, warnings = checked(trust=trust)

    assert (mistakes, len(warnings)) == ([], 1)
    assert warnings[0].startswith("4:")
    assert said in warnings[0]


def test_names_that_differ_are_none(checked):
    assert checked(trust="{allow: ['7'], deny: ['id:7', ann]}") == [[], []]


FORK = "{pull_request.head.repo.fork: true}"
PULL = "github/pull_request.opened"


def test_a_rule_that_asks_for_forks_and_does_not_trust_them_is_a_warning(checked):
    mistakes, (said,) = checked(FORK, on=PULL)

    assert mistakes == []
    assert said.startswith("3:10: this asks for what comes from forks, which trust shuts out")


@pytest.mark.parametrize(
    ("when", "trust"),
    [(FORK, "{forks: true}"), (FORK.replace("true", "false"), "{}"), ("{}", "{}")],
)
def test_a_rule_that_trusts_forks_or_asks_for_none_is_sound(checked, when, trust):
    assert checked(when, trust, PULL) == [[], []]
