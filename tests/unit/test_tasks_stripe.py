"""Stripe's server: receive, verify, dedupe, route, correlate, complete; from the tool call to Stripe's own word."""

import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from stripe import Webhook

from mcp_servers.stripe.objects import TOLD, callback, money
from mcp_servers.tasks.proofs import Parcel, Unreadable
from mcp_servers.tasks.states import Completed, Working
from tests.support import tasks_stripe
from tests.support.tasks_client import Taking, call, cancel, get, over_http, words
from tests.support.tasks_shop import event as forwarded
from tests.support.tasks_stripe import KEY, SIGNS, event, hands, rung, signed, stripe

DELIVERIES = Path(__file__).parents[1] / "deliveries" / "stripe"
LINK = {"amount": 1250, "currency": "EUR", "product": "A mug"}
CHARGE = {"amount": 1250, "currency": "eur", "customer": "cus_1", "payment_method": "pm_1"}


@asynccontextmanager
async def house(tmp_path, **changes):
    async with (
        stripe(**changes) as (peer, stripe_url),
        hands(tmp_path, stripe_url) as served,
        over_http(served.url, Taking()) as client,
    ):
        yield peer, served, client


def session(link, **changes):
    """A finished checkout of that link, in the recorded shape."""
    recorded = json.loads((DELIVERIES / "checkout.session.completed.json").read_text())
    thing = recorded["data"]["object"]
    return thing | {"payment_link": link, "amount_total": 1250, "currency": "eur"} | changes


async def test_h4_a_payment_link_is_answered_by_who_paid(tmp_path):
    async with house(tmp_path) as (peer, served, client):
        handle = await call(client, "create_payment_link", "run/1", **LINK)
        link = peer.of("payment_link")[0]
        waiting = await get(client, handle.task_id)
        details = {"customer_details": {"email": "ann@example.com"}}
        paid = session(link["id"], **details)
        first = await rung(served.url, "checkout.session.completed", paid)
        again = await rung(served.url, "checkout.session.completed", paid)
        task = await get(client, handle.task_id)

    assert waiting.status_message == f"12.50 EUR can be paid at {link['url']}"
    assert (first, again) == ((200, {"reception": "applied"}), (200, {"reception": "duplicate"}))
    assert words(task) == "ann@example.com has paid 12.50 EUR"
    assert task.result["structuredContent"]["payment_intent"] == "pi_1"
    assert peer.requests[1][2]["restrictions[completed_sessions][limit]"] == "1"


async def test_h4_the_doorbell_is_the_mailroom_of_the_same_server(tmp_path):
    async with house(tmp_path) as (peer, served, client):
        handle = await call(client, "create_payment_link", **LINK)
        paid = event("checkout.session.completed", session(peer.of("payment_link")[0]["id"]))
        body, headers = forwarded("checkout.session.completed", paid, payload=paid)
        async with httpx2.AsyncClient(timeout=30) as http:
            answer = await http.post(f"{served.url}/callbacks", content=body, headers=headers)
        task = await get(client, handle.task_id)

    assert (answer.status_code, answer.json()) == (200, {"reception": "applied"})
    assert task.status == "completed"


async def test_a_delayed_payment_is_under_way_until_it_has_failed(tmp_path):
    async with house(tmp_path) as (peer, served, client):
        handle = await call(client, "create_payment_link", **LINK)
        unpaid = session(peer.of("payment_link")[0]["id"], payment_status="unpaid")
        await rung(served.url, "checkout.session.completed", unpaid, "evt_1")
        waiting = await get(client, handle.task_id)
        await rung(served.url, "checkout.session.async_payment_failed", unpaid, "evt_2")
        task = await get(client, handle.task_id)

    assert (waiting.status, "under way" in waiting.status_message) == ("working", True)
    assert (task.result["isError"], words(task)) == (
        True,
        "the payment of checkout cs_test_a1 failed",
    )


