"""What `doorbell send` would send is what its source takes, for every sender that we can sign as."""

import json
from dataclasses import replace

import pytest

from orchestrator.cli.samples import EVENTS, KINDS, samples
from orchestrator.errors import OperatorError
from orchestrator.rehearsal.sending import Payload, Wish, changed, request_of, shown
from orchestrator.rehearsal.setting import assigned
from orchestrator.secrets import Secret
from orchestrator.signatures.scheme import PEER, QUERY
from orchestrator.signatures.token import Bearer, TokenScheme
from orchestrator.sources.declared import DeclaredDialect
from orchestrator.sources.preset import Options, bound
from orchestrator.sources.presets import PRESETS
from orchestrator.templates import Template
from tests.support.builders import NOW, source
from tests.support.senders import SENDERS

ONLY_THEY_SIGN = {"discord", "sendgrid", "sns"}
SIGNED = [(name, path) for name, path in samples() if name.partition("/")[0] not in ONLY_THEY_SIGN]


def sender(name):
    told = SENDERS[name]
    preset = PRESETS[name]
    scheme = bound(preset.scheme, Options(public_url=told.url))
    secrets = (Secret("env:X", told.secret),)
    return replace(
        source(),
        name=name,
        scheme=scheme,
        dialect=preset.dialect,
        batch=preset.batch,
        secrets=secrets,
    )


def sent(name, path, **wish):
    payload = Payload(body=path.read_bytes(), headers={"content-type": KINDS[path.suffix]})
    event = EVENTS.get(name, path.name.split(".")[0])
    by = sender(name.partition("/")[0])
    asked = Wish(**{"identity": "mine", "event": event, "now": NOW} | wish)
    return by, request_of(by, payload, asked)


@pytest.mark.parametrize(("name", "path"), SIGNED, ids=[name for name, _ in SIGNED])
def test_every_sample_is_signed_so_that_its_source_takes_it(name, path):
    by, request = sent(name, path)

    headers = {**request.headers, QUERY: request.query, PEER: "127.0.0.1"}
    by.scheme.verify(headers, request.body, [by.secrets[0].reveal().encode()], NOW)
    bodies = [request.body] if by.batch is None else by.batch.split(request.body)
    assert all(by.dialect.read(request.headers, body).type for body in bodies)


def test_a_sender_that_signs_with_its_own_private_key_is_told():
    path = dict(samples())["discord/command"]

    with pytest.raises(OperatorError, match="only the sender itself holds the private key"):
        sent("discord/command", path)


def test_the_type_of_github_is_its_event_and_the_action_stays_in_the_body():
    path = dict(samples())["github/issues.opened"]

    assert sent("github/issues.opened", path, event="issues.opened")[1].headers[
        "x-github-event"
    ] == ("issues")


def test_a_raw_request_keeps_its_event_and_loses_its_old_proof_and_length():
    old = {
        "x-github-event": "star",
        "x-github-delivery": "old",
        "x-hub-signature-256": "sha256=00",
        "content-length": "99",
        "host": "elsewhere",
        "x-more": "1",
    }
    by = sender("github")

    request = request_of(
        by, Payload(body=b"{}", headers=old), Wish(identity="new", event=None, now=NOW)
    )

    assert request.headers["x-github-event"] == "star"
    assert request.headers["x-github-delivery"] == "new"
    assert request.headers["x-more"] == "1"
    assert not {"content-length", "host"} & request.headers.keys()
    by.scheme.verify(request.headers, b"{}", [by.secrets[0].reveal().encode()], NOW)


def test_a_token_in_the_query_goes_there_and_is_never_shown():
    scheme = TokenScheme(name="shop", places=(Bearer(parameter="key"),))
    dialect = DeclaredDialect(id=None, type=Template.parse("{{ event.kind }}"))
    by = replace(
        source(), name="shop", scheme=scheme, dialect=dialect, secrets=(Secret("env:X", "a b&c"),)
    )

    request = request_of(
        by, Payload(body=b'{"kind": "paid"}'), Wish(identity="i", event=None, now=NOW)
    )
    told, left_out = shown(request, by.scheme)

    assert request.query == "key=a+b%26c"
    by.scheme.verify({QUERY: request.query}, request.body, [b"a b&c"], NOW)
    assert (told.query, left_out) == ("", ["the query"])


def test_a_token_in_a_header_is_never_shown():
    by, request = sent("gitlab/push", dict(samples())["gitlab/push"])

    told, left_out = shown(request, by.scheme)

    assert left_out == ["x-gitlab-token"]
    assert by.secrets[0].reveal() not in str(told)


def test_fields_of_a_form_can_be_set_and_places_within_them_cannot():
    form = Payload(body=b"a=1&b=2", headers={"content-type": "application/x-www-form-urlencoded"})

    assert changed(form, [assigned("b=three words")]).body == b"a=1&b=three+words"
    with pytest.raises(OperatorError, match="no places within them"):
        changed(form, [assigned("b.c=1")])


def test_what_is_not_changed_keeps_its_bytes_and_what_is_no_json_cannot_be():
    assert changed(Payload(body=b" {} "), []).body == b" {} "
    with pytest.raises(OperatorError, match="--set changes JSON"):
        changed(Payload(body=b"<x>"), [assigned("a=1")])


def test_several_values_are_set_in_their_order():
    body = changed(Payload(body=b"{}"), [assigned("a.b=1"), assigned("a.b=two")]).body

    assert json.loads(body) == {"a": {"b": "two"}}
