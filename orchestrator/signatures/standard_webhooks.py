"""Standard Webhooks, symmetric (`v1`): HMAC-SHA256 over `{id}.{timestamp}.{body}`; pure, and no `v1a`.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from orchestrator.errors import Reason, Refused
from orchestrator.signatures.bytes import (
    fresh,
    from_base64,
    listed,
    moment,
    required,
    signed_by,
)

ID: Final = "webhook-id"
TIMESTAMP: Final = "webhook-timestamp"
SIGNATURE: Final = "webhook-signature"
VERSION: Final = "v1,"
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - the prefix of a secret is none
TOLERANCE: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class StandardWebhooksScheme:
    """The `standard-webhooks` scheme; the delivery id is signed, and the clock is checked both ways."""

    name: str = "standard-webhooks"
    signs_id: bool = True

    def verify(
        self, headers: Mapping[str, str], body: bytes, secrets: Sequence[bytes], now: datetime
    ) -> None:
        """Return if one of the secrets signed these bytes. Raises `Refused`."""
        stamp = required(headers, TIMESTAMP)
        content = _content(required(headers, ID), stamp, body)
        candidates = [
            from_base64(entry.removeprefix(VERSION))
            for entry in listed(required(headers, SIGNATURE), " ")
            if entry.startswith(VERSION)
        ]
        if not signed_by(_keys(secrets), content, candidates, "sha256"):
            raise Refused(
                Reason.BAD_SIGNATURE,
                f"expected a {VERSION!r} signature of id, timestamp and body in {SIGNATURE!r}: none of "
                f"{len(_keys(secrets))} usable secrets fits",
            )
        fresh(moment(stamp, TIMESTAMP), now, TOLERANCE)


def key(secret: bytes | str) -> bytes:
    """The signing key behind `whsec_` and base64.

    Raises `ValueError` for text that is not one; `check` tells the operator before a sender does.
    """
    text = secret.decode("utf-8", "replace") if isinstance(secret, bytes) else secret
    encoded = text.removeprefix(SECRET_PREFIX).rstrip("=")
    found = from_base64(encoded + "=" * (-len(encoded) % 4))
    if found is None:
        raise ValueError(
            f"expected a Standard Webhooks secret, {SECRET_PREFIX!r} and base64: other text came"
        )
    return found


def sign(secret: bytes | str, id: str, body: bytes, now: datetime) -> dict[str, str]:  # noqa: A002
    """The headers that prove this body. Raises `ValueError` for a secret that is none."""
    stamp = str(int(now.timestamp()))
    digest = hmac.digest(key(secret), _content(id, stamp, body), "sha256")
    return {ID: id, TIMESTAMP: stamp, SIGNATURE: VERSION + base64.b64encode(digest).decode()}


def _content(id_: str, stamp: str, body: bytes) -> bytes:
    if not (id_.isascii() and stamp.isascii()):
        raise Refused(Reason.BAD_SIGNATURE, f"expected ASCII in {ID!r} and {TIMESTAMP!r}")
    return f"{id_}.{stamp}.".encode() + body


def _keys(secrets: Sequence[bytes]) -> list[bytes]:
    return [found for secret in secrets for found in _key_or_none(secret)]


def _key_or_none(secret: bytes) -> list[bytes]:
    try:
        return [key(secret)]
    except ValueError:
        return []