@pytest.mark.parametrize(
    ("state", "type_", "says", "wrong"),
    [
        ("succeeded", "payment_intent.succeeded", "12.50 EUR is paid", False),
        ("requires_payment_method", "payment_intent.payment_failed", "failed: no funds", True),
        ("canceled", "payment_intent.canceled", "was cancelled: no reason given", True),
    ],
)
async def test_h4_a_charge_is_answered_by_its_end(tmp_path, state, type_, says, wrong):
    states = {"payment_intent": "processing"}
    async with house(tmp_path, states=states) as (peer, served, client):
        handle = await call(client, "charge", **CHARGE)
        before = await get(client, handle.task_id)
        ended = peer.of("payment_intent")[0] | {
            "status": state,
            "last_payment_error": {"message": "no funds"},
        }
        await rung(served.url, type_, ended)
        task = await get(client, handle.task_id)

    assert before.status_message == "the payment of 12.50 EUR is processing"
    assert says in words(task)
    assert task.result["isError"] is wrong


async def test_a_charge_that_succeeds_at_once_is_a_task_that_has_ended(tmp_path):
    async with house(tmp_path, states={"payment_intent": "succeeded"}) as (_, _, client):
        handle = await call(client, "charge", **CHARGE)
        task = await get(client, handle.task_id)

    assert (handle.status, words(task)) == ("completed", "12.50 EUR is paid")


async def test_a_declined_card_is_the_tools_answer_and_no_task(tmp_path):
    async with house(tmp_path, answers=[402]) as (_, served, client):
        refused = await call(client, "charge", **CHARGE)
        left = await served.desk.store.unfinished()

    assert "Stripe answered 402 (Your card was declined.)" in refused.content[0].text
    assert left == []


async def test_a2_a_lost_answer_of_a_charge_is_told_by_its_metadata(tmp_path):
    states = {"payment_intent": "processing"}
    async with house(tmp_path, answers=[500], states=states) as (peer, served, client):
        handle = await call(client, "charge", "run/1", **CHARGE)
        again = await call(client, "charge", "run/1", **CHARGE)
        ended = peer.of("payment_intent")[0] | {"status": "succeeded"}
        await rung(served.url, "payment_intent.succeeded", ended)
        task = await get(client, handle.task_id)

    assert again.task_id == handle.task_id
    assert (len(peer.of("payment_intent")), words(task)) == (1, "12.50 EUR is paid")


async def test_a2_every_call_carries_an_idempotency_key_of_its_own_and_the_token(tmp_path):
    async with house(tmp_path) as (peer, _, client):
        await call(client, "create_payment_link", **LINK)
        await call(client, "refund", payment_intent="pi_1")

    keys = [key for _, key, _, _ in peer.requests]
    tokens = [form["metadata[doorbell_task]"] for _, _, form, _ in peer.requests]
    assert len(set(keys)) == 3
    assert all(key.startswith(f"{token}:") for key, token in zip(keys, tokens, strict=True))
    assert {sent for _, _, _, sent in peer.requests} == {f"Bearer {KEY}"}


@pytest.mark.parametrize(
    ("state", "says", "wrong"),
    [("succeeded", "12.50 EUR is refunded", False), ("failed", "is failed: expired_card", True)],
)
async def test_h4_a_refund_is_answered_by_its_end(tmp_path, state, says, wrong):
    async with house(tmp_path) as (peer, served, client):
        handle = await call(client, "refund", payment_intent="pi_1", amount=1250)
        ended = peer.of("refund")[0] | {"status": state, "failure_reason": "expired_card"}
        await rung(served.url, "refund.updated", ended)
        task = await get(client, handle.task_id)

    assert says in words(task)
    assert task.result["isError"] is wrong


async def test_h4_a_subscription_is_answered_by_its_first_payment(tmp_path):
    async with house(tmp_path, states={"subscription": "incomplete"}) as (peer, served, client):
        handle = await call(client, "create_subscription", customer="cus_1", price="price_1")
        active = peer.of("subscription")[0] | {"status": "active"}
        await rung(served.url, "customer.subscription.updated", active)
        task = await get(client, handle.task_id)

    assert words(task) == "subscription sub_1 is active"


async def test_a_link_that_is_called_off_is_switched_off_and_a_refund_goes_on(tmp_path):
    async with house(tmp_path) as (peer, _, client):
        link = await call(client, "create_payment_link", **LINK)
        refund = await call(client, "refund", payment_intent="pi_1")
        for handle in (link, refund):
            await cancel(client, handle.task_id)
        statuses = [(await get(client, handle.task_id)).status for handle in (link, refund)]

    assert peer.of("payment_link")[0]["active"] is False
    assert statuses == ["cancelled", "working"]


