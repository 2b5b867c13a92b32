"""`doorbell why`: every event has an answer, found by its id, its delivery id or the beginning of one."""

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.configuration.files import Files
from orchestrator.dispatch.decide import workflow_id_of
from orchestrator.ledger import configurations
from orchestrator.ledger.conversations import run_id_of
from orchestrator.rules.rule import All, Leaf, Operator
from tests.support.builders import AT, KEY, comment, rule
from tests.support.installed import Installed


@pytest.fixture
def there(tmp_path):
    return Installed(tmp_path / "state")


def only(expected):
    leaf = Leaf(path="comment.body", operator=Operator.EQ, expected=expected)
    return rule("only", when=All((leaf,)))


@pytest.mark.parametrize("name", ["evt_1", "d-evt_1", "evt", "d-"])
def test_an_event_is_found_by_either_id_or_the_beginning_of_one(there, name):
    there.kept(comment("evt_1"), only("no"))

    assert there.told("why", name)["id"] == "evt_1"


def test_the_answer_is_what_events_list_says_of_it_and_more(there):
    there.kept(comment("evt_1"), only("no"))

    told, (listed,) = there.told("why", "evt_1"), there.told("events", "list")
    assert told.pop("nearest") == "only"
    assert [decision.pop("run") for decision in told["decisions"]] == [None]
    assert [decision.pop("claimed") for decision in told["decisions"]] == [None]
    assert [decision.pop("became") for decision in told["decisions"]] == [None]
    assert [decision.pop("text") for decision in told["decisions"]] == [None]
    assert [decision.pop("configuration") for decision in told["decisions"]] == ["sha"]
    assert told == listed


def test_it_is_short_for_rules_why(there):
    there.kept(comment("evt_1"), only("no"))

    assert there.told("rules", "why", "evt_1") == there.told("why", "evt_1")


def test_last_is_the_newest(there):
    there.only_kept(comment("evt_1"), comment("evt_2"))

    assert there.told("why", "--last")["id"] == "evt_2"


@pytest.mark.parametrize("name", ["evt_1", "d-evt_1"])
def test_an_exact_id_is_meant_even_where_longer_ones_begin_with_it(there, name):
    there.only_kept(comment("evt_1"), comment("evt_11"))

    assert there.told("why", name)["id"] == "evt_1"


def test_a_beginning_that_fits_several_names_them_all(there):
    there.only_kept(comment("evt_1"), comment("evt_2"))

    result = there.doorbell("why", "evt_")
    assert result.exit_code == 1
    assert "'evt_' names more than one event: evt_1, evt_2" in result.stderr


@pytest.mark.parametrize("name", ["evt_9", "%", "_", ""])
def test_a_name_of_nothing_is_exit_one(there, name):
    there.only_kept(comment("evt_1"))

    result = there.doorbell("why", name)
    assert result.exit_code == 1
    assert f"there is no event whose id is or begins with {name!r}" in result.stderr


def test_before_the_first_event_last_says_that_there_is_none(there):
    there.only_kept()

    result = there.doorbell("why", "--last")
    assert result.exit_code == 1
    assert "no event has been kept yet" in result.stderr


@pytest.mark.parametrize("words", [(), ("evt_1", "--last")])
def test_it_wants_an_event_or_last_and_not_both(there, words):
    there.only_kept(comment("evt_1"))

    assert there.doorbell("why", *words).exit_code == 2


def test_r1_people_see_the_leaf_that_failed_with_what_was_expected_and_what_came(there):
    there.kept(comment("evt_1", text="It fails."), only("It works."))

    shown = there.doorbell("why", "evt_1").stdout
    assert "only: nearest, ignore: no match: when.comment.body" in shown
    assert '✓ on glob ["github/*"]   came: github/issue_comment.created' in shown
    assert "✗ when.comment.body eq It works.   came: It fails." in shown


def test_a_run_that_was_started_is_named_as_soon_as_there_is_one(there):
    there.kept(comment("evt_1"), rule(id="r"))
    assert there.told("why", "evt_1")["decisions"][0]["run_id"] is None

    workflow_id = workflow_id_of("r", KEY)
    there.began("evt_1", workflow_id=workflow_id)

    run_id = run_id_of(workflow_id, 1)
    assert there.told("why", "evt_1")["decisions"][0]["run_id"] == run_id
    shown = there.doorbell("why", "evt_1").stdout
    assert f"run {run_id} (ready): running, 0 turns, 0 tokens, 0.0000 USD" in shown


def test_r1_the_nearest_rule_comes_first_with_the_leaf_that_failed_it_first(there):
    fits = Leaf(path="action", operator=Operator.EQ, expected="created")
    near = rule("near", when=All((fits, only("It works.").when)))
    there.kept(comment("evt_1"), rule("far", on=("stripe/*",)), only("no"), near)

    lines = [line.strip("├└─│ ") for line in there.doorbell("why", "evt_1").stdout.splitlines()]
    assert lines[1:5] == [
        "near: nearest, ignore: no match: when.comment.body",
        "✗ when.comment.body eq It works.   came: It fails.",
        '✓ on glob ["github/*"]   came: github/issue_comment.created',
        "✓ when.action eq created   came: created",
    ]
    assert lines[-2:] == [
        "far: ignore: no match: on",
        '✗ on glob ["stripe/*"]   came: github/issue_comment.created',
    ]


def test_an_event_that_waits_for_its_decision_says_so(there):
    there.only_kept(comment("evt_1"))

    assert "received: nothing has been decided yet" in there.doorbell("why", "evt_1").stdout


def test_d3_other_bytes_under_a_known_delivery_id_are_told_as_quarantined(there):
    there.only_kept(comment("evt_1"))
    there.only_kept(replace(comment("evt_2"), delivery_id="d-evt_1"))

    shown = there.doorbell("why", "evt_2").stdout
    assert "quarantined: it came under the delivery id of evt_1 with other bytes" in shown


def test_with_no_rule_at_all_it_says_that(there):
    there.kept(comment("evt_1"))

    assert "decided: there was no rule to ask" in there.doorbell("why", "evt_1").stdout


def test_r1_the_rule_is_shown_as_it_stood_when_it_decided(there):
    files = Files(root=Path(), texts={"rules/a.yaml": "first:\n  on: x\nonly:\n  on: [github/*]\n"})
    there.write(configurations.came, files.content(), AT)
    there.kept(comment("evt_1"), only("no"), configuration=files.digest())

    (decision,) = there.told("why", "evt_1")["decisions"]

    assert decision["configuration"] == files.digest()
    assert decision["text"] == "only:\n  on: [github/*]"
