"""The counting keys of a rule's `limits:`, its `dedupe:` and `backstop:`, as people write them."""

from datetime import timedelta

import pytest

from orchestrator.rules.limits import Cooldown, Dedupe, Limits, Rate
from tests.support.configurations import RULE, SECRETS, configuration, mistakes

OUT = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
FORWARD = """\
onward:
  on: github/*
  forward: {url: "https://example.com/x", secret: env:OUT}
"""
BACKSTOP = """\
last:
  backstop: true
  run: triage
  with: {owner: acme, number: 7}
"""


def only(text):
    (rule,) = configuration(rules__triage_yaml=RULE + text).rules
    return rule


def test_limits_say_how_many_runs_and_how_often():
    rule = only("  limits: {concurrent: 5, per_actor: 5/h, per_key: 3/30m, cooldown: 10m}\n")

    assert rule.limits == Limits(
        concurrent=5,
        per_actor=Rate(most=5, window=timedelta(hours=1), said="5/h"),
        per_key=Rate(most=3, window=timedelta(minutes=30), said="3/30m"),
        cooldown=Cooldown(window=timedelta(minutes=10), said="10m"),
    )


def test_a_second_key_is_a_template_and_a_window():
    rule = only('  dedupe: {key: "{{ event.invoice }}", window: 24h}\n')

    assert rule.dedupe == Dedupe(key="{{ event.invoice }}", window=timedelta(days=1), said="24h")


def test_without_them_nothing_is_limited():
    rule = only("")

    assert (rule.limits, rule.dedupe, rule.backstop) == (Limits(), None, False)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "limits: {per_actor: 5}",
            "expected a rate such as 5/h, 10/d or 3/30m, at most 10000, got 5",
        ),
        ("limits: {per_actor: 0/h}", "expected a rate such as"),
        ("limits: {per_actor: 10001/h}", "expected a rate such as"),
        ("limits: {per_actor: 5/0h}", "expected a duration between 1s and 400d"),
        ("limits: {per_key: 5/401d}", "expected a duration between 1s and 400d"),
        ("limits: {cooldown: 0s}", "expected a duration between 1s and 400d"),
        ("limits: {cooldown: soon}", "expected a duration such as 30s"),
        ("limits: {concurrent: 0}", "expected at least 1, got 0"),
        ("limits: {per_aktor: 5/h}", "unknown key 'per_aktor'; did you mean 'per_actor'?"),
        (
            "dedupe: {key: same, window: 1h}",
            "'same' is the same for every event: expected a template",
        ),
        ('dedupe: {key: "{{ evnt.x }}", window: 1h}', "unknown name 'evnt'; did you mean 'event'?"),
        ('dedupe: {key: "{{ event.x }}"}', "the key 'window' is missing"),
        ("backstop: maybe", "expected a valid boolean, got 'maybe'"),
    ],
)
def test_what_cannot_be_counted_is_a_mistake_with_its_place(text, said):
    (mistake,) = mistakes(rules__triage_yaml=f"{RULE}  {text}\n")

    assert mistake.startswith("conf/rules/triage.yaml:7:")
    assert said in mistake


@pytest.mark.parametrize("key", ["per_key: 5/h", "cooldown: 5m"])
def test_a_limit_by_key_needs_a_key(key):
    keyless = RULE.replace('  key: "issue:{{ event.number }}"\n', "")
    name = key.partition(":")[0]

    (mistake,) = mistakes(rules__triage_yaml=f"{keyless}  limits: {{{key}}}\n")

    assert mistake.endswith(f"{name!r} counts by key: give the rule a `key:`")


def test_a_forward_may_be_counted_but_opens_no_runs():
    counted = configuration(
        {**SECRETS, "OUT": OUT}, rules__more_yaml=f"{FORWARD}  limits: {{per_actor: 5/h}}\n"
    )
    assert counted.mistakes == ()
    (onward,) = [rule for rule in counted.rules if rule.forward is not None]
    assert onward.limits.per_actor.most == 5

    for key in ("concurrent: 5", "usd_per_day: 5", "on_over_budget: fail"):
        text = f"{FORWARD}  limits: {{{key}}}\n"
        (mistake,) = configuration({**SECRETS, "OUT": OUT}, rules__more_yaml=text).mistakes
        assert "means nothing beside `forward:`: remove it" in str(mistake)


def test_a_backstop_needs_no_on_and_every_other_rule_does():
    rules = {rule.name: rule for rule in configuration(rules__last_yaml=BACKSTOP).rules}
    assert rules["last"].backstop
    assert rules["last"].on == ("*/*",)

    (mistake,) = mistakes(rules__last_yaml=BACKSTOP.replace("  backstop: true\n", ""))
    assert mistake == "conf/rules/last.yaml:1:1: the key 'on' is missing"


def test_there_is_one_backstop_in_all_files_and_the_first_one_runs():
    second = BACKSTOP.replace("last:", "other:")
    found = configuration(rules__last_yaml=BACKSTOP, rules__other_yaml=second)

    (mistake,) = found.mistakes
    assert str(mistake) == (
        "conf/rules/other.yaml:2:3: the backstop is 'last' already, at conf/rules/last.yaml:1:"
        " there can be only one"
    )
    assert [rule.name for rule in found.rules if rule.backstop] == ["last"]
