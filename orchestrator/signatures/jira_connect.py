"""Atlassian Connect's JWT in `Authorization`: HS256 under the app's shared secret, bound to the URL; pure.

It proves who calls this URL and when; the body is in no claim of it.
https://developer.atlassian.com/cloud/jira/platform/understanding-jwt-for-connect-apps/
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import groupby
from typing import Any, Final, Self
from urllib.parse import parse_qsl, quote, urlsplit

from orchestrator.errors import Reason, Refused
from orchestrator.signatures.bytes import equal, required, signed_by
from orchestrator.signatures.scheme import METHOD, QUERY, Proves

HEADER: Final = "authorization"
PREFIX: Final = "JWT "
TOLERANCE: Final = timedelta(minutes=5)
MAX_TOKEN: Final = 8_192
PARTS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class JiraConnectScheme:
    """The `jira-connect` scheme; `url` is the configured public URL, its path counts from the app's base URL."""

    name: str = "jira-connect"
    url: str | None = None
    signs_id: bool = False
    private: frozenset[str] = frozenset({HEADER, QUERY})
    proves: Proves = Proves(body=False, url=True, clock=True)  # noqa: RUF009 - frozen

    def at(self, url: str) -> Self:
        """The same, for this public URL."""
        return replace(self, url=url)

    def verify(
        self,
        headers: Mapping[str, str],
        body: bytes,  # noqa: ARG002 - no claim is about the body
        secrets: Sequence[bytes],
        now: datetime,
    ) -> None:
        """Return if one of the secrets signed a token for this URL and this moment. Raises `Refused`."""
        claims = _claims(required(headers, HEADER), secrets)
        if self.url is None:
            raise Refused(Reason.BAD_SIGNATURE, "this sender signs the URL: set `public_url`")
        wanted = query_hash(METHOD, urlsplit(self.url).path, headers.get(QUERY, ""))
        given = claims.get("qsh")
        if not (isinstance(given, str) and equal(given.encode(), wanted.encode())):
            raise Refused(
                Reason.BAD_SIGNATURE, "expected a token for this URL: its `qsh` is another's"
            )
        _check_times(claims, now)


def query_hash(method: str, path: str, query: str) -> str:
    """Atlassian's `qsh`: the hash of the canonical method, path and query; a parameter `jwt` isn't part of it."""
    canonical_path = quote("/" + path.strip("/"), safe="/%")
    pairs = sorted((_quoted(name), _quoted(value)) for name, value in _pairs(query))
    grouped = groupby(pairs, key=lambda pair: pair[0])
    canonical = "&".join(f"{name}={','.join(value for _, value in some)}" for name, some in grouped)
    return sha256(f"{method.upper()}&{canonical_path}&{canonical}".encode()).hexdigest()


def _pairs(query: str) -> list[tuple[str, str]]:
    return [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] != "jwt"]


def _quoted(text: str) -> str:
    return quote(text, safe="-._~")


def _claims(given: str, secrets: Sequence[bytes]) -> dict[str, Any]:
    parts = given[len(PREFIX) :].split(".")
    if not given.startswith(PREFIX) or len(given) > MAX_TOKEN or len(parts) != PARTS:
        raise Refused(Reason.BAD_SIGNATURE, f"expected {PREFIX!r} and a token in {HEADER!r}")
    head, claims = _json(parts[0]), _json(parts[1])
    signature = _bytes(parts[2])
    content = f"{parts[0]}.{parts[1]}".encode()
    # The token's own word for its algorithm is compared, never obeyed: `none` and RS256 end here.
    if head.get("alg") != "HS256" or not signed_by(secrets, content, [signature], "sha256"):
        raise Refused(
            Reason.BAD_SIGNATURE, f"expected an HS256 token: none of {len(secrets)} secrets fits"
        )
    return claims


def _bytes(text: str) -> bytes | None:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None


def _json(text: str) -> dict[str, Any]:
    try:
        value = json.loads(_bytes(text) or b"")
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {}


def _check_times(claims: Mapping[str, Any], now: datetime) -> None:
    expires, issued = _time(claims, "exp"), _time(claims, "iat")
    if now - expires > TOLERANCE:
        raise Refused(Reason.STALE, "the token has expired; are both clocks right?")
    if issued - now > TOLERANCE:
        raise Refused(Reason.FUTURE, "the token is from the future; are both clocks right?")


def _time(claims: Mapping[str, Any], name: str) -> datetime:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 10**11:
        raise Refused(Reason.BAD_SIGNATURE, f"expected Unix seconds in the claim {name!r}")
    return datetime.fromtimestamp(value, UTC)
