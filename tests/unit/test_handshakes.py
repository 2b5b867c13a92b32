"""What senders ask before they send, and exactly what they are told; nothing is told to whom it doesn't concern."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import Malformed
from orchestrator.secrets import Secret
from orchestrator.sources import thanks
from orchestrator.sources.greeting import Greeting
from orchestrator.sources.preset import Options, handshake_of
from orchestrator.sources.presets import PRESETS
from orchestrator.sources.source import Reading

KINDS = ("slack", "zoom", "discord", "sns", "mcp-events", "meta", "cloudevents", "event-grid")
OPTIONS = Options(
    verify_token=Secret("env:T", "our word"), origins=frozenset({"eventgrid.azure.net"})
)


def greet(kind, value, secret=b"s"):
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return handshake_of(kind, OPTIONS).greet(Greeting(headers={}, body=body, secret=secret))


def test_slacks_challenge_is_echoed():
    reply = greet("slack", {"type": "url_verification", "challenge": "3eZbrw1aB10FEMAGAZd4FyFQ"})

    assert (reply.status, json.loads(reply.body)) == (
        200,
        {"challenge": "3eZbrw1aB10FEMAGAZd4FyFQ"},
    )
    assert greet("slack", {"type": "event_callback"}) is None


def test_zooms_token_is_signed_with_the_secret_that_proved_it():
    said = {"event": "endpoint.url_validation", "payload": {"plainToken": "qgg8vlvZRS6UYooatFL8Aw"}}
    reply = greet("zoom", said, secret=b"a secret")

    assert json.loads(reply.body) == {
        "plainToken": "qgg8vlvZRS6UYooatFL8Aw",
        # printf %s qgg8vlvZRS6UYooatFL8Aw | openssl dgst -sha256 -hmac 'a secret'
        "encryptedToken": "b3e309a26f73dffcbcf8da513fc00197a3137576c3d154a37787273136583b16",
    }
    assert greet("zoom", {"event": "meeting.ended"}) is None


@pytest.mark.parametrize("word", ["v0:1795262400:{}", "", "a b", "x" * 201, None, 7, ["a"]])
def test_d7_zoom_gets_a_signature_of_a_plain_word_and_of_nothing_else(word):
    with pytest.raises(Malformed):
        greet("zoom", {"event": "endpoint.url_validation", "payload": {"plainToken": word}})
    with pytest.raises(Malformed):
        greet("zoom", {"event": "endpoint.url_validation", "payload": word})


def test_discords_pings_are_answered_and_its_events_are_not_taken_for_one():
    assert json.loads(greet("discord", {"type": 1, "id": "1"}).body) == {"type": 1}
    assert greet("discord", {"type": 0, "version": 1}).status == 204
    assert greet("discord", {"type": 1, "event": {"type": "X"}}) is None
    assert greet("discord", {"type": 2}) is None
    assert greet("discord", b"[" * 99_999) is None


def test_event_grids_code_is_answered():
    validation = {
        "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
        "data": {"validationCode": "512d38b6-c7b8-40c8-89fe-f46f9e9622b6"},
    }

    assert json.loads(greet("event-grid", [validation]).body) == {
        "validationResponse": "512d38b6-c7b8-40c8-89fe-f46f9e9622b6"
    }
    assert greet("event-grid", [{"eventType": "Microsoft.Storage.BlobCreated"}]) is None
    with pytest.raises(Malformed):
        greet("event-grid", [validation | {"data": {}}])


def test_a_subscription_is_confirmed_and_an_unsubscription_is_not_undone():
    topic = {"TopicArn": "arn:aws:sns:eu-west-1:123456789012:orders"}
    url = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=t"

    assert (
        greet("sns", topic | {"Type": "SubscriptionConfirmation", "SubscribeURL": url}).fetch == url
    )
    gone = greet("sns", topic | {"Type": "UnsubscribeConfirmation", "SubscribeURL": url})
    assert (gone.status, gone.fetch) == (200, None)
    assert greet("sns", topic | {"Type": "Notification"}) is None
    with pytest.raises(Malformed):
        greet(
            "sns", topic | {"Type": "SubscriptionConfirmation", "SubscribeURL": "http://10.0.0.1/"}
        )


def hub(token="our+word", mode="subscribe", challenge="1158201444"):
    return f"hub.mode={mode}&hub.verify_token={token}&hub.challenge={challenge}"


def test_metas_challenge_is_plain_text_for_our_word_alone():
    meta = handshake_of("meta", OPTIONS)
    reply = meta.hello(hub(), {})

    assert (reply.status, reply.body) == (200, b"1158201444")
    assert reply.content_type.startswith("text/plain")
    assert (b"x-content-type-options", b"nosniff") in reply.headers


@pytest.mark.parametrize(
    "query",
    [
        "",
        hub(token="other"),
        hub(token=""),
        hub(mode="unsubscribe"),
        hub(challenge=""),
        hub(challenge="a%20b"),
        hub(challenge="x" * 501),
        hub(challenge="%0d%0aSet-Cookie:x"),
        hub() + "&hub.challenge=2",
        hub() + "&x=1" * 500 + "&hub.mode=x",
        hub() + "&hub.verify_token=x",
        "hub.verify_token=%ff&hub.mode=subscribe",
    ],
)
def test_d5_every_other_get_is_forbidden_and_echoes_nothing(query):
    reply = handshake_of("meta", OPTIONS).hello(query, {})

    assert (reply.status, reply.body) == (403, b"forbidden")


def test_a_script_in_the_challenge_is_text():
    reply = handshake_of("meta", OPTIONS).hello(hub(challenge="<script>alert(1)</script>"), {})

    assert reply.content_type == "text/plain; charset=utf-8"


def test_without_a_verify_token_there_is_no_get():
    assert handshake_of("meta", Options()).hello(hub(), {}) is None


def test_an_origin_is_allowed_if_the_operator_lists_it():
    for kind in ("cloudevents", "event-grid"):
        asked = handshake_of(kind, OPTIONS)
        origin = {"webhook-request-origin": "EventGrid.azure.net", "webhook-request-rate": "120"}
        headers = dict(asked.hello("", origin).headers)

        assert headers[b"webhook-allowed-origin"] == b"EventGrid.azure.net"
        assert headers[b"webhook-allowed-rate"] == b"*"
        assert asked.hello("", {"webhook-request-origin": "evil.example"}) is None
        assert asked.hello("", {"webhook-request-origin": "a\r\nb"}) is None
        assert asked.hello("", {}) is None
    anybody = handshake_of("cloudevents", Options(origins=frozenset({"*"})))
    assert anybody.hello("", {"webhook-request-origin": "x.example"}).status == 200
    assert handshake_of("cloudevents", Options()).hello("", {"webhook-request-origin": "x"}) is None


@given(kind=st.sampled_from(KINDS), body=st.binary(max_size=60), query=st.text(max_size=60))
def test_d7_any_bytes_are_no_greeting_and_nothing_else_happens(kind, body, query):
    assert greet(kind, body) is None
    asked = handshake_of(kind, OPTIONS)
    assert asked.hello(query, {"webhook-request-origin": query}) is None or kind == "meta"


def reading(data, type_="t"):
    return Reading(delivery_id="1", type=type_, subject=None, actor=None, keys=(), data=data)


@pytest.mark.parametrize(
    ("thank", "data", "status", "body"),
    [
        (thanks.ok, {}, 200, None),
        (thanks.slack, {"event": {}}, 200, None),
        (thanks.slack, {"command": "/x"}, 200, b""),
        (thanks.twilio, {}, 200, b"<Response/>"),
        (thanks.discord, "interaction.command", 200, b'{"type": 5}'),
        (thanks.discord, "interaction.component", 200, b'{"type": 6}'),
        (thanks.discord, "interaction.autocomplete", 200, b'{"type": 8, "data": {"choices": []}}'),
        (thanks.discord, "APPLICATION_AUTHORIZED", 204, b""),
    ],
    ids=range(8),
)
def test_a_kept_delivery_is_acknowledged_as_its_sender_expects(thank, data, status, body):
    reply = thank(reading(data, data) if isinstance(data, str) else reading(data))

    assert (reply.status, reply.body) == (status, body)


def test_every_handshake_of_the_table_is_known():
    for preset in PRESETS.values():
        assert (handshake_of(preset.handshake, Options()) is None) == (preset.handshake is None)
