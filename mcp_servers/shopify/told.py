"""What Shopify's webhooks tell of fulfilments, refunds and their transactions, and how Shopify signs them; pure.

https://shopify.dev/docs/api/webhooks. What a payload is about is read from the payload: the header that names its
topic isn't signed.
"""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from mcp_servers.tasks.proofs import Parcel, Unproved, Unreadable, decoded, proved
from mcp_servers.tasks.states import Working
from mcp_servers.tasks.store import Callback, Told, token_key
from mcp_servers.tasks.wire import said

Thing = Mapping[str, Any]

_MARK: Final = re.compile(r"\(doorbell:([A-Za-z0-9_-]{1,80})\)")
_FAILED: Final = frozenset({"cancelled", "error", "failure"})


def shipped_key(id_: object) -> str:
    """The correlation key of whoever waits for a fulfilment to be shipped."""
    return f"fulfillment:{id_}"


def delivered_key(id_: object) -> str:
    """The correlation key of whoever waits for a fulfilment to be delivered."""
    return f"delivery:{id_}"


def refund_key(id_: object) -> str:
    """The correlation key of a refund."""
    return f"refund:{id_}"


def transaction_key(id_: object) -> str:
    """The correlation key of one movement of money."""
    return f"transaction:{id_}"


def marked(token: str) -> str:
    """What a refund's note carries, so that its webhook names its task even where our own answer was lost."""
    return f"(doorbell:{token})"


def callback(parcel: Parcel) -> Callback | None:
    """Whose a webhook is, and what it tells. Raises `Unreadable`."""
    payload = parcel.payload
    if not isinstance(payload, dict):
        raise Unreadable(f"expected an object in {parcel.type!r}, got {type(payload).__name__}")
    try:
        return _callback(parcel.id, payload)
    except (KeyError, TypeError, AttributeError) as error:
        raise Unreadable(f"expected Shopify's fields in {parcel.type!r}: {error!r}") from None


def by_shopify(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[str], _now: datetime
) -> Parcel:
    """What Shopify sent itself, without a doorbell between. Raises `Unproved`, `Unreadable`."""
    given = headers.get("shopify-hmac-sha256") or headers.get("x-shopify-hmac-sha256", "")
    try:
        digest = base64.b64decode(given, validate=True)
    except (binascii.Error, ValueError):
        raise Unproved("expected X-Shopify-Hmac-Sha256 in base64") from None
    proved([secret.encode() for secret in secrets], body, [digest])
    topic = headers.get("shopify-topic") or headers.get("x-shopify-topic", "")
    # The delivery's id isn't signed: the digest is the same for the same bytes, however often they come.
    return Parcel(id=given, type=topic, payload=decoded(body))


def _callback(id_: str, payload: Thing) -> Callback | None:
    kind = str(payload.get("admin_graphql_api_id", "")).removeprefix("gid://shopify/").split("/")[0]
    match kind:
        case "Fulfillment":
            return _fulfillment(id_, payload)
        case "Refund":
            return _refund(id_, payload)
        case "OrderTransaction" if payload.get("kind") == "refund":
            keys = [transaction_key(payload["id"])]
            return Callback(id=id_, keys=keys, told=_money([payload], payload.get("order_id")))
        case _:
            return None


def _fulfillment(id_: str, fulfillment: Thing) -> Callback:
    number, status = fulfillment["id"], fulfillment.get("status")
    order, shipment = fulfillment.get("order_id"), fulfillment.get("shipment_status")
    keys = [shipped_key(number), delivered_key(number)]
    if status in _FAILED or shipment == "failure":
        failed = (
            f"fulfilment {number} of order {order} is {status if status in _FAILED else 'lost'}"
        )
        return Callback(id=id_, keys=keys, told=said(failed, is_error=True))
    facts = {"id": number, "order_id": order, "status": status, "shipment_status": shipment}
    facts |= {"tracking": list(fulfillment.get("tracking_numbers") or ())}
    if shipment == "delivered":
        told = said(f"fulfilment {number} of order {order} is delivered", structured=facts)
        return Callback(id=id_, keys=keys, told=told)
    if status == "success":
        # Who waits for the delivery is not answered by the shipping.
        told = said(f"fulfilment {number} of order {order} is shipped", structured=facts)
        return Callback(id=id_, keys=[shipped_key(number)], told=told)
    return Callback(id=id_, keys=keys, told=Working(message=f"fulfilment {number} is {status}"))


def _refund(id_: str, refund: Thing) -> Callback:
    keys = [refund_key(refund["id"])]
    if found := _MARK.search(str(refund.get("note") or "")):
        keys.append(token_key(found[1]))
    return Callback(id=id_, keys=keys, told=_money(refund["transactions"], refund["order_id"]))


def _money(transactions: Sequence[Thing], order: object) -> Told:
    states = {str(one["status"]) for one in transactions}
    total = ", ".join(f"{one['amount']} {one.get('currency', '')}".strip() for one in transactions)
    if states & {"failure", "error"}:
        reason = next((one["message"] for one in transactions if one.get("message")), "no reason")
        return said(f"the refund of order {order} failed: {reason}", is_error=True)
    if states <= {"success"}:
        return said(f"{total or 'nothing'} of order {order} is refunded")
    return Working(message=f"the refund of order {order} is {' and '.join(sorted(states))}")
