"""What a text says to somebody who decodes whatever looks encoded in it, several times over; pure, and bounded.

    [*decoded("aGVsbG8gd29ybGQh")]
    ["aGVsbG8gd29ybGQh", "hello world!"]

It knows no secret, and what it makes is for looking through only: much of it is nobody's text.
"""

import base64
import binascii
import codecs
import html
import re
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import unquote

DEEPEST: Final = 4
"""How often something is decoded: what is decoded once more is ever less what a model can do by heart."""

MOST: Final = 60_000
"""Characters that are made of what looks encoded in one text; what comes later is left out."""

SHORTEST: Final = 12
"""Characters of what may be a code."""

MOST_INFLATED: Final = 65_536
"""Bytes of what was compressed."""

_BYTE: Final = re.compile(r"\\x|\\u00|&#x|%|0x|U\+00|=(?=[0-9A-F]{2})", re.IGNORECASE)
_CODES: Final = re.compile(r"\d{2,3}(?:[\s,;&#]{1,4}\d{2,3}){7,}")
_BITS: Final = re.compile(r"(?:[01]{8}[\s,;]*){8,}")
_OCTAL: Final = re.compile(r"(?:\\[0-3]?[0-7]{2}){8,}")
_ESCAPE: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2}))")
_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2}){8,}")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{12,}")
_BASE32: Final = re.compile(r"[A-Z2-7]{16,}|[a-z2-7]{16,}")
_BASE85: Final = re.compile(r"[!-~]{15,}")
_RUN: Final = re.compile(r"[!-~]{12,}")
_SPACED: Final = re.compile(r"(?:[!-~]{1,6}\s+){7,}[!-~]{1,6}|(?:[!-~]{7,80}[\r\n]+)+[!-~]{1,80}")
"""A code in groups of a few signs, or in lines."""
_URL: Final = str.maketrans("-_", "+/")
_COMPRESSED: Final = re.compile(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]")
_TEXT: Final = re.compile(rb"[\x09\x0a\x0d\x20-\x7e]{8,}")
_BLANK: Final = re.compile(r"\s+")


def decoded(text: str) -> Iterator[str]:
    """The text, and all that can be made of it, what is nearest first; nothing twice."""
    plain = [*dict.fromkeys((text, *_plainer(text)))]
    yield from plain
    # Ordinary words are not worth the time: only what has no blank, or hardly anything else, is taken for a code.
    layer = [*dict.fromkeys(run[:MOST] for one in plain for run in _runs(one))]
    seen, left = {*plain, *layer}, MOST
    for _ in range(DEEPEST):
        found = []
        for made in (one for whole in layer for one in _once(whole)):
            if made in seen or len(made) > left:
                continue
            left -= len(made)
            seen.add(made)
            found.append(made)
            yield made
        layer = [one for one in found if len(one) >= SHORTEST]


def _runs(text: str) -> Iterator[str]:
    """All in it that looks like a code, together."""
    yield " ".join(dict.fromkeys(_RUN.findall(text)))
    yield " ".join(_BLANK.sub("", found.group()) for found in _SPACED.finditer(text))


def _once(text: str) -> Iterator[str]:
    """What a code is after one step."""
    yield from _plainer(text)
    for way in (text, text[::-1], codecs.encode(text, "rot13")):
        for raw in _raw(way):
            yield from _texts(raw)


def _plainer(text: str) -> Iterator[str]:
    """The same text with its signs written as they are."""
    yield html.unescape(unquote(_unescaped(text)))
    yield _BYTE.sub("", text)
    yield _CODES.sub(lambda found: _signs(re.findall(r"\d{2,3}", found.group()), 10), text)
    yield _BITS.sub(lambda found: _signs(re.findall(r"[01]{8}", found.group()), 2), text)
    yield _OCTAL.sub(lambda found: _signs(re.findall(r"[0-7]{2,3}", found.group()), 8), text)


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda found: chr(int(found[1] or found[2], 16)), text)


def _signs(numbers: list[str], base: int) -> str:
    return "".join(chr(int(number, base)) for number in numbers)


def _raw(text: str) -> Iterator[bytes]:
    """The bytes of whatever in it looks encoded."""
    for found in _HEX.finditer(text):
        yield bytes.fromhex(found.group())
        yield bytes.fromhex(found.group()[1:-1])
    for found in _BASE64.finditer(text):
        yield from _shifted(found.group().translate(_URL), 4, base64.b64decode)
    # Whole words have no digit, and there are many of them.
    for found in filter(_has_digit, _BASE32.finditer(text)):
        yield from _shifted(found.group().upper(), 8, base64.b32decode)
    for found in _BASE85.finditer(text):
        yield from _tried(found.group(), base64.b85decode)
        yield from _tried(found.group(), base64.a85decode)


def _has_digit(found: "re.Match[str]") -> bool:
    return not found.group().isalpha()


def _shifted(run: str, group: int, decode: Callable[[str], Any]) -> Iterator[bytes]:
    """What it is wherever it begins: words without a blank before it move it in its group."""
    for start in range(group):
        whole = run[start:]
        whole = whole[: len(whole) // group * group]
        yield from _tried(whole, decode)
        if start + len(whole) < len(run):
            yield from _tried(run[start:] + "=" * (-len(run[start:]) % group), decode)


def _tried(run: str, decode: Callable[[str], Any]) -> Iterator[bytes]:
    try:
        yield bytes(decode(run))
    except (ValueError, binascii.Error):
        return


def _texts(raw: bytes) -> Iterator[str]:
    """The legible in it, and in what is compressed in it."""
    for one in (raw, raw.replace(b"\x00", b"")):
        legible = b" ".join(_TEXT.findall(one))
        if legible:
            yield legible.decode("ascii")
    for found in _COMPRESSED.finditer(raw):
        inflated = _inflated(raw[found.start() :])
        if inflated:
            yield inflated.decode("utf-8", "replace")


def _inflated(raw: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=47).decompress(raw, MOST_INFLATED)
    except zlib.error:
        return b""
