"""`doorbell rules try FILE`: how a candidate's decisions would differ for events that were kept; nothing is started."""

import json
from dataclasses import replace

import pytest

from orchestrator.cli import rules_try
from tests.support.builders import NOW, github
from tests.support.installed import Installed
from tests.support.rehearsing import ISSUE, RULE, secrets, written

LAST = """\
last:
  backstop: true
  on: github/issues.*
  run: triage
  with: {owner: "{{ event.owner }}", number: "{{ event.number }}"}
"""
WIDER = RULE.replace("{lt: 100}", "{lt: 1000}")


@pytest.fixture
def there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    secrets(monkeypatch)
    written(tmp_path / "doorbell.d")
    installed = Installed(tmp_path / "state")
    installed.only_kept(kept(7), kept(700), kept(8, action="closed"))
    return installed


def kept(number, **changes):
    issue = {**ISSUE["issue"], "number": number}
    return github(f"evt_{number}", "issues", {**ISSUE, "number": number, "issue": issue, **changes})


def tried(there, text, name="triage.yaml", *words):
    candidate = there.path.parent / name
    candidate.write_text(text)
    return there.doorbell("rules", "try", str(candidate), "--since", SINCE, *words)


SINCE = NOW.date().isoformat()


def changes(there, text, name="triage.yaml"):
    said = json.loads(tried(there, text, name, "--json").stdout)
    return [(one["rule"], one["change"], one["event"]) for one in said["changes"]]


def test_the_same_rules_change_nothing_and_are_exit_zero(there):
    result = tried(there, RULE)

    assert result.exit_code == 0, result.output
    assert "3 events asked; nothing was started" in result.stdout


def test_r6_what_would_newly_act_is_shown_with_the_event_and_is_exit_three(there):
    result = tried(there, WIDER)

    assert result.exit_code == 3
    assert "triage: would newly act: evt_700 github/issues.opened" in result.stdout
    assert "today: no match: when.any" in result.stdout
    assert "then:  run triage with {'owner': 'acme', 'number': 700}, key issue:700" in result.stdout


def test_what_would_no_longer_act_is_told(there):
    assert changes(there, RULE.replace("{lt: 100}", "{lt: 5}")) == [("triage", "stops", "evt_7")]


def test_another_key_is_told_apart_from_another_input(there):
    other_key = RULE.replace('key: "issue:', 'key: "case:')
    other_input = RULE.replace("{{ event.owner }}", "{{ event.sender.login }}")

    assert changes(there, other_key) == [("triage", "key", "evt_7")]
    assert changes(there, other_input) == [("triage", "otherwise", "evt_7")]


def test_r6_preview_that_goes_live_is_a_change_and_the_stage_is_said(there):
    result = tried(there, RULE + "  stage: live\n")

    assert result.exit_code == 3
    assert "today: run triage" in result.stdout
    assert "key issue:7, preview, mode signal" in result.stdout
    assert "key issue:7, live, mode signal" in result.stdout
    assert changes(there, RULE + "  stage: live\n") == [("triage", "otherwise", "evt_7")]


def test_another_flow_is_a_change_where_another_event_could_meet_the_run(there):
    queued = "  flow: {mode: queue, coalesce: {quiet: 30s, within: 5m}}\n"

    assert changes(there, RULE + queued) == [("triage", "otherwise", "evt_7")]
    assert "mode queue, coalesce 30s within 300s" in tried(there, RULE + queued).stdout
    alone = RULE.replace('  key: "issue:{{ event.number }}"\n', "")
    in_force = there.path.parent / "doorbell.d" / "rules" / "triage.yaml"
    in_force.write_text(alone)
    assert changes(there, alone + "  flow: {mode: parallel}\n") == []


