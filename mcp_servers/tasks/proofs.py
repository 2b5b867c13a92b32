"""Who sent a callback: Standard Webhooks over a CloudEvent, as a doorbell forwards it; pure.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md and
https://github.com/cloudevents/spec. A vendor that calls without a doorbell between has a `Reader` of its own.
"""

import base64
import binascii
import hmac
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

TOLERANCE: Final = timedelta(minutes=5)
PREFIX: Final = "whsec_"
SIGNATURES: Final = 16
"""More signatures than this are no rotation."""


class Unproved(Exception):
    """The signature doesn't fit, or the moment is not now."""


class Unreadable(Exception):
    """Proved, but not of the shape that was promised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A callback that is proved: its id, the vendor's own event type, and the vendor's payload."""

    id: str
    type: str
    payload: Any


Reader = Callable[[Mapping[str, str], bytes, Sequence[str], datetime], Parcel]
"""Headers (names in lower case), body, secrets and now, to a parcel. Raises `Unproved`, `Unreadable`."""


def forwarded(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime
) -> Parcel:
    """What a doorbell's `forward:` sent: `type` is `SOURCE/TYPE`, of which the source is cut off."""
    id_, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    fresh(stamp, now)
    signed = f"{id_}.{stamp}.".encode() + body
    given = [
        one.removeprefix("v1,")
        for one in headers.get("webhook-signature", "").split(" ")[:SIGNATURES]
        if one.startswith("v1,")
    ]
    digests = [_base64(one) for one in given]
    proved([signing_key(secret) for secret in secrets], signed, digests)
    return _parcel(decoded(body))


def proved(keys: Sequence[bytes], signed: bytes, digests: Sequence[bytes]) -> None:
    """Return if one key made one of the SHA-256 HMACs. Raises `Unproved`."""
    for key in keys:
        own = hmac.digest(key, signed, "sha256")
        if any(hmac.compare_digest(own, digest) for digest in digests):
            return
    raise Unproved(f"expected a signature by one of {len(keys)} secrets, none fits")


def fresh(stamp: str, now: datetime) -> None:
    """Return if this moment, in seconds since 1970, is now. Raises `Unproved`."""
    if not re.fullmatch(r"[0-9]{1,12}", stamp):
        raise Unproved("expected a timestamp in whole seconds since 1970")
    if abs(now.timestamp() - int(stamp)) > TOLERANCE.total_seconds():
        raise Unproved(
            f"expected a timestamp within {TOLERANCE} of now: send it anew, or set the clock"
        )


def signing_key(secret: str) -> bytes:
    """The key behind `whsec_` and base64. Raises `ValueError` for text that is none."""
    key = _base64(secret.removeprefix(PREFIX)) if secret.startswith(PREFIX) else b""
    if not key:
        raise ValueError(
            "expected a secret of the form whsec_BASE64, as `doorbell` and Svix give them out"
        )
    return key


def decoded(body: bytes) -> Mapping[str, Any]:
    """A body that is a JSON object. Raises `Unreadable`."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise Unreadable("expected a JSON object, got something else") from None
    if not isinstance(found, dict):
        raise Unreadable(f"expected a JSON object, got {type(found).__name__}")
    return found


def _parcel(event: Mapping[str, Any]) -> Parcel:
    source, id_, type_ = (event.get(name) for name in ("source", "id", "type"))
    if not (isinstance(source, str) and isinstance(id_, str) and isinstance(type_, str)):
        raise Unreadable("expected a CloudEvent with source, id and type")
    return Parcel(
        id=f"{source} {id_}", type=type_.partition("/")[2] or type_, payload=_payload(event)
    )


def _payload(event: Mapping[str, Any]) -> Any:
    plain = event.get("data_base64")
    return event.get("data") if not isinstance(plain, str) else _base64(plain)


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
