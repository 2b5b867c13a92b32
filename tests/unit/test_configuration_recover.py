"""`expect`, `recover` and `catch_up` of a source: read, checked together, and unknown where nothing enforces them."""

from datetime import timedelta

import pytest

from orchestrator.configuration.document import read
from orchestrator.configuration.recover import place_of
from orchestrator.configuration.sources import sources_of
from orchestrator.errors import OperatorError

ENVIRONMENT = {"SECRET": "hush", "GITHUB_TOKEN": "ghp_1"}
SOUND = """\
github:
  scheme: github
  secrets: env:SECRET
"""


def found(text, environment=ENVIRONMENT):
    return sources_of(read("sources.yaml", text), environment, lambda _path: None)


def said(text):
    return [flaw.message for flaw in found(text).flaws]


def test_a_source_may_say_how_often_it_rings_and_how_what_was_missed_is_found():
    one = found(
        SOUND + "  expect: every 6h\n  catch_up: 2d\n"
        "  recover: {token: env:GITHUB_TOKEN, repo: acme/api, every: 5m, hook: 12,"
        " api: https://github.acme.example/api/v3/}\n"
    )

    assert (one.flaws, one.warnings) == ([], [])
    source = one.things["github"]
    assert (source.expect, source.catch_up) == (timedelta(hours=6), timedelta(days=2))
    assert source.recover.api == "https://github.acme.example/api/v3"
    assert (source.recover.place, source.recover.hook) == ("/repos/acme/api", 12)
    assert source.recover.every == timedelta(minutes=5)
    assert source.recover.token.reveal() == "ghp_1"
    assert "ghp_1" not in repr(source)


def test_what_nobody_says_is_every_ten_minutes_for_a_day_and_no_expectation():
    plain = found(SOUND).things["github"]
    source = found(SOUND + "  recover: {token: env:GITHUB_TOKEN, org: acme}\n").things["github"]

    assert (plain.expect, plain.recover) == (None, None)
    assert (source.recover.place, source.recover.hook) == ("/orgs/acme", None)
    assert source.recover.every == timedelta(minutes=10)
    assert source.recover.api == "https://api.github.com"
    assert source.catch_up == timedelta(hours=24)


def test_a_token_that_is_unset_is_a_warning_and_the_source_rings_all_the_same():
    one = found(SOUND + "  recover: {token: env:UNSET, repo: acme/api}\n")

    assert [flaw.message for flaw in one.warnings] == [
        "env:UNSET is unset: what was missed is not fetched until it is set"
    ]
    assert one.things["github"].recover is None


WRONG = {
    "expect: 6h": "expected `every` and a duration, such as `every 6h`, got '6h'",
    "expect: every now and then": "expected a duration such as 30s, 5m, 2h or 14d, got 'now and then'",
    "expect: every 5s": "expected at least 60s, got less",
    "catch_up: 24h": "`catch_up` limits what `recover` brings in: add `recover`, or remove it",
    "recover: {repo: acme/api}": "the key 'token' is missing",
    "recover: {token: ghp_1, repo: acme/api}": (
        "expected a reference, env:NAME or file:/path, not the secret itself"
    ),
    "recover: {token: env:T}": "expected either a repo as OWNER/NAME or an org as NAME",
    "recover: {token: env:T, repo: a/b, org: c}": (
        "expected either a repo as OWNER/NAME or an org as NAME"
    ),
    "recover: {token: env:T, repo: acme}": (
        "expected a repo as OWNER/NAME or an org as NAME, got 'acme'"
    ),
    "recover: {token: env:T, repo: a/b, every: 1s}": "expected at least 10s, got less",
    "recover: {token: env:T, repo: a/b, api: http://evil.example}": (
        "expected the API's URL, https://..., without user, query and fragment"
    ),
    "recover: {token: env:T, app: true}": "unknown key 'app'",
}


@pytest.mark.parametrize("line", WRONG)
def test_o2_what_does_not_fit_is_a_mistake_that_says_what_was_expected(line):
    assert any(message.startswith(WRONG[line]) for message in said(f"{SOUND}  {line}\n"))


def test_only_github_lists_what_it_delivered():
    text = SOUND.replace("scheme: github", "scheme: stripe")

    assert said(f"{text}  recover: {{token: env:T, repo: a/b}}\n") == [
        "only 'github' lists what it delivered, 'stripe' doesn't: remove `recover`"
    ]


def test_any_source_may_be_expected():
    text = SOUND.replace("scheme: github", "scheme: stripe") + "  expect: every 1d\n"

    assert found(text).things["github"].expect == timedelta(days=1)


@pytest.mark.parametrize("repo", ["../..", "a/b/c", "a b/c", "acme/..", "a/b?x=1", "/", "a/b\n"])
def test_d7_no_repository_leads_to_another_place_of_the_api(repo):
    with pytest.raises(OperatorError, match="expected a repo as OWNER/NAME"):
        place_of(repo, None)
