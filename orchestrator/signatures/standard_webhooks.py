"""Standard Webhooks: HMAC-SHA256 (`v1`) or Ed25519 (`v1a`) over `{id}.{timestamp}.{body}`; pure.

Which of the two is the operator's choice, made by the kind of secret: `whsec_` is shared, `whpk_` is a public key.
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from orchestrator.errors import Reason, Refused
from orchestrator.signatures.bytes import (
    fresh,
    from_base64,
    listed,
    moment,
    required,
    signed_by,
)
from orchestrator.signatures.keys import WHPK, public_key, shared_key
from orchestrator.signatures.scheme import Proves

ID: Final = "webhook-id"
TIMESTAMP: Final = "webhook-timestamp"
SIGNATURE: Final = "webhook-signature"
VERSION: Final = "v1,"
PUBLIC_VERSION: Final = "v1a,"
TOLERANCE: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class StandardWebhooksScheme:
    """The `standard-webhooks` scheme; the delivery id is signed, and the clock is checked both ways.

    `family` begins the names of the three headers. `raw` allows a shared secret that isn't behind `whsec_`.
    """

    name: str = "standard-webhooks"
    signs_id: bool = True
    family: str = "webhook"
    raw: bool = False
    private: frozenset[str] = frozenset()
    proves: Proves = Proves(id=True, clock=True)  # noqa: RUF009 - frozen

    @property
    def names(self) -> tuple[str, str, str]:
        """The headers of id, timestamp and signature."""
        return f"{self.family}-id", f"{self.family}-timestamp", f"{self.family}-signature"

    def verify(
        self, headers: Mapping[str, str], body: bytes, secrets: Sequence[bytes], now: datetime
    ) -> None:
        """Return if one of the secrets signed these bytes. Raises `Refused`."""
        id_, timestamp, signature = self.names
        stamp = required(headers, timestamp)
        content = _content(required(headers, id_), stamp, body)
        entries = listed(required(headers, signature), " ")
        public = [secret for secret in secrets if secret.startswith(WHPK.encode())]
        shared = [key for secret in secrets if secret not in public for key in self._key(secret)]
        if not (
            signed_by(shared, content, _candidates(entries, VERSION), "sha256")
            or _public(public, content, _candidates(entries, PUBLIC_VERSION))
        ):
            raise Refused(
                Reason.BAD_SIGNATURE,
                f"expected a {VERSION!r} signature of id, timestamp and body in {signature!r}: none of "
                f"{len(shared) + len(public)} usable secrets fits",
            )
        fresh(moment(stamp, timestamp), now, TOLERANCE)

    def complaint(self, secret: bytes) -> str | None:
        """Why this secret can't be one of this scheme, if so; it says nothing of the secret itself."""
        try:
            if secret.startswith(WHPK.encode()):
                public_key("ed25519", "whpk", secret)
            else:
                shared_key("whsec-or-utf8" if self.raw else "whsec", secret)
        except ValueError as error:
            return str(error)
        return None

    def _key(self, secret: bytes) -> list[bytes]:
        try:
            return [shared_key("whsec-or-utf8" if self.raw else "whsec", secret)]
        except ValueError:
            return []


def key(secret: bytes | str) -> bytes:
    """The signing key behind `whsec_` and base64.

    Raises `ValueError` for text that is not one; `check` tells the operator before a sender does.
    """
    return shared_key("whsec", secret if isinstance(secret, bytes) else secret.encode())


def sign(secret: bytes | str, id: str, body: bytes, now: datetime) -> dict[str, str]:  # noqa: A002
    """The headers that prove this body. Raises `ValueError` for a secret that is none."""
    stamp = str(int(now.timestamp()))
    digest = hmac.digest(key(secret), _content(id, stamp, body), "sha256")
    return {ID: id, TIMESTAMP: stamp, SIGNATURE: VERSION + base64.b64encode(digest).decode()}


def _content(id_: str, stamp: str, body: bytes) -> bytes:
    if not (id_.isascii() and stamp.isascii()):
        raise Refused(Reason.BAD_SIGNATURE, "expected ASCII in the id and the timestamp")
    return f"{id_}.{stamp}.".encode() + body


def _candidates(entries: Sequence[str], version: str) -> list[bytes | None]:
    return [
        from_base64(entry.removeprefix(version)) for entry in entries if entry.startswith(version)
    ]


def _public(secrets: Sequence[bytes], content: bytes, given: Sequence[bytes | None]) -> bool:
    signatures = [one for one in given if one is not None]
    return any(_fits(secret, content, one) for secret in secrets for one in signatures)


def _fits(secret: bytes, content: bytes, signature: bytes) -> bool:
    try:
        found = public_key("ed25519", "whpk", secret)
        if isinstance(found, Ed25519PublicKey):
            found.verify(signature, content)
            return True
    except (ValueError, InvalidSignature):
        pass
    return False
