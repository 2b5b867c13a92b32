"""Strict readings of what senders put into signature headers; pure, and it knows no scheme.

Everything a stranger may write is either read exactly or is None: no lenient base64, no Arabic digits, no
exception but the one `Refused` that says a header is missing.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final, Literal

from orchestrator.errors import Reason, Refused

MAX_SIGNATURES: Final = 16
"""In one header: rotation needs two; a thousand are an attack on our time."""

_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2})+")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_DIGITS: Final = re.compile(r"[0-9]{1,11}")


def required(headers: Mapping[str, str], name: str) -> str:
    """The header's value. Raises `Refused` where it is missing or empty."""
    value = headers.get(name.lower(), "")
    if not value:
        raise Refused(Reason.NO_SIGNATURE, f"expected the header {name!r}, it is missing or empty")
    return value


def from_hex(text: str) -> bytes | None:
    """The bytes, in either case; None for anything but whole hex pairs."""
    return bytes.fromhex(text) if _HEX.fullmatch(text) else None


def from_base64(text: str) -> bytes | None:
    """The bytes; None for anything but the one padded spelling of them."""
    if not _BASE64.fullmatch(text):
        return None
    try:
        value = base64.b64decode(text, validate=True)
    except binascii.Error:
        return None
    return value if base64.b64encode(value).decode() == text else None


def equal(one: bytes, other: bytes) -> bool:
    """Whether two secrets are the same, in a time that doesn't tell how long the right one is."""
    return hmac.compare_digest(sha256(one).digest(), sha256(other).digest())


def listed(text: str, separators: str) -> list[str]:
    """The entries of a signature list. Raises `Refused` where there are more than anybody honest sends."""
    entries = [entry for entry in re.split(f"[{separators}]", text) if entry]
    if len(entries) > MAX_SIGNATURES:
        raise Refused(
            Reason.BAD_SIGNATURE,
            f"expected at most {MAX_SIGNATURES} signatures, {len(entries)} came",
        )
    return entries


def signed_by(
    keys: Sequence[bytes], content: bytes, candidates: Iterable[bytes | None], algorithm: str
) -> bool:
    """Whether one of the candidates is the HMAC of the content under one of the keys, in constant time.

    An empty key proves nothing, so it never matches.
    """
    wanted = [hmac.digest(key, content, algorithm) for key in keys if key]
    given = [candidate for candidate in candidates if candidate is not None]
    # No early exit: how long this takes must not tell which key or signature was nearly right.
    return sum(hmac.compare_digest(one, other) for one in wanted for other in given) > 0


def moment(text: str, name: str, unit: Literal["s", "ms"] = "s") -> datetime:
    """The Unix time in a timestamp header. Raises `Refused` for anything but ASCII digits."""
    seconds = text if unit == "s" else text[:-3]
    if not (_DIGITS.fullmatch(seconds) and text.isascii() and text.isdigit()):
        said = "seconds" if unit == "s" else "milliseconds"
        raise Refused(Reason.BAD_SIGNATURE, f"expected Unix {said} in {name!r}, other text came")
    return datetime.fromtimestamp(int(seconds), UTC)


def fresh(stamp: datetime, now: datetime, tolerance: timedelta) -> None:
    """Return if the stamp is near enough to now, both ways. Raises `Refused`."""
    if now - stamp > tolerance:
        raise Refused(Reason.STALE, f"signed more than {tolerance} ago; are both clocks right?")
    if stamp - now > tolerance:
        raise Refused(
            Reason.FUTURE, f"signed more than {tolerance} in the future; are both clocks right?"
        )
