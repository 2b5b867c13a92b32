"""How each sender of the table is read: id, type, subject, actor, keys, and a batch event by event."""

import json
from pathlib import Path
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import Malformed, Reason
from orchestrator.sources.cloudevents import CloudEventsDialect
from orchestrator.sources.paths import pick, pointer
from orchestrator.sources.presets import PRESETS
from orchestrator.sources.tabled import MAX_ITEMS, Batch
from tests.oracles.readings import READ

DELIVERIES = Path(__file__).parents[1] / "deliveries"
FORM = {"content-type": "application/x-www-form-urlencoded"}
TABLED = sorted(n for n, p in PRESETS.items() if p.dialect is not None)


def letters(name, file, **headers):
    """What each event of a recorded delivery says."""
    body = (DELIVERIES / name / file).read_bytes()
    preset = PRESETS[name]
    sent = {key.replace("_", "-"): value for key, value in headers.items()}
    sent |= FORM if file.endswith(".form") else {}
    bodies = [body] if preset.batch is None else preset.batch.split(body)
    return [preset.dialect.read(sent, one) for one in bodies]


def said(reading):
    actor = reading.actor and (reading.actor.id, reading.actor.login, reading.actor.bot)
    return reading.delivery_id, reading.type, reading.subject, actor, reading.keys


@pytest.mark.parametrize(("given_", "expected"), READ, ids=lambda v: "/".join(map(str, v[:2])))
def test_each_sender_is_read_as_it_speaks(given_, expected):
    name, file, headers = given_
    [reading] = letters(name, file, **headers)

    assert said(reading) == expected


def test_d3_every_event_of_a_batch_is_an_event_of_its_own():
    delivered, opened = letters("sendgrid", "batch.json")
    assert (delivered.delivery_id, delivered.type) == ("ZGVsaXZlcmVk", "delivered")
    assert (opened.delivery_id, opened.type) == ("b3Blbg", "open")

    changed, created = letters("hubspot", "batch.json")
    assert changed.delivery_id == "3816279340:25:1462216307945"
    assert (created.type, created.keys) == ("contact.creation", ("contact:1246978",))

    [blob] = letters("event-grid", "batch.json")
    assert (blob.type, blob.delivery_id) == (
        "Microsoft.Storage.BlobCreated",
        "831e1650-001e-001b-66ab-eeb76e069631",
    )


def test_d3_metas_changes_and_messages_are_told_apart():
    message, status, template = letters("meta", "whatsapp.json")

    assert (message.delivery_id, message.type) == (
        "wamid.HBgLMTY1",
        "whatsapp_business_account.messages",
    )
    assert message.keys == ("contact:16505551234",)
    assert status.delivery_id == "wamid.STATUS:delivered"
    assert status.keys == ("message:wamid.STATUS", "contact:16505551234")
    assert template.type == "whatsapp_business_account.message_template_status_update"
    assert [one.delivery_id for one in letters("meta", "page.json")] == ["m_AG5", "m_AG6"]


def test_d3_a_retry_of_a_batch_is_the_same_bytes_event_by_event():
    split = PRESETS["hubspot"].batch.split
    events = json.loads((DELIVERIES / "hubspot" / "batch.json").read_bytes())
    again = [{**event, "attemptNumber": 3} for event in reversed(events)]

    assert sorted(split(json.dumps(events).encode())) == sorted(split(json.dumps(again).encode()))
    exact = b'[{"sg_event_id": "a", "n": 1.50}, {"n":2}]'
    assert PRESETS["sendgrid"].batch.split(exact) == [
        b'{"sg_event_id": "a", "n": 1.50}',
        b'{"n":2}',
    ]
    assert PRESETS["sendgrid"].batch.split(b'{"a": 1}') == [b'{"a": 1}']


def test_d7_a_batch_of_more_events_than_anybody_sends_is_malformed():
    with pytest.raises(Malformed):
        Batch().split(b"[" + b",".join([b"{}"] * (MAX_ITEMS + 1)) + b"]")


@pytest.mark.parametrize(
    ("name", "file", "headers"),
    [
        ("gitea", "issues.opened.json", {"x_gitea_event": "push"}),
        ("gitea", "issues.opened.json", {"x_gitea_event": "issue_comment"}),
        ("bitbucket", "pullrequest.created.json", {"x_event_key": "repo:push"}),
        ("bitbucket", "pullrequest.created.json", {"x_event_key": "issue:created"}),
        ("shopify", "orders.create.json", {"x_shopify_topic": "products/update"}),
        ("shopify", "orders.create.json", {"x_shopify_topic": "refunds/create"}),
        ("shopify", "refunds.create.json", {"x_shopify_topic": "orders/paid"}),
        ("sentry", "issue.created.json", {"sentry_hook_resource": "event_alert"}),
    ],
)
def test_d4_a_type_that_only_a_header_claims_is_held_against_the_body(name, file, headers):
    with pytest.raises(Malformed) as caught:
        letters(name, file, **headers)

    assert caught.value.reason is Reason.TYPE_MISMATCH


