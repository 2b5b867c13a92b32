"""Shopify's server: fulfilments and refunds are tasks, ended by the shop's own webhooks."""

import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

import pytest

from mcp_servers.shopify.server import build
from mcp_servers.shopify.told import by_shopify, callback
from mcp_servers.tasks.proofs import Parcel, Unproved, Unreadable
from tests.support.tasks_client import Taking, call, cancel, get, over_http, words
from tests.support.tasks_shop import event
from tests.support.tasks_vendors import SECRET, TOKEN, hands, post, shopify_signed

FULFILLMENT = "gid://shopify/Fulfillment/255858046"
SUGGESTED = {
    "amountSet": {"shopMoney": {"amount": "12.50", "currencyCode": "EUR"}},
    "refundLineItems": [{"lineItem": {"id": "gid://shopify/LineItem/1"}, "quantity": 2}],
    "suggestedTransactions": [
        {
            "gateway": "bogus",
            "parentTransaction": {"id": "gid://shopify/OrderTransaction/1"},
            "amountSet": {"shopMoney": {"amount": "12.50"}},
        }
    ],
}
REFUNDED = {
    "id": "gid://shopify/Refund/890",
    "legacyResourceId": "890",
    "transactions": {"nodes": [{"id": "gid://shopify/OrderTransaction/77", "status": "PENDING"}]},
}
MADE = {"id": FULFILLMENT, "legacyResourceId": "255858046", "status": "SUCCESS"}


def data(**found):
    return {"data": found}


@asynccontextmanager
async def house(tmp_path, **changes):
    answers = {
        "Fulfill": [data(fulfillmentCreate={"fulfillment": MADE, "userErrors": []})],
        "Fulfilled": [data(fulfillmentOrder={"status": "OPEN", "fulfillments": {"nodes": []}})],
        "Suggested": [data(order={"suggestedRefund": SUGGESTED})],
        "Refund": [data(refundCreate={"refund": REFUNDED, "userErrors": []})],
        "Cancel": [data(fulfillmentCancel={"fulfillment": {}, "userErrors": []})],
        "Order": [data(order={"name": "#1001"})],
        **changes,
    }
    async with (
        hands(tmp_path, "shopify", build, callback, by_shopify, **answers) as served,
        over_http(served.url, Taking()) as client,
    ):
        yield served, client


def fulfillment(**changes):
    """The documented shape of `fulfillments/*`, as far as it's read."""
    return {
        "id": 255858046,
        "admin_graphql_api_id": FULFILLMENT,
        "order_id": 820982911946154508,
        "status": "pending",
        "shipment_status": None,
        "tracking_numbers": ["123456"],
    } | changes


def refund(status, **changes):
    """The documented shape of `refunds/create`, as far as it's read."""
    money = {"id": 77, "kind": "refund", "status": status, "amount": "12.50", "currency": "EUR"}
    return {
        "id": 890,
        "admin_graphql_api_id": "gid://shopify/Refund/890",
        "order_id": 5,
        "transactions": [money | {"message": "Bogus: forced failure"}],
    } | changes


async def rung(served, payload, topic="", **signing):
    body = json.dumps(payload).encode()
    headers = shopify_signed(body, topic, **signing)
    return await post(f"{served.url}/webhooks/shopify", body, headers)


async def test_h4_a_fulfilment_is_answered_when_it_is_shipped(tmp_path):
    async with house(tmp_path) as (served, client):
        wanted = {"fulfillment_order": 9, "tracking_number": "123456", "company": "DHL"}
        handle = await call(client, "fulfill_order", **wanted)
        await rung(served, fulfillment(), "fulfillments/create")
        waiting = await get(client, handle.task_id)
        shipped = await rung(served, fulfillment(status="success"), "fulfillments/update")
        task = await get(client, handle.task_id)
        (asked,) = served.peer.of("Fulfill")

    assert waiting.status_message == "fulfilment 255858046 is pending"
    assert shipped == (200, {"reception": "applied"})
    assert "is shipped" in words(task)
    assert asked["fulfillment"]["trackingInfo"] == {"number": "123456", "company": "DHL"}
    assert served.peer.headers[-1]["x-shopify-access-token"] == TOKEN


async def test_h4_who_waits_for_the_delivery_is_not_answered_by_the_shipping(tmp_path):
    async with house(tmp_path) as (served, client):
        handle = await call(client, "fulfill_order", fulfillment_order=9, until="delivered")
        await rung(served, fulfillment(status="success"))
        shipped = await get(client, handle.task_id)
        await rung(served, fulfillment(status="success", shipment_status="delivered"))
        task = await get(client, handle.task_id)

    assert shipped.status == "working"
    assert "is delivered" in words(task)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"status": "cancelled"}, "is cancelled"),
        ({"status": "error"}, "is error"),
        ({"status": "success", "shipment_status": "failure"}, "is lost"),
    ],
)
async def test_h4_a_fulfilment_that_fails_is_a_failure_of_the_tool(tmp_path, changes, says):
    async with house(tmp_path) as (served, client):
        handle = await call(client, "fulfill_order", fulfillment_order=9)
        await rung(served, fulfillment(**changes))
        task = await get(client, handle.task_id)

    assert (task.result["isError"], says in words(task)) == (True, True)