async def test_a5_a_webhook_that_never_comes_is_made_up_for_by_looking(tmp_path):
    now = [datetime(2026, 11, 21, 12, tzinfo=UTC)]
    async with (
        stripe() as (peer, stripe_url),
        hands(tmp_path, stripe_url, clock=lambda: now[0]) as served,
        over_http(served.url, Taking()) as client,
    ):
        handle = await call(client, "refund", payment_intent="pi_1")
        now[0] += timedelta(minutes=2)
        still = await get(client, handle.task_id)
        peer.of("refund")[0]["status"] = "succeeded"
        too_soon = await get(client, handle.task_id)
        now[0] += timedelta(minutes=1)
        task = await get(client, handle.task_id)

    assert (still.status, too_soon.status) == ("working", "working")
    assert words(task) == "12.50 EUR is refunded"


async def test_a5_a_payment_whose_webhook_was_lost_is_found_at_its_link(tmp_path):
    now = [datetime(2026, 11, 21, 12, tzinfo=UTC)]
    async with (
        stripe() as (peer, stripe_url),
        hands(tmp_path, stripe_url, clock=lambda: now[0]) as served,
        over_http(served.url, Taking()) as client,
    ):
        handle = await call(client, "create_payment_link", **LINK)
        now[0] += timedelta(minutes=2)
        unpaid = await get(client, handle.task_id)
        peer.sessions.append(session(peer.of("payment_link")[0]["id"]))
        now[0] += timedelta(minutes=2)
        task = await get(client, handle.task_id)

    assert unpaid.status == "working"
    assert words(task) == "the customer has paid 12.50 EUR"


async def test_a_look_that_fails_changes_nothing(tmp_path):
    now = [datetime(2026, 11, 21, 12, tzinfo=UTC)]
    async with (
        stripe() as (peer, stripe_url),
        hands(tmp_path, stripe_url, clock=lambda: now[0]) as served,
        over_http(served.url, Taking()) as client,
    ):
        handle = await call(client, "refund", payment_intent="pi_1")
        peer.made.clear()
        now[0] += timedelta(minutes=2)
        task = await get(client, handle.task_id)

    assert task.status == "working"


async def test_d1_what_stripe_did_not_sign_is_refused(tmp_path):
    async with house(tmp_path) as (_, served, _):
        forged = await rung(served.url, "refund.updated", {}, secret="whsec_other")
        body = json.dumps(event("star", {})).encode()
        async with httpx2.AsyncClient(timeout=30) as http:
            bare = await http.post(f"{served.url}/webhooks/stripe", content=body)

    assert (forged[0], bare.status_code) == (401, 401)


def test_d1_stripes_own_library_agrees_about_what_is_signed():
    body = json.dumps(event("star", {})).encode()

    Webhook.construct_event(body, signed(body)["stripe-signature"], SIGNS)


@pytest.mark.parametrize("type_", list(TOLD))
@pytest.mark.parametrize(
    "payload", [None, [], {}, {"id": "e", "data": {}}, {"data": {"object": 1}}]
)
def test_an_event_of_another_shape_is_unreadable(type_, payload):
    with pytest.raises(Unreadable, match="expected an event of Stripe"):
        callback(Parcel(id="1", type=type_, payload=payload))


def test_a_payment_of_a_link_that_fails_once_does_not_end_the_link():
    """The customer may try another card: only a checkout speaks for a link."""
    intent = {"id": "pi_1", "object": "payment_intent", "amount": 1, "currency": "eur"}
    parcel = Parcel(
        id="1",
        type="payment_intent.payment_failed",
        payload=event("payment_intent.payment_failed", intent | {"status": "processing"}),
    )

    assert callback(parcel).keys == ["payment_intent:pi_1"]
    assert isinstance(callback(parcel).told, Working)


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [(1250, "eur", "12.50 EUR"), (1250, "jpy", "1250 JPY"), (5, "USD", "0.05 USD")],
)
def test_money_is_written_as_people_write_it(amount, currency, text):
    assert money(amount, currency) == text


def test_an_end_is_a_whole_tool_result():
    told = tasks_stripe.callback(
        Parcel(
            id="1",
            type="refund.updated",
            payload=event(
                "refund.updated",
                {
                    "id": "re_1",
                    "object": "refund",
                    "amount": 1,
                    "currency": "eur",
                    "status": "succeeded",
                },
            ),
        )
    ).told

    assert isinstance(told, Completed)
    assert told.result["resultType"] == "complete"