@pytest.mark.parametrize("name", TABLED)
@pytest.mark.parametrize("body", [b"", b"null", b"7", b"{}{}", b"[1]", b'{"a":1,"a":2}', b"\xff"])
def test_d7_what_no_sender_says_is_malformed_and_nothing_else(name, body):
    preset = PRESETS[name]
    try:
        bodies = [body] if preset.batch is None else preset.batch.split(body)
        readings = [preset.dialect.read({}, one) for one in bodies]
    except Malformed:
        return
    assert all(reading.type for reading in readings)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "id", "event", "data", "object", "entry", "changes", "issue", "action"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(value=JSON, name=st.sampled_from(TABLED), topic=st.text(max_size=20))
def test_d7_any_json_is_read_or_malformed(value, name, topic):
    preset = PRESETS[name]
    headers = {"x-event-key": topic, "x-shopify-topic": topic, "x-gitea-event": topic}
    body = json.dumps(value).encode()
    try:
        bodies = [body] if preset.batch is None else preset.batch.split(body)
        for one in bodies:
            preset.dialect.read(headers, one)
    except Malformed:
        pass


CE = {"specversion": "1.0", "id": "1", "source": "/s", "type": "order.paid", "subject": "o7"}


def test_cloudevents_of_every_mode_are_one_envelope():
    dialect = CloudEventsDialect()
    binary = {f"ce-{name}": value for name, value in CE.items()} | {
        "content-type": "application/json"
    }
    structured = {"content-type": "application/cloudevents+json; charset=utf-8"}

    one = dialect.read(binary, b'{"n": 1}')
    other = dialect.read(structured, json.dumps({**CE, "data": {"n": 1}}).encode())
    batch = json.dumps([{**CE, "data": 1}, {**CE, "id": "2"}]).encode()
    many = [
        dialect.read({"content-type": "application/cloudevents-batch+json"}, item)
        for item in PRESETS["cloudevents"].batch.split(batch)
    ]

    assert one == other
    assert (one.delivery_id, one.type, one.keys) == ("/s#1", "order.paid", ("subject:o7",))
    assert one.data["data"] == {"n": 1}
    assert [item.delivery_id for item in many] == ["/s#1", "/s#2"]


@pytest.mark.parametrize("broken", [{"specversion": "0.3"}, {"id": None}, {"type": ""}])
def test_cloudevents_that_are_none_are_malformed(broken):
    structured = {"content-type": "application/cloudevents+json"}

    with pytest.raises(Malformed):
        CloudEventsDialect().read(structured, json.dumps(CE | broken).encode())


def test_a_long_source_and_id_are_still_one_identity():
    structured = {"content-type": "application/cloudevents+json"}
    body = json.dumps(CE | {"source": "/" + "s" * 150, "id": "i" * 150}).encode()

    assert len(CloudEventsDialect().read(structured, body).delivery_id) == 64


def test_a_form_field_that_came_twice_is_a_list_and_payload_must_be_one():
    dialect = PRESETS["slack"].dialect
    twice = urlencode([("payload", "{}"), ("payload", "{}")]).encode()

    assert dialect.read(FORM, b"command=%2Fa&x=1&x=2").data["x"] == ["1", "2"]
    with pytest.raises(Malformed):
        dialect.read(FORM, twice)
    with pytest.raises(Malformed):
        dialect.read(FORM, "command=ü".encode())


def test_a_path_is_tried_in_order_and_needs_all_its_pieces():
    data = {"a": {"b": 1, "l": [{"n": "x"}, {"n": "y"}]}, "c": None, "t": True, "s/l": "z"}

    assert pick(["{/a/b}-{/no}", "k:{/a/b}"]).first(data, {}) == "k:1"
    assert list(pick("n:{/a/l/*/n}").all(data, {})) == ["n:x", "n:y"]
    assert pick("/a/l/1/n").first(data, {}) == "y"
    assert pick(["/c", "/t", "/a", "/a/l/9", "header:X-Id"]).first(data, {"x-id": "h"}) == "h"
    assert pick("/s~1l").first(data, {}) == "z"
    with pytest.raises(ValueError, match="JSON pointer"):
        pointer("a/b")
