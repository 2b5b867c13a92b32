"""Stripe's own signature, for a server that Stripe calls without a doorbell between; pure.

https://docs.stripe.com/webhooks#verify-manually
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from mcp_servers.tasks.proofs import (
    SIGNATURES,
    Parcel,
    Unproved,
    Unreadable,
    decoded,
    fresh,
    proved,
)


def by_stripe(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime
) -> Parcel:
    """What Stripe sent. Raises `Unproved`, `Unreadable`."""
    parts = [one.partition("=") for one in headers.get("stripe-signature", "").split(",")]
    stamp = next((value for name, _, value in parts if name.strip() == "t"), "")
    fresh(stamp, now)
    given = [value for name, _, value in parts if name.strip() == "v1"][:SIGNATURES]
    digests = [_hex(one) for one in given]
    proved([secret.encode() for secret in secrets], f"{stamp}.".encode() + body, digests)
    event = decoded(body)
    id_, type_ = event.get("id"), event.get("type")
    if not (isinstance(id_, str) and isinstance(type_, str)):
        raise Unreadable("expected an event of Stripe with id and type")
    return Parcel(id=id_, type=type_, payload=event)


def _hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise Unproved("expected a signature in hexadecimal digits") from None