ONWARD = """\
onward:
  on: github/issues.opened
  forward: {url: "https://hooks.example.com/a", secret: env:HOOKS}
"""


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [
        ("example.com/a", "example.org/a", "forward, key -, to https://hooks.example.org, env:HOOKS"),
        ("example.com/a", "example.com/b", "forward, key -, to https://hooks.example.com, env:HOOKS"),
        ("env:HOOKS", "env:OTHER", "to https://hooks.example.com, env:OTHER"),
        ("env:HOOKS", "env:HOOKS, private: true", "to https://hooks.example.com (private), env:HOOKS"),
        ("env:HOOKS", "env:HOOKS, headers: {A: env:SAID}", "env:HOOKS env:SAID"),
        ("env:HOOKS", "env:HOOKS, timeout: 5s", "env:HOOKS, timeout 5s"),
    ],
)  # fmt: skip
def test_r6_a_forward_that_goes_elsewhere_or_otherwise_is_a_change(
    there, monkeypatch, was, now, said
):
    for name in ("HOOKS", "OTHER", "SAID"):
        monkeypatch.setenv(name, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    (there.path.parent / "doorbell.d" / "rules" / "onward.yaml").write_text(ONWARD)

    assert changes(there, ONWARD, "onward.yaml") == []
    told = json.loads(tried(there, ONWARD.replace(was, now), "onward.yaml", "--json").stdout)
    assert {(one["rule"], one["change"]) for one in told["changes"]} == {("onward", "otherwise")}
    assert said in told["changes"][0]["after"]


def test_a_rule_that_the_candidate_drops_and_one_that_it_adds(there):
    assert changes(there, RULE.replace("triage:\n", "sorting:\n", 1)) == [
        ("sorting", "starts", "evt_7"),
        ("triage", "stops", "evt_7"),
    ]


def test_a_rename_that_keeps_its_id_changes_nothing(there):
    renamed = RULE.replace("triage:\n", "sorting:\n  id: triage\n", 1)

    assert changes(there, renamed) == []


def test_a_file_of_another_name_adds_its_rules_to_what_is_there(there):
    more = RULE.replace("triage:\n", "more:\n", 1).replace("issues.opened", "issues.*")

    assert changes(there, more, "more.yaml") == [
        ("more", "starts", "evt_8"),
        ("more", "starts", "evt_7"),
    ]


def test_r2_a_backstop_is_asked_after_the_rules_of_all_files(there):
    """It acts on what triage.yaml leaves, and on nothing else."""
    assert changes(there, LAST, "last.yaml") == [
        ("last", "starts", "evt_8"),
        ("last", "starts", "evt_700"),
    ]


def test_r2_a_backstop_that_stays_is_compared_too(there):
    (there.path.parent / "doorbell.d" / "rules" / "last.yaml").write_text(LAST)

    assert changes(there, RULE) == []
    assert changes(there, WIDER) == [("triage", "starts", "evt_700"), ("last", "stops", "evt_700")]


def test_a_second_backstop_is_a_mistake_of_the_candidate(there):
    (there.path.parent / "doorbell.d" / "rules" / "last.yaml").write_text(LAST)

    result = tried(there, LAST.replace("last:\n", "other:\n"), "other.yaml")

    assert result.exit_code == 2
    assert "/other.yaml:2:3: the backstop is 'last' already" in result.stderr


def test_json_counts_each_rule_and_shows_every_change(there):
    said = json.loads(tried(there, WIDER, "triage.yaml", "--json").stdout)

    assert said["changed"] is True
    assert (said["events"], said["unread"]) == (3, 0)
    assert said["rules"] == [
        {"rule": "triage", "starts": 1, "stops": 0, "key": 0, "otherwise": 0, "same": 1}
    ]
    assert said["changes"][0]["before"] == "no match: when.any"


def test_of_each_rule_and_change_a_few_are_shown_and_the_others_counted(there):
    there.only_kept(*(kept(number) for number in range(701, 705)))

    said = tried(there, WIDER).stdout

    assert said.count("triage: would newly act: evt_70") == 3
    assert "    and 2 more" in said
    told = json.loads(tried(there, WIDER, "triage.yaml", "--json").stdout)
    assert len(told["changes"]) == 5


def test_events_are_asked_page_by_page_and_what_the_limit_leaves_out_is_said(there, monkeypatch):
    monkeypatch.setattr(rules_try, "MOST", 2)
    older = "there are older ones, which weren't asked: --limit says how many are"

    some = tried(there, RULE, "triage.yaml", "--limit", "2").stdout
    every = tried(there, RULE, "triage.yaml", "--limit", "3").stdout

    assert ("2 events asked" in some, older in some) == (True, True)
    assert ("3 events asked" in every, older in every) == (True, False)
    for limit, cut in (("2", True), ("3", False), ("4", False)):
        told = json.loads(tried(there, RULE, "triage.yaml", "--limit", limit, "--json").stdout)
        assert told["cut"] is cut


def test_only_so_many_and_only_one_source_when_asked(there):
    assert "1 events asked" in tried(there, RULE, "triage.yaml", "--limit", "1").stdout
    assert "0 events asked" in tried(there, RULE, "triage.yaml", "--source", "shop").stdout


def test_what_cannot_be_read_today_is_counted_and_not_fatal(there):
    there.only_kept(replace(kept(9), body=b"no json"))

    assert "3 events asked, 1 can't be read today" in tried(there, RULE).stdout


def test_nothing_is_written(there):
    before = there.told("events", "list")
    tried(there, WIDER)

    assert there.told("events", "list") == before


def test_a_broken_candidate_is_exit_two_with_its_own_place(there):
    result = tried(there, RULE.replace("run: triage", "run: triag"))

    assert result.exit_code == 2
    assert "/triage.yaml:8:8: unknown playbook 'triag'" in result.stderr
    assert "doorbell.d" not in result.stderr


def test_a_candidate_whose_playbook_is_broken_is_exit_two(there):
    playbook = there.path.parent / "doorbell.d" / "playbooks" / "triage.md"
    playbook.write_text("no front matter")

    result = tried(there, RULE)

    assert result.exit_code == 2
    assert "triage can't be asked: what they run has a mistake" in result.stderr


def test_the_file_that_is_in_force_is_no_candidate(there):
    result = there.doorbell("rules", "try", "doorbell.d/rules/triage.yaml")

    assert result.exit_code == 2
    assert "is in force already" in result.stderr
