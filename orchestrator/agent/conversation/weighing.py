"""How many tokens and bytes a request has, on the high side; it knows no model's prices and asks nobody.

Text counts by its bytes, an image by its pixels and a PDF by its pages: their base64 is no text that a model reads.
"""

import base64
import binascii
import json
import math
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from orchestrator.agent import pictures

BYTES_PER_TOKEN: Final = 3.2
"""By bytes, for a Chinese sign is a token, not a third."""

# https://docs.anthropic.com/en/docs/build-with-claude/vision
PATCH: Final = 28
"""Pixels on each side of what counts as one token of an image."""

MOST_OF_AN_IMAGE: Final = 4_784
"""Tokens of the largest image: a larger one is made smaller before it is looked at."""

OF_A_PAGE: Final = 4_600
"""Tokens of one page of a PDF, which is read as text and looked at as an image."""

BYTES_PER_PAGE: Final = 20_000
"""How much of a PDF is taken for a page where its pages can't be counted."""

_HEAD: Final = 400_000
_INFLATED: Final = 2_000_000
_STREAMS: Final = 200
_PAGE = re.compile(rb"/Type\s*/Page(?![A-Za-z])")
_PACKED = re.compile(rb"/ObjStm\b.{0,400}?stream\r?\n", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """What a part of a request weighs; `attached` counts images and documents."""

    tokens: int = 0
    size: int = 0
    attached: int = 0

    def __add__(self, other: "Weight") -> "Weight":
        return Weight(
            tokens=self.tokens + other.tokens,
            size=self.size + other.size,
            attached=self.attached + other.attached,
        )

    def __sub__(self, other: "Weight") -> "Weight":
        return Weight(
            tokens=self.tokens - other.tokens,
            size=self.size - other.size,
            attached=self.attached - other.attached,
        )


def tokens(*parts: object) -> int:
    """An estimate of the tokens in these."""
    return weight(*parts).tokens


def weight(*parts: object) -> Weight:
    """Tokens, bytes and attachments of these, as they would be sent."""
    attached: list[Mapping[str, str]] = []
    text = len(_json([_lean(part, attached) for part in parts])) - len("[]")
    return Weight(
        tokens=math.ceil(max(text, 0) / BYTES_PER_TOKEN) + sum(map(_of_attachment, attached)),
        size=text + sum(len(source["data"]) for source in attached),
        attached=len(attached),
    )


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _lean(part: object, attached: list[Mapping[str, str]]) -> object:
    """The same without what is no text; that is put aside."""
    match part:
        case {"type": "base64", "media_type": str() as media_type, "data": str() as data}:
            attached.append({"media_type": media_type, "data": data})
            return {"type": "base64"}
        case Mapping():
            return {key: _lean(value, attached) for key, value in part.items()}
        case list() | tuple():
            return [_lean(value, attached) for value in part]
        case _:
            return part


def _of_attachment(source: Mapping[str, str]) -> int:
    data = source["data"]
    if source["media_type"] == "application/pdf":
        return _pages(_decoded(data)) * OF_A_PAGE
    width, height = pictures.sides(_decoded(data[:_HEAD])) or (0, 0)
    patches = math.ceil(width / PATCH) * math.ceil(height / PATCH)
    return min(patches or MOST_OF_AN_IMAGE, MOST_OF_AN_IMAGE)


def _decoded(data: str) -> bytes:
    try:
        return base64.b64decode(data[: len(data) // 4 * 4])
    except (binascii.Error, ValueError):
        return b""


def _pages(raw: bytes) -> int:
    found = len(_PAGE.findall(raw)) + sum(len(_PAGE.findall(text)) for text in _unpacked(raw))
    return found or max(1, math.ceil(len(raw) / BYTES_PER_PAGE))


def _unpacked(raw: bytes) -> Sequence[bytes]:
    """What newer PDFs keep compressed, no more of it than is safe to look at."""
    starts = [packed.end() for packed in _PACKED.finditer(raw)][:_STREAMS]
    return [_inflated(raw, start) for start in starts]


def _inflated(raw: bytes, start: int) -> bytes:
    try:
        return zlib.decompressobj().decompress(raw[start:], _INFLATED)
    except zlib.error:
        return b""
