"""`forward:` in a rule file: what it may say, and every mistake with its place and its way out."""

import json
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.configuration.files import Files
from orchestrator.configuration.load import configured
from orchestrator.secrets import Secret
from tests.support.receiving import NEWER, WHSEC

SOURCES = "github:\n  scheme: github\n  secrets: [env:HOOK]\n"
SECRETS = {"HOOK": "s3cret", "NEW": NEWER, "OLD": WHSEC, "TOKEN": "Bearer t0ken", "BAD": "not one"}


def loaded(rule, environment=None):
    lines = "".join(f"  {line}\n" for line in rule.strip().splitlines())
    text = f"onward:\n  on: github/issues.opened\n{lines}"
    texts = {"sources.yaml": SOURCES, "rules/onward.yaml": text}
    files = Files(root=Path("conf"), texts=texts)
    return configured(files, SECRETS if environment is None else environment, lambda _path: None)


def forwarded(entry, **beside):
    more = "".join(f"{key}: {text}\n" for key, text in beside.items())
    return loaded(f"forward: {entry}\n{more}")


def mistakes(found):
    return [str(mistake).removeprefix("conf/rules/onward.yaml:") for mistake in found.mistakes]


def warnings(found):
    return [str(warning).removeprefix("conf/rules/onward.yaml:") for warning in found.warnings]


def test_a_rule_may_forward_instead_of_running():
    found = forwarded("{url: https://hooks.example.com/in?x=1, secret: env:NEW}", key='"a:b"')

    assert (found.mistakes, found.warnings) == ((), ())
    (rule,) = found.rules
    assert (rule.playbook, rule.key) == (None, "a:b")
    assert rule.does == "forward → https://hooks.example.com"
    assert rule.forward.url == "https://hooks.example.com/in?x=1"
    assert [secret.reveal() for secret in rule.forward.secrets] == [NEWER]
    assert (rule.forward.timeout, rule.forward.private) == (timedelta(seconds=10), False)


def test_everything_it_may_say():
    found = forwarded(
        "{url: http://10.0.0.5:8080/in, secret: [env:NEW, env:OLD], timeout: 5s, private: true, "
        "headers: {X-Team: ops, Authorization: env:TOKEN, X-Number: 7}}"
    )

    assert found.mistakes == ()
    to = found.rules[0].forward
    assert [secret.reference for secret in to.secrets] == ["env:NEW", "env:OLD"]
    assert (to.timeout, to.private, to.label) == (
        timedelta(seconds=5),
        True,
        "http://10.0.0.5:8080",
    )
    assert to.headers["X-Team"] == "ops"
    assert to.headers["X-Number"] == "7"
    assert isinstance(to.headers["Authorization"], Secret)
    assert to.unset == ()
    assert "t0ken" not in repr(found.rules)
    assert NEWER not in repr(found.rules)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("when: {}", "1:1: expected one action, `run:`, `forward:` or `call:`, got none"),
        (
            "run: triage\nforward: {url: https://a.example, secret: env:NEW}",
            "1:1: expected one action, `run:`, `forward:` or `call:`, got several: make a rule of each",
        ),
        ("forward: https://a.example", "3:12: expected a mapping with url, secret, timeout"),
        ("forward: {url: https://a.example}", "3:3: the key 'secret' is missing"),
        ("forward: {secret: env:NEW}", "3:3: the key 'url' is missing"),
    ],
)
def test_a_rule_has_exactly_one_action(rule, said):
    assert any(mistake.startswith(said) for mistake in mistakes(loaded(rule)))


@pytest.mark.parametrize(
    ("key", "text"), [("with", "{a: 1}"), ("flow", "{mode: parallel}"), ("stage", "live")]
)
def test_what_says_how_to_run_means_nothing_beside_a_forward(key, text):
    found = forwarded("{url: https://a.example, secret: env:NEW}", **{key: text})

    said = f"{key!r} says how a playbook is run and means nothing beside `forward:`: remove it"
    assert mistakes(found) == [f"4:3: {said}"]
    assert found.rules == ()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://a.example/x", "expected https"),
        ("ftp://a.example/x", "expected the address"),
        ("https:///x", "expected the address"),
        ("a.example/x", "expected the address"),
        ("https://a.example:0/x", "expected the address"),
        ("https://a.example:99999/x", "expected the address"),
        ("https://[::1/x", "expected the address"),
        ("https://a.example/{{ event.path }}", "expected the address"),
        ("https://a.example/a b", "expected the address"),
        ("https://a.example\\\\@b.example/", "expected the address"),
        ("https://bücher.example/", "expected the address"),
        ("https://user:pass@a.example/x", "expected no user or password"),
        ("https://user@a.example/x", "expected no user or password"),
        ("https://a.example/x#part", "without `#`"),
        ("https://a_.-b.example/x", "expected a host's name"),
        ("https://a..example/x", "expected a host's name"),
        ("https://%61.example/x", "expected a host's name"),
        ("https://127.0.0.1/x", "127.0.0.1 is loopback; `private: true` allows your own network"),
        ("https://[::1]/x", "::1 is loopback; `private: true`"),
        ("https://[::ffff:10.0.0.1]/x", "is private"),
        ("https://localhost/x", "127.0.0.1 is loopback"),
        ("https://api.localhost./x", "127.0.0.1 is loopback"),
        ("https://169.254.169.254/latest", "a cloud's metadata"),
    ],
)
def test_an_address_that_is_none_or_leads_inside_is_a_mistake(url, said):
    (mistake,) = mistakes(forwarded(f'{{url: "{url}", secret: env:NEW}}'))

    assert mistake.startswith("3:18: ")
    assert said in mistake
    assert "pass@" not in mistake


