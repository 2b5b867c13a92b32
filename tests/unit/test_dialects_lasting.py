"""What of a delivery is the same when its sender sends it again: everything but the clock in its body (promise D3)."""

import json

import pytest

from orchestrator.sources.presets import PRESETS

ISSUE = {"action": "create", "type": "Issue", "data": {"id": "i1"}, "createdAt": "2026-11-21"}
SENT = {"linear-delivery": "l1"}


def lasting(name, headers, body):
    return PRESETS[name].dialect.read(headers, json.dumps(body).encode()).lasting


def test_d3_a_retry_that_linear_stamps_anew_is_the_same_delivery():
    first = lasting("linear", SENT, ISSUE | {"webhookTimestamp": 1795262400000})
    again = lasting("linear", SENT, ISSUE | {"webhookTimestamp": 1795262460000})

    assert first == again
    assert first is not None


@pytest.mark.parametrize("change", [{"data": {"id": "i2"}}, {"createdAt": "x"}, {"more": 1}])
def test_d3_another_body_under_the_same_id_is_still_another_one(change):
    stamped = ISSUE | {"webhookTimestamp": 1795262400000}

    assert lasting("linear", SENT, stamped) != lasting("linear", SENT, stamped | change)


def test_d3_a_clock_deeper_down_is_no_clock_of_the_delivery():
    one = ISSUE | {"webhookTimestamp": 1, "data": {"webhookTimestamp": 1}}
    other = ISSUE | {"webhookTimestamp": 1, "data": {"webhookTimestamp": 2}}

    assert lasting("linear", SENT, one) != lasting("linear", SENT, other)


def test_only_a_sender_with_its_clock_in_the_body_has_anything_left_out():
    clocked = [name for name, preset in PRESETS.items() if getattr(preset.dialect, "clock", None)]

    assert clocked == ["linear"]
    stripe = {"id": "evt_1", "type": "a.b", "webhookTimestamp": 1}
    assert lasting("stripe", {}, stripe) is None
