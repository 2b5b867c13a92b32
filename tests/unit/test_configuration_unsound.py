"""A rule that can't be used is known by its name, with what it would be asked about: a backstop must not act for it."""

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.configuration.files import Files
from orchestrator.configuration.load import configured
from orchestrator.errors import Mistake
from orchestrator.rules.rulebook import Page
from tests.support.configurations import (
    PLAYBOOK,
    RULE,
    SECRETS,
    SOUND,
    configuration,
    no_file,
)

ITS_OWN = (Page(name="triage", on=("github/issues.opened",)),)
ANYTHING = (Page(name="triage", on=("*/*",)),)


def unsound(**texts):
    return configuration(**texts).unsound


def test_where_everything_is_sound_there_is_none():
    assert unsound() == ()
    assert unsound(rules__none_yaml="# nothing yet\n") == ()


@pytest.mark.parametrize(
    "texts",
    [
        {"rules__triage_yaml": RULE + "  stage: lively\n"},
        {"rules__triage_yaml": RULE + "  limits: {concurent: 1}\n"},
        {"rules__triage_yaml": RULE.replace("owner:", "ownr:")},
        {"playbooks__triage_md": PLAYBOOK.replace("budget:", "bugdet:")},
    ],
)
def test_a_rule_with_a_mistake_or_whose_playbook_has_one_wants_what_it_is_on(texts):
    assert unsound(**texts) == ITS_OWN


def test_a_rule_whose_on_is_wrong_might_want_everything():
    unknown = RULE.replace("github/issues.opened", "githb/issues.opened")

    assert unsound(rules__triage_yaml=unknown) == ANYTHING
    assert unsound(rules__triage_yaml=unknown + "  stage: lively\n") == ANYTHING
    assert unsound(rules__triage_yaml="triage: {on: [7], run: triage}") == ANYTHING
    assert unsound(rules__triage_yaml="triage: yes") == ANYTHING
    assert unsound(rules__triage_yaml=RULE + "  on: github/push\n") == ANYTHING, "twice"


def test_what_names_a_person_or_us_wants_nothing_that_anybody_else_sends():
    said = RULE.replace("github/issues.opened", "operator/run.cancel")
    notice = RULE.replace("github/issues.opened", "doorbell/tpyo")

    assert unsound(rules__triage_yaml=said) == (Page(name="triage", on=("operator/run.cancel",)),)
    assert unsound(rules__triage_yaml=notice) == (Page(name="triage", on=("doorbell/tpyo",)),)


def test_a_file_that_nobody_can_read_stands_for_its_rules():
    stands = (Page(name="conf/rules/triage.yaml", on=("*/*",)),)

    assert unsound(rules__triage_yaml="triage: [") == stands
    assert unsound(rules__triage_yaml="- triage\n") == stands
    texts = {name: text for name, text in SOUND.items() if not name.startswith("rules/")}
    too_long = Mistake(file="conf/rules/triage.yaml", line=1, column=1, message="too long")
    files = Files(root=Path("conf"), texts=texts, mistakes=[too_long])
    assert configured(files, SECRETS, no_file).unsound == stands
    limits = replace(too_long, file="conf/limits.yaml")
    files = Files(root=Path("conf"), texts=texts, mistakes=[limits])
    assert configured(files, SECRETS, no_file).unsound == ()


def test_of_two_rules_with_one_name_the_second_is_unsound():
    second = RULE.replace("issues.opened", "push")

    assert unsound(rules__two_yaml=second) == (Page(name="triage", on=("github/push",)),)


def test_a_second_backstop_keeps_nothing_from_the_first():
    last = "last:\n  backstop: true\n  run: triage\n  with: {owner: acme, number: 7}\n"

    assert unsound(rules__a_yaml=last, rules__b_yaml=last.replace("last:", "more:")) == ()
