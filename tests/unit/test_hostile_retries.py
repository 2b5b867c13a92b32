"""What a sender sends again is the same delivery, and what only looks like it is put aside, over a real socket (D3)."""

import json

import pytest

from tests.support.senders import AT, SENDERS, certificate
from tests.support.wire import sent, standing


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    with standing(tmp_path_factory.mktemp("door"), certificate()) as one:
        yield one


def linear(delivery, late=0, **changes):
    """An issue as Linear sends it: stamped in its body, anew for each attempt."""
    said = {"type": "Issue", "action": "create", "data": {"id": delivery}, "createdAt": "2026"}
    body = json.dumps(said | changes | {"webhookTimestamp": (AT + late) * 1000}).encode()
    return sent(SENDERS["linear"].sign(body, linear_delivery=delivery), "linear")


async def test_d3_a_retry_that_linear_stamps_anew_is_a_duplicate(door):
    first = await door.one(linear("l1"))
    again = await door.one(linear("l1", late=30))

    assert (first.told["status"], again.told["status"]) == ("kept", "duplicate")
    assert again.told["duplicate_of"] == first.told["event"]


async def test_d3_another_body_under_linears_id_is_put_aside(door):
    first = await door.one(linear("l2"))
    other = await door.one(linear("l2", late=30, data={"id": "other"}))

    assert other.told["status"] == "quarantined"
    assert other.told["duplicate_of"] == first.told["event"]


@pytest.mark.parametrize("late", [0, 30])
async def test_d3_linears_bytes_under_an_id_of_somebody_elses_are_a_duplicate(door, late):
    first = await door.one(linear(f"l3-{late}"))
    raw = linear(f"l3-{late}", late=late)

    forged = await door.one(raw.replace(b"linear-delivery: l3", b"linear-delivery: x3"))

    assert forged.told["status"] == "duplicate"
    assert forged.told["duplicate_of"] == first.told["event"]


async def test_d3_a_hubspot_retry_is_a_duplicate_event_by_event(door):
    event = {"eventId": 7, "subscriptionId": 1, "occurredAt": 1, "subscriptionType": "a.b"}
    attempts = [json.dumps([event | {"attemptNumber": n}]).encode() for n in range(2)]

    first, again = [
        await door.one(sent(SENDERS["hubspot"].sign(body), "hubspot")) for body in attempts
    ]

    assert (first.status, again.status) == (202, 202)
    assert first.told != again.told
