"""What an MCP server says of a subscription, read as an event, and whose secret fits."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import Malformed, Reason, Refused
from orchestrator.secrets import Secret
from orchestrator.signatures.derived import SIZE, derived_whsec
from orchestrator.signatures.keys import shared_key
from orchestrator.signatures.scheme import Scheme
from orchestrator.signatures.signing import prove
from orchestrator.signatures.standard_webhooks import sign
from orchestrator.signatures.subscribed import SUBSCRIPTION, SubscribedScheme, signed_by_any
from orchestrator.sources.mcp_events import McpEventsDialect, marks_of
from orchestrator.sources.source import Wanted

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ROOT = b"a root of thirty-two random bytes"
FIRST, SECOND, OLD = (derived_whsec(ROOT, use) for use in (b"first", b"second", b"old"))
DIALECT = McpEventsDialect(
    events=(
        Wanted(event="a", arguments="{}", mark="m1", secrets=(Secret("env:A", FIRST),)),
        Wanted(
            event="b",
            arguments="{}",
            mark="m2",
            secrets=(Secret("env:A", SECOND), Secret("env:A", OLD)),
        ),
    )
)


def read(body, secret=FIRST, message="msg_1"):
    raw = json.dumps(body).encode()
    return DIALECT.read(sign(secret, message, raw, NOW), raw)


@pytest.mark.parametrize(("secret", "mark"), [(FIRST, "m1"), (SECOND, "m2"), (OLD, "m2")])
def test_whose_secret_fits_is_the_subscription_that_is_meant(secret, mark):
    reading = read({"type": "gap", "cursor": "c"}, secret)
    assert reading.type == "mcp/gap"
    assert marks_of(reading.keys) == [mark]


def test_what_nobody_of_ours_signed_is_about_no_subscription():
    reading = read({"type": "terminated"}, derived_whsec(ROOT, b"other"))
    assert (reading.subject, reading.keys) == (None, ())


def test_a_word_newer_than_we_are_is_kept_as_what_it_says_it_is():
    assert read({"type": "paused"}).type == "mcp/paused"


@pytest.mark.parametrize(
    "body",
    [
        {"eventId": "e1", "name": "mcp/terminated"},
        {"eventId": "e1"},
        {"name": "a"},
        {"eventId": "x" * 500, "name": "a"},
        {"type": ["gap"]},
        {"type": "a\nb"},
        [],
    ],
)
def test_d7_what_is_none_of_these_is_refused(body):
    with pytest.raises(Malformed):
        read(body)


def test_d4_no_event_of_a_server_is_taken_for_a_word_about_its_subscription():
    reading = read({"eventId": "e1", "name": "a", "type": "terminated"})
    assert (reading.type, reading.delivery_id) == ("a", "e1")


def test_d3_only_the_cursor_may_differ_in_the_same_event():
    event = {"eventId": "e1", "name": "a", "data": {"n": 1}, "cursor": "1"}
    assert read(event).lasting == read({**event, "cursor": "2"}, message="msg_2").lasting
    assert read(event).lasting != read({**event, "data": {"n": 2}}).lasting


@given(st.binary(min_size=1, max_size=80), st.binary(max_size=80))
def test_a_secret_derived_for_one_use_is_none_for_another(use, other):
    key = shared_key("whsec", derived_whsec(ROOT, use).encode())
    assert len(key) == SIZE
    assert (derived_whsec(ROOT, other) == derived_whsec(ROOT, use)) == (use == other)


def verify(scheme: Scheme, headers, body, now=NOW):
    scheme.verify(headers, body, [FIRST.encode(), SECOND.encode()], now)


def test_an_old_signature_is_told_as_that_even_of_a_subscription_we_do_not_know():
    headers = {**sign(FIRST, "m", b"{}", NOW), SUBSCRIPTION: "sub_x"}
    with pytest.raises(Refused) as refused:
        verify(SubscribedScheme(), headers, b"{}", NOW + timedelta(minutes=6))
    assert refused.value.reason is Reason.STALE
    assert signed_by_any(headers, b"{}", [FIRST.encode()])
    assert not signed_by_any(headers, b"{}", [SECOND.encode()])


def test_what_is_known_is_learned_anew_and_makes_no_other_source():
    scheme = SubscribedScheme()
    scheme.learn(["sub_1"])
    scheme.learn(["sub_2"])
    assert scheme == SubscribedScheme()
    for name, reason in (
        ("sub_1", Reason.UNKNOWN_SUBSCRIPTION),
        ("sub_2", Reason.BAD_SIGNATURE),
        ("", Reason.BAD_SIGNATURE),
    ):
        headers = {**sign(OLD, "m", b"{}", NOW), SUBSCRIPTION: name}
        with pytest.raises(Refused) as refused:
            verify(scheme, headers, b"{}")
        assert refused.value.reason is reason


def test_doorbell_send_signs_as_the_server_would():
    headers = prove(SubscribedScheme(), FIRST.encode(), b"{}", NOW, {"webhook-id": "msg_7"})
    verify(SubscribedScheme(), headers, b"{}")
    assert headers["webhook-id"] == "msg_7"
