"""A scheme as data: where the signature stands, what is signed, with which algorithm; pure, and no vendor in it.

    TableScheme(name="stripe", algorithm="hmac-sha256", place=Place(headers=("stripe-signature",), separators=",",
                prefix="v1="), signed=pieces("{ts}.{body}"), stamp=Stamp(header="stripe-signature", separators=",",
                prefix="t="), tolerance=timedelta(minutes=5))

The algorithm is part of the table: no request can choose it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from orchestrator.errors import Reason, Refused
from orchestrator.signatures.bytes import (
    fresh,
    from_base64,
    from_hex,
    listed,
    moment,
    required,
    signed_by,
)
from orchestrator.signatures.keys import KeyForm, PublicKey, public_key, shared_key
from orchestrator.signatures.scheme import METHOD, Proves

Algorithm = Literal["hmac-sha1", "hmac-sha256", "hmac-sha512", "ed25519", "ecdsa-p256"]
Encoding = Literal["hex", "base64"]

_TOKEN: Final = re.compile(r"\{([a-z]+(?::[A-Za-z0-9-]+)?)\}")
_PLAIN: Final = ("body", "ts", "url", "method")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where signatures stand: every one of these headers that came counts. No separators: one signature a header."""

    headers: tuple[str, ...]
    separators: str = ""
    prefix: str = ""
    encoding: Encoding = "hex"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """Where the time of signing stands: in a header, perhaps within a list, or at a name of the signed JSON body."""

    header: str | None = None
    member: str | None = None
    separators: str = ""
    prefix: str = ""
    unit: Literal["s", "ms"] = "s"


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of what is signed: `text` is a header's name, or the text itself."""

    kind: Literal["text", "body", "ts", "url", "method", "header"]
    text: str = ""


