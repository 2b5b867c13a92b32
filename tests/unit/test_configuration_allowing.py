"""`args:`, `optional:` and `on_drift:` of a playbook, as people write them."""

import pytest

from tests.support.configurations import PLAYBOOK, configuration
from workflows.playbook import Allowed, OnDrift


def book(**changes):
    text = PLAYBOOK
    for before, after in changes.values():
        text = text.replace(before, after)
    return configuration(playbooks__triage_md=text)


def args(text):
    return book(args=("max: 2", f"max: 2, args: {text}"))


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("{labels: [bug, question]}", {"labels": Allowed(values=("bug", "question"))}),
        ("{method: update}", {"method": Allowed(values=("update",))}),
        ("{n: [1, true, 1.5, null, x]}", {"n": Allowed(values=(1, True, 1.5, None, "x"))}),
        ("{title: {pattern: '[A-Z].*'}}", {"title": Allowed(pattern="[A-Z].*")}),
        ("{amount: {at_most: 100}}", {"amount": Allowed(at_most=100)}),
        (
            "{amount: {values: [1, 500], at_most: 100}}",
            {"amount": Allowed(values=(1, 500), at_most=100)},
        ),
    ],
)
def test_what_an_argument_may_be_is_said_shortly_or_in_full(text, policy):
    found = args(text)
    assert found.mistakes == ()
    [value] = found.playbooks["triage"].writes["github.issue_write"].args.values()
    assert {next(iter(policy)): value} == policy
    types = [type(one) for one in value.values or ()]
    assert types == [type(one) for one in policy[next(iter(policy))].values or ()]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{labels: []}", "8:46: expected at least one value that is allowed, got none"),
        ("{labels: null}", "expected at least one value that is allowed, got none"),
        ("{labels: {}}", "expected `values`, `pattern` or `at_most`, got nothing"),
        ("{labels: {value: 3}}", "unknown key 'value'; did you mean 'values'?"),
        ("{labels: '{{ with.owner }}'}", "expected a plain value, a template stands under `bind:`"),
        ("{labels: [{name: bug}]}", "expected texts, numbers, true or false, got {'name': 'bug'}"),
        ("{labels: {pattern: 'a('}}", "expected a regular expression (RE2 syntax), got 'a('"),
        ("{labels: {pattern: '(?=a)'}}", "expected a regular expression (RE2 syntax)"),
        ("{labels: {pattern: 'a{1,2000}'}}", "size: {1,2000} (RE2 repeats 1000 times at most)"),
        ("{labels: {at_most: '3'}}", "expected a number, got '3'"),
        ("{labels: {at_most: true}}", "expected a number, got True"),
        ("[labels]", "got a list"),
    ],
)
def test_what_can_not_be_kept_is_named_with_its_place(text, said):
    [mistake] = args(text).mistakes
    assert said in str(mistake)


def test_a_playbook_says_what_it_can_do_without_and_what_becomes_of_drift():
    plain = book().playbooks["triage"]
    assert (plain.optional, plain.on_drift) == ((), OnDrift.PARK)
    told = book(more=("writes:", "optional: github\non_drift: drop\nwrites:"))
    assert told.mistakes == ()
    found = told.playbooks["triage"]
    assert (found.optional, found.on_drift) == (("github",), OnDrift.DROP)


def test_a_server_that_is_not_used_can_not_be_optional():
    [mistake] = book(more=("writes:", "optional: [githb]\nwrites:")).mistakes
    assert "8:12: 'githb' is not under `tools:`; did you mean 'github'?" in str(mistake)
