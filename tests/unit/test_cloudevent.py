"""A kept event as a CloudEvent: the payload byte for byte, attributes as the specification wants them."""

import base64
import json
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.dispatch.cloudevent import HOPS, body_of, headers_of, hops
from orchestrator.events import Actor
from orchestrator.signatures.standard_webhooks import StandardWebhooksScheme
from orchestrator.sources.cloudevents import CloudEventsDialect
from tests.support.builders import KEY, NOW
from tests.support.receiving import NEWER, WHSEC, decision, entry

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


def test_the_words_of_an_event_are_its_attributes():
    ann = Actor(id="1", login="ann")
    said = json.loads(body_of(decision(key=KEY), entry(actor=ann)))

    assert said == {
        "specversion": "1.0",
        "id": "evt_1",
        "source": "doorbell/github",
        "type": "github/issues.opened",
        "subject": "acme/api#7",
        "time": "2026-11-21T12:00:00.000Z",
        "rule": "onward",
        "deliveryid": "d1",
        "actor": "ann",
        "actorid": "1",
        "keys": '["issue:acme/api#7"]',
        "partitionkey": KEY,
        "datacontenttype": "application/json",
        "data": {"n": 7},
    }


def test_what_an_event_has_not_is_left_out():
    bare = entry(actor=None, subject=None, delivery_id=None, keys=(), headers={}, body=b"")

    assert list(json.loads(body_of(decision(), bare))) == [
        *("specversion", "id", "source", "type", "time", "rule")
    ]


@pytest.mark.parametrize(
    "body",
    [
        b'{"big": 12345678901234567890123, "small": 1.10, "e": 1E+2, "\\u00e4": "\\u00e4"}',
        b'{ "b": 1,\n "a" : [1 ,2] }',
        b"[1, 2]",
        b'"text"',
        b"null",
        b"0",
    ],
)
def test_json_stands_in_it_byte_for_byte(body):
    whole = body_of(decision(), entry(body))

    assert whole.endswith(b',"data":' + body + b"}")
    assert json.loads(whole)["data"] == json.loads(body)


@pytest.mark.parametrize(
    ("body", "declared", "told"),
    [
        (b"a=1&b=2", "application/x-www-form-urlencoded", "application/x-www-form-urlencoded"),
        (b"\xff\xfe", "image/png", "image/png"),
        (b"NaN", "application/json", "application/octet-stream"),
        (b'{"a": 1, "a": 2}', "application/json; charset=utf-8", "application/octet-stream"),
        (b'{"a": 1}, "id": "evil"', "application/json", "application/octet-stream"),
        (b'1, "id": "evil"', "text/json", "application/octet-stream"),
        (b"[" * 5_000 + b"]" * 5_000, "application/json", "application/octet-stream"),
        (b'"\xff"', "application/ld+json", "application/octet-stream"),
        (b"\xef\xbb\xbf{}", "application/json", "application/octet-stream"),
        (b"x", "", "application/octet-stream"),
    ],
)
def test_what_is_no_json_stands_in_it_as_base64(body, declared, told):
    said = json.loads(body_of(decision(), entry(body, headers={"content-type": declared})))

    assert base64.b64decode(said["data_base64"]) == body
    assert said["datacontenttype"] == told
    assert "data" not in said
    assert said["id"] == "evt_1"


@given(
    st.one_of(
        st.binary(),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        ).map(lambda value: json.dumps(value).encode()),
    ),
    st.text(),
    st.lists(st.text(), max_size=3).map(tuple),
)
def test_whatever_came_it_is_a_cloud_event_with_the_payload_whole(body, text, keys):
    ann = Actor(id=text, login=text)
    strange = entry(body, subject=text, delivery_id=text, type=f"t{text}", actor=ann, keys=keys)
    said = json.loads(body_of(decision(key=text), strange))

    data = said.pop("data_base64", None)
    if "data" in said:
        assert said.pop("data") == json.loads(body)
    else:
        assert base64.b64decode(data or "") == body
    for name, value in said.items():
        assert re.fullmatch("[a-z0-9]{1,20}", name)
        assert isinstance(value, str)
        assert value
        assert CONTROL.search(value) is None
    if "keys" in said:
        assert json.loads(said["keys"]) == list(keys)


def test_our_own_reader_of_cloud_events_understands_it():
    reading = CloudEventsDialect().read(
        {"content-type": "application/cloudevents+json"}, body_of(decision(), entry())
    )

    assert (reading.type, reading.subject) == ("github/issues.opened", "acme/api#7")
    assert reading.delivery_id == "doorbell/github#evt_1"


@given(st.binary(), st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)))  # noqa: DTZ001
def test_each_secret_alone_proves_it(payload, at):
    now = at.replace(tzinfo=UTC)
    body = body_of(decision(), entry(payload))
    headers = headers_of(body, decision(), entry(payload), [NEWER, WHSEC], now)

    for secret in (NEWER, WHSEC):
        StandardWebhooksScheme().verify(headers, body, [secret.encode()], now)


def test_no_secret_signs_nothing():
    with pytest.raises(ValueError, match="secret"):
        headers_of(b"", decision(), entry(), [], NOW)


@pytest.mark.parametrize(
    ("given_", "counted"),
    [
        ({}, 0),
        ({HOPS: "3"}, 3),
        ({HOPS: "-1"}, 0),
        ({HOPS: "x"}, 0),
        ({HOPS: "9" * 9}, 0),
        ({HOPS: "٣"}, 0),
    ],
)
def test_r4_the_doorbells_it_went_through_are_counted(given_, counted):
    assert hops(given_) == counted
    headers = headers_of(b"", decision(), entry(headers=given_), [WHSEC], NOW)
    assert headers[HOPS] == str(counted + 1)