def pieces(signed: str) -> tuple[Piece, ...]:
    """The parts of `"{ts}.{body}"`. Raises `ValueError` for an unknown one, or where the body isn't among them."""
    found: list[Piece] = []
    for odd, part in enumerate(_TOKEN.split(signed)):
        kind, _, name = part.partition(":")
        if not odd % 2:
            found += [Piece("text", part)] if part else []
        elif part in _PLAIN:
            found.append(Piece(part))  # type: ignore[arg-type]  # one of the four
        elif kind == "h" and name:
            found.append(Piece("header", name.lower()))
        else:
            raise ValueError(
                f"expected {{body}}, {{ts}}, {{url}}, {{method}} or {{h:Name}}, {part!r} came"
            )
    if Piece("body") not in found:
        raise ValueError(f"expected {{body}} in signed, {signed!r} leaves the payload unproved")
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableScheme:
    """One row's scheme. `url` is the configured public URL, never what a request says of itself."""

    name: str
    algorithm: Algorithm
    place: Place
    signed: tuple[Piece, ...] = (Piece("body"),)
    key: KeyForm = "utf8"
    stamp: Stamp | None = None
    tolerance: timedelta | None = None
    url: str | None = None
    signs_id: bool = False

    def __post_init__(self) -> None:
        for broken, complaint in _complaints(self):
            if broken:
                raise ValueError(f"{self.name}: {complaint}")

    @property
    def private(self) -> frozenset[str]:
        """A signature is no secret."""
        return frozenset()

    @property
    def proves(self) -> Proves:
        """What a yes covers."""
        return Proves(
            id=self.signs_id,
            url=Piece("url") in self.signed,
            clock=self.tolerance is not None,
        )

    def verify(
        self, headers: Mapping[str, str], body: bytes, secrets: Sequence[bytes], now: datetime
    ) -> None:
        """Return if one of the secrets signed these bytes. Raises `Refused`."""
        candidates = self._candidates(headers)
        content = self.content(headers, body)
        if not self._judged(secrets, content, candidates):
            raise Refused(
                Reason.BAD_SIGNATURE,
                f"expected the {self.algorithm} signature of {self._spelled()!r} in "
                f"{self.place.headers[0]!r}: none of {len(secrets)} secrets fits",
            )
        if self.stamp is not None and self.tolerance is not None:
            fresh(self._moment(self.stamp, headers, body), now, self.tolerance)

    def content(self, headers: Mapping[str, str], body: bytes) -> bytes:
        """The bytes that are signed. Raises `Refused` where a part of them is missing."""
        return b"".join(self._part(piece, headers, body) for piece in self.signed)

    def complaint(self, secret: bytes) -> str | None:
        """Why this secret can't be one of this scheme, if so; it says nothing of the secret itself."""
        try:
            self._key(secret)
        except ValueError as error:
            return str(error)
        return None

    def _key(self, secret: bytes) -> bytes | PublicKey:
        match self.algorithm:
            case "ed25519" | "ecdsa-p256":
                return public_key(self.algorithm, self.key, secret)
            case _:
                return shared_key(self.key, secret)

    def _keys(self, secrets: Sequence[bytes]) -> Iterator[bytes | PublicKey]:
        for secret in secrets:
            if secret and self.complaint(secret) is None:
                yield self._key(secret)

    def _judged(
        self, secrets: Sequence[bytes], content: bytes, candidates: Sequence[bytes | None]
    ) -> bool:
        keys = list(self._keys(secrets))
        shared = [key for key in keys if isinstance(key, bytes)]
        public = [key for key in keys if not isinstance(key, bytes)]
        if public:
            given = [candidate for candidate in candidates if candidate is not None]
            return any(_signed(key, one, content) for key in public for one in given)
        return signed_by(shared, content, candidates, self.algorithm.removeprefix("hmac-"))

    def _candidates(self, headers: Mapping[str, str]) -> list[bytes | None]:
        place = self.place
        came = [headers[name] for name in place.headers if headers.get(name)]
        texts = came or [required(headers, place.headers[0])]
        decode = from_hex if place.encoding == "hex" else from_base64
        return [
            decode(entry.removeprefix(place.prefix))
            for text in texts
            for entry in _entries(text, place.separators)
            if entry.startswith(place.prefix)
        ]

    def _part(self, piece: Piece, headers: Mapping[str, str], body: bytes) -> bytes:
        match piece.kind:
            case "body":
                return body
            case "text":
                return piece.text.encode()
            case "method":
                return METHOD.encode()
            case "url":
                return _url(self.url)
            case "ts":
                return _ascii(self._stamp_text(self.stamp or Stamp(), headers), "the timestamp")
            case "header":
                return _ascii(required(headers, piece.text), piece.text)

    def _stamp_text(self, stamp: Stamp, headers: Mapping[str, str]) -> str:
        text = required(headers, stamp.header or "")
        entries = [
            entry.removeprefix(stamp.prefix)
            for entry in _entries(text, stamp.separators)
            if entry.startswith(stamp.prefix)
        ]
        if len(entries) != 1:
            raise Refused(
                Reason.BAD_SIGNATURE,
                f"expected exactly one timestamp in {stamp.header!r}, {len(entries)} came",
            )
        return entries[0]

    def _moment(self, stamp: Stamp, headers: Mapping[str, str], body: bytes) -> datetime:
        if stamp.member is None:
            return moment(self._stamp_text(stamp, headers), stamp.header or "", stamp.unit)
        return moment(_member(body, stamp.member), stamp.member, stamp.unit)

    def _spelled(self) -> str:
        return "".join(
            piece.text if piece.kind == "text" else f"{{{piece.text or piece.kind}}}"
            for piece in self.signed
        )


def _entries(text: str, separators: str) -> list[str]:
    return listed(text, separators) if separators else [text]


def _ascii(text: str, what: str) -> bytes:
    if not text.isascii():
        raise Refused(Reason.BAD_SIGNATURE, f"expected ASCII in {what}, other text came")
    return text.encode()


def _url(url: str | None) -> bytes:
    if url is None:
        raise Refused(
            Reason.BAD_SIGNATURE, "this sender signs the URL: set `public_url` for its source"
        )
    return url.encode()


def _member(body: bytes, name: str) -> str:
    try:
        value: Any = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        value = None
    found = value.get(name) if isinstance(value, dict) else None
    return str(found) if isinstance(found, int) and not isinstance(found, bool) else ""


def _signed(key: PublicKey, signature: bytes, content: bytes) -> bool:
    try:
        match key:
            case Ed25519PublicKey():
                key.verify(signature, content)
            case EllipticCurvePublicKey():
                key.verify(signature, content, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def _complaints(scheme: TableScheme) -> list[tuple[bool, str]]:
    signs_time = Piece("ts") in scheme.signed
    timed = scheme.stamp is not None
    return [
        (not all(scheme.place.headers), "expected the name of the signature's header"),
        (signs_time and not (timed and scheme.stamp and scheme.stamp.header), "{ts} needs `ts`"),
        (scheme.tolerance is not None and not timed, "tolerance needs `ts`"),
        (
            bool(timed and scheme.stamp and scheme.stamp.header and not signs_time),
            "a timestamp that isn't signed proves nothing: put {ts} into signed, or leave `ts` out",
        ),
    ]
