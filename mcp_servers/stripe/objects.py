"""Stripe's objects and events in words: whose they are and what they tell; pure, it makes no call.

https://docs.stripe.com/api/events/types. The order of events isn't guaranteed: each is read for what its object
says of itself, and the first that says the end is the end.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from mcp_servers.tasks.proofs import Parcel, Unreadable
from mcp_servers.tasks.states import Working
from mcp_servers.tasks.store import Callback, Told, token_key
from mcp_servers.tasks.wire import said

TASK: Final = "doorbell_task"
"""The metadata under which Stripe carries a task's token back to us."""

Thing = Mapping[str, Any]

_NO_DECIMALS: Final = frozenset(
    {"bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga"}
    | {"pyg", "rwf", "ugx", "vnd", "vuv", "xaf", "xof", "xpf"}
)


def money(amount: int, currency: str) -> str:
    """An amount in the currency's smallest unit, as people write it."""
    if currency.lower() in _NO_DECIMALS:
        return f"{amount} {currency.upper()}"
    return f"{amount // 100}.{amount % 100:02d} {currency.upper()}"


def session_told(session: Thing) -> Told:
    """How a checkout goes on once its customer has finished with it."""
    paid = money(session.get("amount_total") or 0, str(session.get("currency") or ""))
    who = (session.get("customer_details") or {}).get("email") or "the customer"
    if session.get("payment_status") == "unpaid":
        return Working(message=f"{who} has checked out; the payment of {paid} is under way")
    return said(f"{who} has paid {paid}", structured=_facts(session, "payment_intent", "customer"))


def session_failed(session: Thing) -> Told:
    """A checkout whose delayed payment failed."""
    return said(f"the payment of checkout {session['id']} failed", is_error=True)


def intent_told(intent: Thing) -> Told:
    """How a payment stands."""
    paid = money(intent["amount"], intent["currency"])
    match intent.get("status"):
        case "succeeded":
            return said(f"{paid} is paid", structured=_facts(intent, "customer", "latest_charge"))
        case "canceled":
            reason = intent.get("cancellation_reason") or "no reason given"
            return said(f"the payment of {paid} was cancelled: {reason}", is_error=True)
        case "requires_payment_method":
            return said(f"the payment of {paid} failed: {_reason(intent)}", is_error=True)
        case status:
            return Working(message=f"the payment of {paid} is {status}")


def refund_told(refund: Thing) -> Told:
    """How a refund stands."""
    back = money(refund["amount"], refund["currency"])
    match refund.get("status"):
        case "succeeded":
            return said(f"{back} is refunded", structured=_facts(refund, "charge"))
        case "failed" | "canceled" as status:
            reason = refund.get("failure_reason") or "no reason given"
            return said(f"the refund of {back} is {status}: {reason}", is_error=True)
        case status:
            return Working(message=f"the refund of {back} is {status}")


def subscription_told(subscription: Thing) -> Told:
    """How a subscription stands."""
    id_ = subscription["id"]
    match subscription.get("status"):
        case "active" | "trialing" as status:
            return said(
                f"subscription {id_} is {status}", structured=_facts(subscription, "customer")
            )
        case "incomplete_expired" | "canceled" | "unpaid" as status:
            return said(f"subscription {id_} is {status}", is_error=True)
        case status:
            return Working(message=f"subscription {id_} is {status}: its first payment is awaited")


def _reason(intent: Thing) -> str:
    error = intent.get("last_payment_error") or {}
    return str(error.get("message") or error.get("code") or "no reason given")


def _facts(thing: Thing, *names: str) -> dict[str, Any]:
    kept = ("id", "object", "status", "payment_status", *names)
    return {name: thing[name] for name in kept if thing.get(name) is not None}


TOLD: Final[Mapping[str, Callable[[Thing], Told]]] = {
    "checkout.session.completed": session_told,
    "checkout.session.async_payment_succeeded": session_told,
    "checkout.session.async_payment_failed": session_failed,
    **dict.fromkeys(
        (
            "payment_intent.succeeded",
            "payment_intent.payment_failed",
            "payment_intent.canceled",
            "payment_intent.processing",
            "payment_intent.requires_action",
        ),
        intent_told,
    ),
    **dict.fromkeys(
        ("refund.created", "refund.updated", "refund.failed", "charge.refund.updated"), refund_told
    ),
    **dict.fromkeys(
        (
            "customer.subscription.created",
            "customer.subscription.updated",
            "customer.subscription.deleted",
        ),
        subscription_told,
    ),
}
"""What each event tells; the others are nobody's."""

KINDS: Final[Mapping[str, str]] = {
    "checkout.session": "checkout",
    "payment_intent": "payment_intent",
    "refund": "refund",
    "subscription": "subscription",
    "payment_link": "payment_link",
}
"""Stripe's name of a kind of object, and the kind of correlation key it has here."""


def keys_of(thing: Thing) -> list[str]:
    """The correlation keys an object bears: its own, that of the link it came by, and the task's token."""
    keys = [f"{KINDS[str(thing['object'])]}:{thing['id']}"]
    if thing.get("payment_link"):
        keys.append(f"payment_link:{thing['payment_link']}")
    token = (thing.get("metadata") or {}).get(TASK)
    return [*keys, token_key(str(token))] if token else keys


def callback(parcel: Parcel) -> Callback | None:
    """Whose an event is, and what it tells. Raises `Unreadable`."""
    told = TOLD.get(parcel.type)
    if told is None:
        return None
    try:
        thing = parcel.payload["data"]["object"]
        return Callback(id=str(parcel.payload["id"]), keys=keys_of(thing), told=told(thing))
    except (KeyError, TypeError, AttributeError) as error:
        raise Unreadable(
            f"expected an event of Stripe with its object in {parcel.type!r}: {error!r}"
        ) from None
