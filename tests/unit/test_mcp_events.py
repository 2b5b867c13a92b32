"""MCP Events (SEP-3415) at the door: the challenge, an event in two messages, `gap` and `terminated`."""

import json
from datetime import UTC, datetime

import pytest

from orchestrator.configuration.document import read
from orchestrator.configuration.sources import sources_of
from orchestrator.errors import Malformed, Refused
from orchestrator.signatures.standard_webhooks import sign
from orchestrator.sources.greeting import Greeting

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
FILE = "alerts: {scheme: mcp-events, secrets: [env:ALERTS]}\n"
EVENT = {
    "eventId": "evt_1",
    "name": "incident.created",
    "timestamp": "2026-11-21T12:00:00Z",
    "data": {"priority": 1},
    "cursor": None,
}


@pytest.fixture
def alerts():
    found = sources_of(read("sources.yaml", FILE), {"ALERTS": WHSEC}, lambda _path: None)
    assert (found.flaws, found.warnings) == ([], [])
    return found.things["alerts"]


def reading(source, body, message="msg_1"):
    raw = json.dumps(body).encode()
    headers = sign(WHSEC, message, raw, NOW)
    source.scheme.verify(headers, raw, [WHSEC.encode()], NOW)
    assert (
        source.handshake.greet(Greeting(headers=headers, body=raw, secret=WHSEC.encode())) is None
    )
    return source.dialect.read(headers, raw)


def test_d1_a_challenge_is_echoed_to_whom_our_secret_proves(alerts):
    raw = b'{"type": "verification", "challenge": "c-1_2"}'
    headers = sign(WHSEC, "msg_verification_1", raw, NOW)

    alerts.scheme.verify(headers, raw, [WHSEC.encode()], NOW)
    reply = alerts.handshake.greet(Greeting(headers=headers, body=raw, secret=WHSEC.encode()))

    assert (reply.status, json.loads(reply.body)) == (200, {"challenge": "c-1_2"})
    with pytest.raises(Refused):
        alerts.scheme.verify(headers, raw.replace(b"c-1", b"c-2"), [WHSEC.encode()], NOW)


@pytest.mark.parametrize("challenge", [None, 7, "", "a\nb", "x" * 5_000])
def test_d7_only_a_plain_word_is_echoed(alerts, challenge):
    raw = json.dumps({"type": "verification", "challenge": challenge}).encode()

    with pytest.raises(Malformed):
        alerts.handshake.greet(Greeting(headers={}, body=raw, secret=b""))


def test_d3_an_event_is_the_same_in_whatever_message_it_comes(alerts):
    first, again = reading(alerts, EVENT, "evt_1"), reading(alerts, EVENT, "msg_2")

    assert (first.delivery_id, first.type) == ("evt_1", "incident.created")
    assert first == again
    assert first.data["data"] == {"priority": 1}


@pytest.mark.parametrize("kind", ["gap", "terminated"])
def test_what_is_no_event_is_kept_as_what_it_says_it_is(alerts, kind):
    found = reading(alerts, {"type": kind, "cursor": "c9"}, "msg_7")

    assert (found.delivery_id, found.type) == ("msg_7", kind)


def test_an_event_without_a_name_is_refused(alerts):
    with pytest.raises(Malformed):
        reading(alerts, {"eventId": "evt_1", "data": {}})