async def test_h4_a_refund_is_answered_when_the_money_has_moved(tmp_path):
    async with house(tmp_path) as (served, client):
        handle = await call(client, "refund_order", order=5, note="Broken mug")
        await rung(served, refund("pending"), "refunds/create")
        waiting = await get(client, handle.task_id)
        moved = refund("success")["transactions"][0] | {
            "admin_graphql_api_id": "gid://shopify/OrderTransaction/77",
            "order_id": 5,
        }
        await rung(served, moved, "order_transactions/create")
        task = await get(client, handle.task_id)
        (asked,) = served.peer.of("Refund")

    assert waiting.status_message == "the refund of order 5 is pending"
    assert words(task) == "12.50 EUR of order 5 is refunded"
    assert str(UUID(asked["key"])) == asked["key"]
    assert asked["input"]["note"].startswith("Broken mug (doorbell:")
    assert asked["input"]["transactions"][0]["parentId"] == "gid://shopify/OrderTransaction/1"


async def test_h4_a_refund_that_fails_says_why(tmp_path):
    async with house(tmp_path) as (served, client):
        handle = await call(client, "refund_order", order=5)
        await rung(served, refund("failure"))
        task = await get(client, handle.task_id)

    assert task.result["isError"] is True
    assert words(task) == "the refund of order 5 failed: Bogus: forced failure"


async def test_a2_a_refund_whose_answer_was_lost_is_told_by_its_note(tmp_path):
    async with house(tmp_path, Refund=[502]) as (served, client):
        handle = await call(client, "refund_order", order=5)
        note = served.peer.of("Refund")[0]["input"]["note"]
        waiting = await get(client, handle.task_id)
        await rung(served, refund("success", note=note))
        task = await get(client, handle.task_id)

    assert "whether it happened is unknown" in waiting.status_message
    assert task.status == "completed"


async def test_a_question_that_fails_leaves_no_task_for_nothing_was_written(tmp_path):
    async with house(tmp_path, Suggested=[502]) as (served, client):
        refused = await call(client, "refund_order", order=5)
        left = await served.desk.store.unfinished()

    assert (refused.is_error, left, served.peer.of("Refund")) == (True, [], [])


@pytest.mark.parametrize(
    "answer",
    [
        data(fulfillmentCreate={"fulfillment": None, "userErrors": [{"message": "is closed"}]}),
        {"errors": [{"message": "is closed"}]},
    ],
)
async def test_what_shopify_refuses_is_no_task(tmp_path, answer):
    async with house(tmp_path, Fulfill=[answer]) as (served, client):
        refused = await call(client, "fulfill_order", fulfillment_order=9)
        left = await served.desk.store.unfinished()

    assert "is closed" in refused.content[0].text
    assert left == []


async def test_a_fulfilment_is_called_off_and_a_refund_goes_on(tmp_path):
    async with house(tmp_path) as (served, client):
        handles = [
            await call(client, "fulfill_order", fulfillment_order=9),
            await call(client, "refund_order", order=5),
        ]
        for handle in handles:
            await cancel(client, handle.task_id)
        statuses = [(await get(client, handle.task_id)).status for handle in handles]

    assert served.peer.of("Cancel") == [{"id": FULFILLMENT}]
    assert statuses == ["cancelled", "working"]


async def test_h4_a_doorbells_forward_completes_it_as_well(tmp_path):
    async with house(tmp_path) as (served, client):
        handle = await call(client, "fulfill_order", fulfillment_order=9)
        body, headers = event("fulfillments/update", None, payload=fulfillment(status="success"))
        await post(f"{served.url}/callbacks", body, headers)
        task = await get(client, handle.task_id)

    assert task.status == "completed"


async def test_an_order_is_read(tmp_path):
    async with house(tmp_path) as (_, client):
        result = await call(client, "read_order", order=5)

    assert json.loads(result.content[0].text) == {"name": "#1001"}


async def test_d1_what_shopify_did_not_sign_is_refused(tmp_path):
    async with house(tmp_path) as (served, _):
        forged = await rung(served, fulfillment(), secret="other")
        bare = await post(f"{served.url}/webhooks/shopify", b"{}", {})

    assert (forged[0], bare[0]) == (401, 401)


def test_d1_both_names_of_the_header_are_read_and_nothing_but_base64():
    body = b'{"a": 1}'
    old = shopify_signed(body)
    new = {"shopify-hmac-sha256": old["x-shopify-hmac-sha256"], "shopify-topic": "t"}

    assert by_shopify(new, body, [SECRET], datetime.now(UTC)).type == "t"
    with pytest.raises(Unproved):
        by_shopify({"x-shopify-hmac-sha256": "é"}, body, [SECRET], datetime.now(UTC))


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        {"admin_graphql_api_id": "gid://shopify/Fulfillment/1"},
        {"admin_graphql_api_id": "gid://shopify/Refund/1", "id": 1},
        {"admin_graphql_api_id": "gid://shopify/OrderTransaction/1", "kind": "refund"},
    ],
)
def test_an_event_of_another_shape_is_unreadable(payload):
    with pytest.raises(Unreadable):
        callback(Parcel(id="1", type="x", payload=payload))


@pytest.mark.parametrize(
    "payload",
    [{}, {"admin_graphql_api_id": "gid://shopify/Order/1"}, {"admin_graphql_api_id": 7}],
)
def test_an_event_about_something_else_is_nobodys(payload):
    assert callback(Parcel(id="1", type="x", payload=payload)) is None
