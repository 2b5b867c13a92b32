"""`mcp:` of a source: read, checked together with servers.yaml, and every mistake told offline."""

from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator.agent.text.redacting import secrets_in
from orchestrator.configuration.files import Files
from orchestrator.configuration.load import configured
from orchestrator.signatures.keys import shared_key
from orchestrator.signatures.subscribed import SubscribedScheme

ROOT = "a root of thirty-two random bytes"
URL = "https://doorbell.example/hooks/tickets"
SOUND = f"""\
tickets:
  mcp:
    server: crm
    url: {URL}
    events: [{{name: ticket.created, arguments: {{project: api}}}}, {{name: ticket.closed}}]
    ttl: 6h
  secrets: env:TICKETS
  subject: "{{{{ event.data.id }}}}"
  keys: ["ticket:{{{{ event.data.id }}}}"]
"""
SERVERS = "crm: {url: https://crm.example/mcp}\nchild: {command: [python]}\n"


def found(text, servers=SERVERS, environment=None):
    texts = {"sources.yaml": text, "servers.yaml": servers}
    known = {"TICKETS": ROOT} if environment is None else environment
    return configured(Files(root=Path(), texts=texts), known, lambda _path: None)


def said(text, servers=SERVERS, **more):
    return [mistake.message for mistake in found(text, servers, **more).mistakes]


def test_a_source_says_at_which_server_it_subscribes_and_to_what():
    made = found(SOUND)
    assert (made.mistakes, made.warnings) == ((), ())
    source = made.sources["tickets"]
    assert isinstance(source.scheme, SubscribedScheme)
    assert (source.subscribe.server, source.subscribe.url) == ("crm", URL)
    assert source.subscribe.ttl == timedelta(hours=6)
    wanted = [(one.event, one.arguments) for one in source.subscribe.events]
    assert wanted == [("ticket.created", '{"project":"api"}'), ("ticket.closed", "{}")]
    assert source.dialect.publishes == ("ticket", "subscription")


def test_each_subscription_has_a_secret_of_its_own_that_tells_nothing_of_the_root():
    source = found(SOUND).sources["tickets"]
    secrets = [secret.reveal() for secret in source.secrets]
    assert len(set(secrets)) == 2
    assert [len(shared_key("whsec", one.encode())) for one in secrets] == [32, 32]
    assert ROOT not in repr(source)
    assert not any(one in repr(source) for one in secrets)
    assert {ROOT, *secrets} <= set(secrets_in(source)), "all of them are taken out of what is shown"


def test_the_order_in_which_arguments_are_written_makes_no_other_subscription():
    def marks(arguments):
        text = SOUND.replace("{project: api}", arguments)
        return [one.mark for one in found(text).sources["tickets"].subscribe.events]

    assert marks("{a: 1, b: [2]}") == marks("{b: [2], a: 1}")
    assert marks("{a: 1, b: [2]}") != marks("{a: 1, b: [3]}")


def test_an_unset_secret_is_a_warning_and_nothing_is_subscribed():
    made = found(SOUND, environment={})
    assert [warning.message for warning in made.warnings] == [
        "env:TICKETS is unset: deliveries of 'tickets' are refused until it is set"
    ]
    assert set(made.shut) == {"tickets"}


def test_a_day_is_asked_for_where_nobody_says():
    source = found(SOUND.replace("    ttl: 6h\n", "")).sources["tickets"]
    assert source.subscribe.ttl == timedelta(days=1)


WRONG = {
    "    server: crm\n": ("", "the key 'server' is missing"),
    f"    url: {URL}\n": ("", "the key 'url' is missing"),
    "server: crm": (
        "server: crn",
        "no server 'crn' stands in servers.yaml; did you mean 'crm'?",
    ),
    " crm\n": (
        " child\n",
        "expected a server with `url`, 'child' is a process of ours and tells nobody",
    ),
    "/hooks/tickets": (
        "/hooks/billing",
        (
            "expected a URL that ends in /hooks/tickets, where this source is rung,"
            " got 'https://doorbell.example/hooks/billing'"
        ),
    ),
    "https://doorbell": (
        "http://doorbell",
        "expected the URL at which the server reaches /hooks/SOURCE, https://..., without user and query",
    ),
    "{name: ticket.closed}": (
        "{name: ticket.created, arguments: {project: api}}",
        "'ticket.created' with these arguments stands here already",
    ),
    "ttl: 6h": ("ttl: 90d", "expected at most 30d, got more"),
    "ttl:": ("tll:", "unknown key 'tll'; did you mean 'ttl'?"),
    "  secrets: env:TICKETS\n": ("", "the key 'secrets' is missing"),
    "  subject:": ("  scheme: github\n  subject:", "`mcp` knows its scheme already: remove it"),
    "{{ event.data.id }}": (
        "{{ with.id }}",
        "a source's templates know event and headers, got 'with'",
    ),
}


@pytest.mark.parametrize("right", WRONG)
def test_r6_what_does_not_fit_together_is_told_before_anything_runs(right):
    wrong, expected = WRONG[right]
    assert right in SOUND
    assert expected in said(SOUND.replace(right, wrong, 1))


def test_a_secret_that_could_be_guessed_is_none_to_derive_others_from():
    assert said(SOUND, environment={"TICKETS": "hush"}) == [
        "env:TICKETS: expected at least 24 random bytes: `openssl rand -base64 32`"
    ]


@pytest.mark.parametrize("name", ["'*'", "mcp gap", "''", "'a\\nb'"])
def test_an_event_is_called_by_its_name_never_by_a_glob(name):
    assert said(SOUND.replace("{name: ticket.closed}", f"{{name: {name}}}"))


def test_a_source_without_scheme_and_mcp_is_missing_its_scheme():
    assert "the key 'scheme' is missing" in said("tickets: {secrets: env:TICKETS}\n")
