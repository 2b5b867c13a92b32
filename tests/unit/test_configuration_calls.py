"""`call:` in a rule file: what it may say, and every mistake with its place and its way out."""

import pytest

from orchestrator.rules.steps import OnError, Step
from tests.support.configurations import RENOVATE, SERVERS, configuration, mistakes
from workflows.flow import Mode
from workflows.playbook import Stage

KEYED = 'thank:\n  on: github/issues.*\n  key: "issue:{{ event.issue.number }}"\n'
ONE = "  call: [{tool: github.add_issue_comment}]\n"


def said(text):
    prefix = "conf/rules/triage.yaml:"
    return [mistake.removeprefix(prefix) for mistake in mistakes(rules__triage_yaml=text)]


def only(text):
    found = configuration(rules__triage_yaml=text)
    assert (found.mistakes, found.warnings) == ((), ())
    (rule,) = found.rules
    return rule


def test_the_example_of_the_design_is_a_sound_rule():
    rule = only(RENOVATE)

    assert rule.call == (
        Step(
            tool="github.issue_write",
            args={
                "method": "update",
                "owner": "acme",
                "repo": "api",
                "issue_number": "{{ event.number }}",
                "labels": ["dependencies"],
            },
        ),
    )
    assert (rule.playbook, rule.forward, rule.stage) == (None, None, Stage.PREVIEW)
    assert rule.does == "call: github.issue_write"


def test_what_one_call_may_mean_for_those_behind_it():
    rule = only(KEYED + "  call: [{tool: github.a, on_error: continue}, {tool: github.b}]\n")

    assert [step.on_error for step in rule.call] == [OnError.CONTINUE, OnError.END]


def test_r3_nobody_listens_in_a_run_without_a_model_so_calls_of_one_key_stand_in_line():
    assert only(KEYED + ONE).mode is Mode.QUEUE
    assert only(KEYED + ONE + "  flow: {mode: single}\n").mode is Mode.SINGLE
    assert only("thank:\n  on: github/issues.*\n" + ONE).mode is Mode.QUEUE


@pytest.mark.parametrize(
    ("line", "mistake"),
    [
        ("call: []", "4:9: expected at least 1 item, got 0"),
        (f"call: [{', '.join(['{tool: github.a}'] * 11)}]", "at most 10 items"),
        ("call: {tool: github.a}", "4:9: expected a list, got a mapping"),
        ("call: [{args: {}}]", "the key 'tool' is missing"),
        ("call: [{tool: github}]", "4:17: expected server.tool, such as github.issue_write"),
        ("call: [{tool: github.*}]", "4:17: expected a tool's own name, got the pattern"),
        ('call: [{tool: "github.{{ event.tool }}"}]', "expected a tool's own name"),
        ("call: [{tool: gihub.a}]", "4:17: unknown server 'gihub'; did you mean 'github'?"),
        ('call: [{tool: github.a, args: {n: ["{{ issue.n }}"]}}]', "unknown name 'issue'"),
        ('call: [{tool: github.a, args: {n: "{{ event. }}"}}]', "4:37: "),
        ("call: [{tool: github.a, on_eror: end}]", "unknown key 'on_eror'; did you mean"),
        ("call: [{tool: github.a, on_error: stop}]", "expected 'end' or 'continue', got 'stop'"),
    ],
)
def test_a_mistake_in_a_call_is_told_with_its_place(line, mistake):
    (found,) = said(f"{KEYED}  {line}\n")

    assert mistake in found


@pytest.mark.parametrize(
    ("line", "mistake"),
    [
        ("run: triage", "expected one action, `run:`, `forward:` or `call:`, got several"),
        ("with: {n: 1}", "'with' is what a playbook is given; give each call its `args:`"),
        ("flow: {mode: signal}", "expected queue, single, supersede or parallel"),
        ("limits: {usd_per_day: 3}", "'usd_per_day' is about what a model costs"),
        ("limits: {on_over_budget: fail}", "'on_over_budget' is about what a model costs"),
    ],
)
def test_what_means_nothing_beside_a_call_is_said(line, mistake):
    (found,) = said(f"{KEYED}{ONE}  {line}\n")

    assert mistake in found


def test_limits_that_count_runs_and_events_hold_for_calls_too():
    rule = only(f"{KEYED}{ONE}  limits: {{concurrent: 2, per_key: 3/h, cooldown: 1m}}\n")

    assert rule.limits.concurrent == 2


def test_a_rule_whose_server_is_broken_does_not_act():
    broken = configuration(rules__triage_yaml=RENOVATE, servers_yaml=f"{SERVERS}  comand: x\n")

    assert len(broken.mistakes) == 1
    assert broken.rules == ()
