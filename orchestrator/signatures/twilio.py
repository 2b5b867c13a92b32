"""Twilio's signature over the configured URL, and the form's fields or the body's hash; pure.

https://www.twilio.com/docs/usage/security#validating-requests
A form is signed with the URL: every name and value, sorted. Of any other body only the hash is, as `bodySHA256` in
the query, so the body is held against it here; Twilio's own signature would be silent about it.
"""

import base64
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Final, Literal, Self
from urllib.parse import parse_qs, parse_qsl, urlsplit, urlunsplit

from orchestrator.errors import Reason, Refused
from orchestrator.signatures.bytes import from_base64, from_hex, required, signed_by
from orchestrator.signatures.scheme import QUERY, Proves

HEADER: Final = "x-twilio-signature"
BODY_HASH: Final = "bodySHA256"
PORTS: Final = {"http": 80, "https": 443}
MAX_FIELDS: Final = 1_000
FORM: Final = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True, kw_only=True)
class TwilioScheme:
    """The `twilio` schemes. `hash` is configuration: the header that names an algorithm is never read."""

    name: str = "twilio"
    hash: Literal["sha1", "sha256"] = "sha1"
    url: str | None = None
    signs_id: bool = False
    private: frozenset[str] = frozenset({QUERY})
    proves: Proves = Proves(url=True)  # noqa: RUF009 - frozen

    def at(self, url: str) -> Self:
        """The same, for this public URL."""
        return replace(self, url=url)

    def verify(
        self,
        headers: Mapping[str, str],
        body: bytes,
        secrets: Sequence[bytes],
        now: datetime,  # noqa: ARG002 - Twilio signs no clock
    ) -> None:
        """Return if one of the secrets signed this URL and these bytes. Raises `Refused`."""
        candidate = from_base64(required(headers, HEADER))
        fields = _fields(headers, body)
        if not any(
            signed_by(secrets, (url + fields).encode(), [candidate], self.hash)
            for url in self._urls(headers)
        ):
            raise Refused(
                Reason.BAD_SIGNATURE,
                f"expected the HMAC of the public URL and the fields in {HEADER!r}: none of "
                f"{len(secrets)} secrets fits; is `public_url` exactly what Twilio calls?",
            )

    def _urls(self, headers: Mapping[str, str]) -> list[str]:
        if self.url is None:
            raise Refused(
                Reason.BAD_SIGNATURE, "this sender signs the URL: set `public_url` for its source"
            )
        parts = urlsplit(self.url)
        if _body_hash(headers):
            # Twilio puts the hash into the query itself, so the query is not the configured one.
            parts = parts._replace(query=headers.get(QUERY, ""))
        host = parts.hostname or ""
        named = f"[{host}]" if ":" in host else host
        with_port = f"{named}:{parts.port or PORTS.get(parts.scheme, 443)}"
        # Twilio signs some requests with the port and some without.
        return [urlunsplit(parts._replace(netloc=netloc)) for netloc in (named, with_port)]


def sign(url: str, secret: bytes, body: bytes, hash_: str = "sha1") -> str:
    """The signature of a form at this URL."""
    content = url + _fields({"content-type": FORM}, body)
    return base64.b64encode(hmac.digest(secret, content.encode(), hash_)).decode()


def _fields(headers: Mapping[str, str], body: bytes) -> str:
    """What of the body is in the signed text. Raises `Refused` where the body isn't proved by it."""
    if _body_hash(headers):
        _check_body(headers, body)
        return ""
    if headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise Refused(
            Reason.BAD_SIGNATURE,
            f"expected a form, or the body's hash as {BODY_HASH!r} in the query: the body isn't signed",
        )
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS
        )
    except ValueError:
        raise Refused(Reason.BAD_SIGNATURE, "expected a form in UTF-8, other bytes came") from None
    return "".join(name + value for name, value in sorted(set(pairs)))


def _body_hash(headers: Mapping[str, str]) -> list[str]:
    return parse_qs(headers.get(QUERY, "")).get(BODY_HASH, [])


def _check_body(headers: Mapping[str, str], body: bytes) -> None:
    given = [from_hex(text) for text in _body_hash(headers)]
    if given != [sha256(body).digest()]:
        raise Refused(Reason.BAD_SIGNATURE, f"expected {BODY_HASH!r} to be the hash of the body")
