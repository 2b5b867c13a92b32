"""A shared token sent along as it is: GitLab's header, a bearer, a basic password, a query parameter; pure.

It proves that the sender knows the token, and nothing about the body, the id or the time.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from urllib.parse import parse_qs

from orchestrator.errors import Reason, Refused
from orchestrator.signatures.bytes import equal
from orchestrator.signatures.scheme import QUERY, Proves


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearer:
    """Where a token may stand: in a header behind a prefix, or in a query parameter."""

    header: str | None = None
    parameter: str | None = None
    prefix: str = ""
    encoding: Literal["raw", "base64"] = "raw"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenScheme:
    """The places in order; the first that is there must hold a token, and no other is looked at."""

    name: str
    places: tuple[Bearer, ...]
    signs_id: bool = False

    @property
    def private(self) -> frozenset[str]:
        """Wherever the token travels."""
        return frozenset(place.header or QUERY for place in self.places)

    @property
    def proves(self) -> Proves:
        """Nothing but that the sender knows the token."""
        return Proves(body=False)

    def verify(
        self,
        headers: Mapping[str, str],
        body: bytes,  # noqa: ARG002 - a token says nothing of the body
        secrets: Sequence[bytes],
        now: datetime,  # noqa: ARG002 - nor of the time
    ) -> None:
        """Return if one of the secrets came along. Raises `Refused`."""
        token = self._token(headers)
        # All are compared: how long it takes must not tell which one was nearly right.
        if not sum(equal(token, secret) for secret in secrets if secret):
            raise Refused(
                Reason.BAD_SIGNATURE,
                f"expected the token of this source: none of {len(secrets)} secrets fits",
            )

    def _token(self, headers: Mapping[str, str]) -> bytes:
        for place in self.places:
            text = _text(place, headers)
            if text is not None:
                return _decoded(place, text)
        wanted = " or ".join(_named(place) for place in self.places)
        raise Refused(
            Reason.NO_SIGNATURE, f"expected the token in {wanted}, it is missing or empty"
        )


def _named(place: Bearer) -> str:
    return f"the header {place.header!r}" if place.header else "the query"


def _text(place: Bearer, headers: Mapping[str, str]) -> str | None:
    if place.header is not None:
        return headers.get(place.header) or None
    values = parse_qs(headers.get(QUERY, "")).get(place.parameter or "", [])
    if len(values) > 1:
        raise Refused(Reason.AMBIGUOUS_HEADER, "expected the token once in the query")
    return values[0] if values else None


def _decoded(place: Bearer, text: str) -> bytes:
    # The name of an HTTP authentication scheme is case-insensitive (RFC 9110, 11.1).
    if text[: len(place.prefix)].lower() != place.prefix.lower():
        raise Refused(Reason.BAD_SIGNATURE, f"expected {place.prefix!r} before the token")
    token = text[len(place.prefix) :].encode("latin-1", "replace")
    if place.encoding == "raw":
        return token
    try:
        return base64.b64decode(token, validate=True)
    except binascii.Error:
        raise Refused(Reason.BAD_SIGNATURE, "expected the token in base64") from None
