"""R5: limits.yaml and the money keys of a rule; whatever can't be read there allows nothing."""

from decimal import Decimal
from pathlib import Path

import pytest

from orchestrator.configuration.load import load
from orchestrator.rules.caps import Allowance, Cap, Caps, Price
from tests.support.configurations import RULE, configuration, mistakes, no_file
from workflows.playbook import OverBudget

WHOLE = """\
usd_per_day: 50
tokens_per_day: 20M
usd_per_actor_day: 5.50
tokens_per_actor_day: 2M
zone: Europe/Berlin
prices:
  my-model: {input: 3, output: 15}
"""


def limited(text):
    return mistakes(rules__triage_yaml=f"{RULE}  limits: {text}\n")


def test_r5_limits_yaml_says_what_everything_together_may_spend():
    assert configuration(limits_yaml=WHOLE).allowance == Allowance(
        day=Cap(usd=Decimal(50), tokens=20_000_000),
        actor_day=Cap(usd=Decimal("5.5"), tokens=2_000_000),
        zone="Europe/Berlin",
        prices={"my-model": Price(input=Decimal(3), output=Decimal(15))},
    )


@pytest.mark.parametrize("text", [None, "", "# nothing yet\n", "{}\n"])
def test_r5_without_limits_only_the_rules_and_playbooks_limit(text):
    assert configuration(limits_yaml=text).allowance == Allowance()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("usd_per_dya: 5\n", "conf/limits.yaml:1:1: unknown key 'usd_per_dya'; did you mean"),
        ("zone: Europe/Brelin\n", "conf/limits.yaml:1:7: expected a time zone such as"),
        ("usd_per_day: much\n", "conf/limits.yaml:1:14: expected an amount in US dollars"),
        ("prices: {m: {input: 3}}\n", "the key 'output' is missing"),
        ("- usd_per_day\n", "expected a mapping, got a list"),
        ("usd_per_day: 5\nusd_per_day: 6\n", "conf/limits.yaml:2:1"),
        ("{\n", "conf/limits.yaml:"),
        ("on_over_budget: park\n", "unknown key 'on_over_budget'"),
    ],
)
def test_r5_a_mistake_is_shown_and_nothing_may_be_spent(text, said):
    found = configuration(limits_yaml=text)

    assert said in str(found.mistakes[0])
    assert found.allowance.broken
    assert [rule.name for rule in found.rules] == ["triage"]


def test_r5_a_limits_yaml_that_is_no_text_allows_nothing(tmp_path: Path):
    (tmp_path / "limits.yaml").write_bytes(b"usd_per_day: 5 # \xff\n")

    assert load(tmp_path, {}, no_file).allowance.broken


def test_r5_a_rule_says_what_it_and_one_actor_may_spend_in_a_day():
    text = "{usd_per_day: 20, usd_per_actor_day: 3, tokens_per_day: 300k, on_over_budget: finish}"
    (rule,) = configuration(rules__triage_yaml=f"{RULE}  limits: {text}\n").rules

    assert rule.caps == Caps(
        day=Cap(usd=Decimal(20), tokens=300_000),
        actor_day=Cap(usd=Decimal(3)),
        over=OverBudget.FINISH,
    )


def test_r5_without_limits_a_rule_parks_over_nothing():
    (rule,) = configuration().rules

    assert rule.caps == Caps()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{usd_a_day: 20}", "unknown key 'usd_a_day'; did you mean 'usd_per_day'?"),
        ("{on_over_budget: stop}", "expected 'park', 'finish' or 'fail'"),
        ("{usd_per_day: -1}", "expected an amount in US dollars"),
        ("{usd_per_day: true}", "expected an amount in US dollars"),
        ("{tokens_per_day: many}", "expected a count"),
        ("20", "got 20"),
    ],
)
def test_r5_a_money_key_that_means_nothing_is_a_mistake(text, said):
    (found,) = limited(text)

    assert said in found
    assert found.startswith("conf/rules/triage.yaml:7:")
