"""The bytes that GitHub signed, found again from the payload its API shows; pure, and the signature is the judge.

The API gives the payload as a value inside its own JSON. What a delivery was signed over is that value as GitHub
wrote it then: without white space, in one of few ways to write a character. Numbers, names and their order are
left as they stand; only the characters of texts are written anew.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final
from urllib.parse import quote, quote_plus

from orchestrator.errors import Refused
from orchestrator.signatures.scheme import Scheme
from orchestrator.sources.payload import is_form

_TOKEN: Final = re.compile(r'''((?:[^"\s]++|"[ !#-%'-;=?-\[\]-~]*+")++)|"(?:[^"\\]|\\.)*"''')
"""A run without white space that is written in one way only, as group 1; or one text that isn't."""

_MARKUP: Final = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}

Style = Callable[[str], str]
"""How one text token of the API's JSON is written."""


def compact(payload: bytes) -> bytes:
    """The payload without white space between its tokens, every character as itself. Raises `ValueError`."""
    return _written(_tokens(payload.decode()), _plain)


def rebuilt(
    headers: Mapping[str, str],
    payload: bytes,
    scheme: Scheme,
    secrets: Sequence[bytes],
    now: datetime,
) -> bytes | None:
    """The bytes that these headers sign, or None where none of the known ways to write the payload fits."""
    for body in candidates(payload, form=is_form(headers)):
        try:
            scheme.verify(headers, body, secrets, now)
        except Refused:
            continue
        return body
    return None


def candidates(payload: bytes, *, form: bool) -> Iterator[bytes]:
    """The ways in which the payload may have been written, the likeliest first."""
    for text in _texts(payload):
        if not form:
            yield text
            continue
        for quoted in (quote_plus(text, safe=""), quote_plus(text, safe="*").replace("~", "%7E")):
            yield f"payload={quoted}".encode()
        yield f"payload={quote(text, safe='')}".encode()


def _texts(payload: bytes) -> Iterator[bytes]:
    # Only what may be written in several ways is looked at several times: a payload may have 25 MB.
    tokens = _tokens(payload.decode(errors="replace"))
    written: set[bytes] = set()
    for style in (_plain, _markup, _ascii, _ascii_markup, _as_it_stands):
        try:
            found = _written(tokens, style)
        except ValueError:
            # A text that can't be written so, such as half of a character.
            continue
        if found not in written:
            written.add(found)
            yield found
    if payload not in written:
        yield payload


def _tokens(text: str) -> list[tuple[str, bool]]:
    """The parts between white space, each with whether it is written in one way only."""
    return [(token[0], token[1] is not None) for token in _TOKEN.finditer(text)]


def _written(tokens: Sequence[tuple[str, bool]], style: Style) -> bytes:
    return "".join(token if fixed else style(token) for token, fixed in tokens).encode()


def _plain(token: str) -> str:
    return token if "\\" not in token else json.dumps(json.loads(token), ensure_ascii=False)


def _ascii(token: str) -> str:
    return json.dumps(json.loads(token))


def _markup(token: str) -> str:
    return _plain(token).translate(_MARKUP)


def _ascii_markup(token: str) -> str:
    return _ascii(token).translate(_MARKUP)


def _as_it_stands(token: str) -> str:
    return token
