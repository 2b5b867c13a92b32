"""How large a picture is, by what its bytes say of it; it shows nothing and asks nobody.

The Messages API refuses a whole request for one picture that it can't read or that is too large.
"""

import struct
from typing import Final

# https://docs.anthropic.com/en/docs/build-with-claude/vision
LONGEST_SIDE: Final = 8_000
"""Pixels: one with a longer side is refused."""

MANY: Final = 20
"""Pictures in one request; where there are more, each must be smaller."""

LONGEST_OF_MANY: Final = 2_000
"""Pixels on a side, where there are many."""

_JPEG_SIZES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def sides(raw: bytes) -> tuple[int, int] | None:
    """Width and height in pixels of a PNG, JPEG, GIF or WebP, by its first bytes; None where they don't say."""
    try:
        found = _sized(raw)
    except (struct.error, IndexError):
        return None
    return found if found is not None and all(found) else None


def unfit(raw: bytes, longest: int = LONGEST_SIDE) -> str:
    """Why a request with this picture would be refused, in words; empty where it wouldn't be."""
    found = sides(raw)
    if found is None:
        return "its size can't be read"
    width, height = found
    return f"{width}x{height} pixels, more than {longest} a side" if max(found) > longest else ""


def _sized(raw: bytes) -> tuple[int, int] | None:
    if raw.startswith(b"\x89PNG"):
        return _two(">II", raw, 16)
    if raw.startswith(b"GIF8"):
        return _two("<HH", raw, 6)
    if raw.startswith(b"RIFF"):
        return _webp(raw)
    return _jpeg(raw) if raw.startswith(b"\xff\xd8") else None


def _two(layout: str, raw: bytes, at: int) -> tuple[int, int]:
    first, second = struct.unpack_from(layout, raw, at)
    return int(first), int(second)


def _webp(raw: bytes) -> tuple[int, int] | None:
    match raw[12:16]:
        case b"VP8 ":
            width, height = _two("<HH", raw, 26)
            return width & 0x3FFF, height & 0x3FFF
        case b"VP8L":
            (packed,) = struct.unpack_from("<I", raw, 21)
            return (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
        case b"VP8X":
            both = (int.from_bytes(raw[at : at + 3], "little") + 1 for at in (24, 27))
            return next(both), next(both)
        case _:
            return None


def _jpeg(raw: bytes) -> tuple[int, int] | None:
    at = 2
    while raw[at] == 0xFF:  # noqa: PLR2004 - the byte every marker begins with
        kind, (length,) = raw[at + 1], struct.unpack_from(">H", raw, at + 2)
        if kind in _JPEG_SIZES:
            height, width = _two(">HH", raw, at + 5)
            return width, height
        # Any number of such bytes may stand before a marker.
        at += 1 if kind == 0xFF else 2 + length  # noqa: PLR2004 - the same byte
    return None
