"""`flow:` of a rule: what it means, and what doesn't fit together."""

import pytest

from tests.support.configurations import RULE, configuration, mistakes
from workflows.flow import Coalesce, Mode


def flow(text, rule=RULE):
    return {"rules__triage_yaml": f"{rule}  flow: {text}\n"}


@pytest.mark.parametrize("mode", Mode)
def test_r3_every_mode_is_a_word_of_the_grammar(mode):
    (rule,) = configuration(**flow(f"{{mode: {mode.value}}}")).rules

    assert (rule.mode, rule.coalesce) == (mode, None)


def test_r3_coalesce_says_for_how_long_a_run_waits_for_more():
    (rule,) = configuration(**flow("{coalesce: {quiet: 30s, within: 5m}}")).rules

    assert rule.coalesce == Coalesce(quiet=30.0, within=300.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{coalesce: {quiet: 30s}}", "'within' is missing"),
        ("{coalesce: {quiet: 0s, within: 5m}}", "between 1s and 400d"),
        ("{coalesce: {quiet: 5m, within: 30s}}", "expected at least `quiet` (5m)"),
        ("{coalesce: {quiet: 5m, within: 2d}}", "at most 1d, got '2d'"),
        ("{mode: parallel, coalesce: {quiet: 3s, within: 5m}}", "no mode 'parallel'"),
        ("{mode: queue, burst: 3}", "unknown key 'burst'"),
    ],
)
def test_what_does_not_fit_together_is_said(text, said):
    assert said in str(mistakes(**flow(text)))


def test_a_mode_about_a_key_wants_a_key():
    keyless = RULE[: RULE.index("  key:")]
    assert "'queue' is about events of one key" in str(mistakes(**flow("{mode: queue}", keyless)))
