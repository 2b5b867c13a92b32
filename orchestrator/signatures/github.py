"""GitHub's signature: the hex HMAC-SHA256 of the body in `X-Hub-Signature-256`; pure, and SHA-1 is never read.

https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from orchestrator.errors import Reason, Refused
from orchestrator.signatures.bytes import from_hex, required, signed_by
from orchestrator.signatures.scheme import Proves

HEADER: Final = "x-hub-signature-256"
PREFIX: Final = "sha256="


@dataclass(frozen=True, slots=True)
class GithubScheme:
    """The `github` scheme; it signs neither the delivery id nor the event's name."""

    name: str = "github"
    signs_id: bool = False
    private: frozenset[str] = frozenset()
    proves: Proves = Proves()  # noqa: RUF009 - frozen

    def verify(
        self,
        headers: Mapping[str, str],
        body: bytes,
        secrets: Sequence[bytes],
        now: datetime,  # noqa: ARG002 - GitHub signs no clock
    ) -> None:
        """Return if one of the secrets signed these bytes. Raises `Refused`."""
        given = required(headers, HEADER)
        candidate = from_hex(given.removeprefix(PREFIX)) if given.startswith(PREFIX) else None
        if not signed_by(secrets, body, [candidate], "sha256"):
            raise Refused(
                Reason.BAD_SIGNATURE,
                f"expected {PREFIX!r} and the HMAC of the body in {HEADER!r}: none of "
                f"{len(secrets)} secrets fits",
            )


def sign(secret: bytes, body: bytes) -> dict[str, str]:
    """The header that GitHub would send with this body."""
    return {HEADER: PREFIX + hmac.digest(secret, body, "sha256").hex()}