@pytest.mark.parametrize(
    "url", ["http://localhost:1/x", "http://127.0.0.1/x", "https://[fd00::1]/"]
)
def test_the_own_network_is_allowed_where_that_is_said(url):
    assert mistakes(forwarded(f'{{url: "{url}", secret: env:NEW, private: true}}')) == []


def test_a_clouds_metadata_is_nobodys_own_network():
    (mistake,) = mistakes(
        forwarded("{url: http://169.254.169.254/, secret: env:NEW, private: true}")
    )

    assert mistake.endswith("169.254.169.254 is link-local, a cloud's metadata")


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        ("secret: env:BAD", "env:BAD: expected a Standard Webhooks secret"),
        (
            "secret: whsec_abc",
            "expected a reference, env:NAME or file:/path, not the secret itself",
        ),
        ("secret: 4711", "expected env:NAME or file:/path, or a list of them"),
        ("secret: []", "expected env:NAME or file:/path, or a list of them"),
        ("secret: [4711]", "expected a reference"),
        ("secret: env:NEW, timeout: 21s", "expected 1s to 20s, got 21s"),
        ("secret: env:NEW, timeout: 0s", "expected 1s to 20s, got 0s"),
        ("secret: env:NEW, timeout: soon", "expected a duration"),
        ("secret: env:NEW, private: 1", "expected a valid boolean"),
        ("secret: env:NEW, retries: 3", "unknown key 'retries'"),
        ("secret: env:NEW, headers: {Webhook-Id: a}", "'Webhook-Id' is set by us"),
        ("secret: env:NEW, headers: {Host: a}", "'Host' is set by us"),
        ("secret: env:NEW, headers: {Content-Length: 1}", "'Content-Length' is set by us"),
        ("secret: env:NEW, headers: {'X Y': a}", "expected a header's name"),
        ('secret: env:NEW, headers: {X: "a\\r\\nb: c"}', "expected a header's value"),
        ("secret: env:NEW, headers: {X: ü}", "expected a header's value"),
        ("secret: env:NEW, headers: {X: [a]}", "expected a text"),
    ],
)
def test_each_other_mistake_says_what_was_expected_and_never_a_secret(rest, said):
    (mistake,) = mistakes(forwarded(f"{{url: https://a.example, {rest}}}"))

    assert said in mistake
    assert "4711" not in mistake
    assert "whsec_abc" not in mistake


def test_a_secret_that_is_unset_is_a_warning_and_the_rule_still_matches():
    found = loaded(
        "forward: {url: https://a.example, secret: [env:N, env:O], headers: {X: env:P, Y: env:TOKEN}}",
        {"TOKEN": "t"},
    )

    assert found.mistakes == ()
    assert [warning for warning in warnings(found) if "sources" not in warning] == [
        "3:45: secret not set: env:N is unset; events wait until it is set",
        "3:45: secret not set: env:O is unset; it signs nothing until it is set",
        "3:74: header not set: env:P is unset; events wait until it is set",
    ]
    (rule,) = found.rules
    assert rule.forward.unset == ("env:N", "env:P")
    assert list(rule.forward.headers) == ["Y"]


def test_a_second_secret_may_be_unset():
    found = loaded("forward: {url: https://a.example, secret: [env:NEW, env:O]}")

    assert found.rules[0].forward.unset == ()
    assert len(found.rules[0].forward.secrets) == 1


@pytest.mark.parametrize(
    ("url", "label"),
    [
        ("https://A.Example:443/x", "https://a.example"),
        ("https://a.example:8443/secret/path?token=1", "https://a.example:8443"),
        ("https://[2606:4700::1111]/x", "https://[2606:4700::1111]"),
    ],
)
def test_one_destination_has_one_name_that_shows_no_path(url, label):
    found = forwarded(f'{{url: "{url}", secret: env:NEW}}')

    assert found.rules[0].forward.label == label


@given(
    st.text(st.sampled_from("ab.:/@[]?#%\\{}0179-_ \tä\u3002"), max_size=40) | st.text(max_size=40)
)
def test_whatever_stands_as_an_address_is_a_destination_or_a_mistake(text):
    found = forwarded(f"{{url: {json.dumps(f'https://{text}')}, secret: env:NEW}}")

    assert bool(found.rules) is not bool(found.mistakes)
    for rule in found.rules:
        # Who sends it reads it as whoever checked it.
        sent, checked = httpx2.URL(rule.forward.url), urlsplit(rule.forward.url)
        assert (sent.raw_host.decode(), sent.port) == (
            checked.hostname,
            None if checked.port == 443 else checked.port,
        )
        assert not sent.userinfo
