"""Any vendor's HMAC, declared in `sources.yaml` instead of coded; pure, and no request chooses its algorithm."""

import base64
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

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
from orchestrator.signatures.scheme import Proves

_PART: Final = re.compile(r"\{(\w*)\}")
_PARTS: Final = ("body", "timestamp", "id")
_DECODE: Final[Mapping[str, Callable[[str], bytes | None]]] = {
    "hex": from_hex,
    "base64": from_base64,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredHmac:
    """A scheme in one line of YAML. `signed` is text with `{body}`, `{timestamp}` and `{id}`.

    `timestamp` and `id_header` name headers; `tolerance` counts both ways. Raises `ValueError` for a
    declaration that could not work.
    """

    name: str
    algorithm: Literal["sha256", "sha512"]
    header: str
    prefix: str = ""
    encoding: Literal["hex", "base64"] = "hex"
    signed: str = "{body}"
    timestamp: str | None = None
    tolerance: timedelta | None = None
    id_header: str | None = None

    def __post_init__(self) -> None:
        for broken, complaint in _complaints(self):
            if broken:
                raise ValueError(complaint)

    @property
    def signs_id(self) -> bool:
        """Whether the delivery id header is part of what is signed."""
        return "{id}" in self.signed

    @property
    def private(self) -> frozenset[str]:
        """An HMAC is no secret."""
        return frozenset()

    @property
    def proves(self) -> Proves:
        """What a yes covers."""
        return Proves(id=self.signs_id, clock=self.tolerance is not None)

    def verify(
        self, headers: Mapping[str, str], body: bytes, secrets: Sequence[bytes], now: datetime
    ) -> None:
        """Return if one of the secrets signed these bytes. Raises `Refused`."""
        # A comma may be part of the prefix (`v1,`); only then it can't separate signatures.
        entries = listed(required(headers, self.header), " " if "," in self.prefix else ", ")
        candidates = [
            _DECODE[self.encoding](entry.removeprefix(self.prefix))
            for entry in entries
            if entry.startswith(self.prefix)
        ]
        if not signed_by(secrets, self._content(headers, body), candidates, self.algorithm):
            raise Refused(
                Reason.BAD_SIGNATURE,
                f"expected the {self.algorithm} HMAC of {self.signed!r} in {self.header!r}: none of "
                f"{len(secrets)} secrets fits",
            )
        if self.timestamp is not None and self.tolerance is not None:
            stamp = moment(required(headers, self.timestamp), self.timestamp)
            fresh(stamp, now, self.tolerance)

    def _content(self, headers: Mapping[str, str], body: bytes) -> bytes:
        pieces = _PART.split(self.signed)
        return b"".join(
            self._part(piece, headers, body) if odd % 2 else piece.encode()
            for odd, piece in enumerate(pieces)
        )

    def _part(self, part: str, headers: Mapping[str, str], body: bytes) -> bytes:
        if part == "body":
            return body
        value = required(headers, (self.timestamp if part == "timestamp" else self.id_header) or "")
        if not value.isascii():
            raise Refused(Reason.BAD_SIGNATURE, f"expected ASCII in the header of {{{part}}}")
        return value.encode()


def sign(
    scheme: DeclaredHmac,
    secret: bytes,
    body: bytes,
    now: datetime,
    id: str | None = None,  # noqa: A002
) -> dict[str, str]:
    """The headers that prove this body under a declared scheme."""
    headers: dict[str, str] = {}
    if scheme.timestamp is not None:
        headers[scheme.timestamp.lower()] = str(int(now.timestamp()))
    if scheme.id_header is not None and id is not None:
        headers[scheme.id_header.lower()] = id
    digest = hmac.digest(secret, scheme._content(headers, body), scheme.algorithm)  # noqa: SLF001
    text = digest.hex() if scheme.encoding == "hex" else base64.b64encode(digest).decode()
    return {**headers, scheme.header.lower(): scheme.prefix + text}


def _complaints(scheme: DeclaredHmac) -> list[tuple[bool, str]]:
    parts = _PART.findall(scheme.signed)
    strange = [part for part in parts if part not in _PARTS]
    return [
        (not scheme.header, "expected the name of the signature's header, it is empty"),
        (
            scheme.algorithm not in {"sha256", "sha512"},
            f"expected sha256 or sha512, {scheme.algorithm!r} came",
        ),
        (scheme.encoding not in _DECODE, f"expected hex or base64, {scheme.encoding!r} came"),
        (bool(strange), f"expected {{body}}, {{timestamp}} or {{id}} in signed, {strange!r} came"),
        (
            "body" not in parts,
            f"expected {{body}} in signed, {scheme.signed!r} leaves the payload unproved",
        ),
        (
            "timestamp" in parts and not scheme.timestamp,
            "signed has {timestamp}: name its header under timestamp",
        ),
        (
            "id" in parts and not scheme.id_header,
            "signed has {id}: name its header under id_header",
        ),
        (
            scheme.tolerance is not None and "timestamp" not in parts,
            "tolerance needs {timestamp} in signed: an unsigned clock proves nothing",
        ),
    ]
