"""`limits:` and `auth:` of servers, as files say them."""

import pytest

from orchestrator.secrets import Secret
from orchestrator.servers import CallLimits, OAuth, Pace
from tests.support.configurations import SECRETS, SERVERS, configuration, mistakes

LIMITED = """\
  limits: {concurrent: 5, rate: 10/s, wait: 45s}
  tools:
    issue_write: {limits: {rate: 60/m}}
    issue_read: {effect: read, limits: {concurrent: 2}}
"""
OAUTH = """\
crm:
  url: https://crm.example/mcp
  auth: {oauth: {client_id: doorbell, client_secret: env:CRM, issuer: "https://id.example", scope: "a b"}}
"""


def test_h3_the_limits_of_a_server_and_of_its_tools_are_read():
    server = configuration(servers_yaml=SERVERS + LIMITED).servers["github"]

    assert server.limits == CallLimits(
        concurrent=5, pace=Pace(most=10, window=1.0, said="10/s"), wait=45.0
    )
    assert server.tool_limits == {
        "issue_write": CallLimits(pace=Pace(most=60, window=60.0, said="60/m")),
        "issue_read": CallLimits(concurrent=2),
    }


def test_h3_who_says_nothing_has_no_limits():
    server = configuration().servers["github"]

    assert (server.limits, server.tool_limits) == (None, {})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("limits: {}", "expected `concurrent` or `rate`, got neither"),
        ("limits: {wait: 5s}", "expected `concurrent` or `rate`, got neither"),
        ("tools: {a: {limits: {wait: 5s}}}", "expected `concurrent` or `rate`, got neither"),
        ("limits: {concurrent: 0}", "expected at least 1, got 0"),
        ("limits: {rate: fast}", "expected a rate such as 5/h"),
        ("limits: {rate: 5/s, wait: 2m}", "expected at most 60s, got more"),
        ("limits: {rates: 5/s}", "did you mean 'rate'"),
        (
            "tools: {a: {}}",
            "expected at least one of `effect`, `idempotency`, `limits`, `marker`, `result`, `timeout`",
        ),
    ],
)
def test_h3_what_limits_nothing_or_nonsense_is_a_mistake(text, said):
    assert any(said in one for one in mistakes(servers_yaml=f"{SERVERS}  {text}\n"))


def test_h3_client_credentials_are_read_with_their_secret():
    loaded = configuration(environment={**SECRETS, "CRM": "hunter22"}, servers_yaml=SERVERS + OAUTH)

    assert loaded.servers["crm"].oauth == OAuth(
        client_id="doorbell",
        client_secret=Secret("env:CRM", "hunter22"),
        issuer="https://id.example",
        scope="a b",
    )


def test_h3_an_unset_client_secret_is_a_warning_and_the_server_goes_without():
    loaded = configuration(servers_yaml=SERVERS + OAUTH)

    assert loaded.servers["crm"].oauth is None
    assert any("env:CRM is unset" in str(warning) for warning in loaded.warnings)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("auth: {}", "expected either `bearer` or `oauth`"),
        (
            "auth: {bearer: env:TOKEN, oauth: {client_id: a, client_secret: env:TOKEN, issuer: 'https://x'}}",
            "expected either `bearer` or `oauth`",
        ),
        ("auth: {oauth: {client_id: a, client_secret: env:TOKEN}}", "the key 'issuer' is missing"),
        (
            "auth: {oauth: {client_id: a, client_secret: plain, issuer: 'https://x'}}",
            "expected a reference",
        ),
        (
            "auth: {oauth: {client_id: a, client_secret: env:TOKEN, issuer: 'http://x'}}",
            "expected the issuer's URL",
        ),
        (
            "auth: {bearer: env:TOKEN}, headers: {authorization: env:TOKEN}",
            "`auth:` sets the header Authorization",
        ),
    ],
)
def test_h3_half_an_authentication_is_a_mistake(text, said):
    found = mistakes(servers_yaml=f"{SERVERS}crm: {{url: 'https://crm.example/mcp', {text}}}\n")

    assert any(said in one for one in found), found
