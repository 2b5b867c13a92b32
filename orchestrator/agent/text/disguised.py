"""Known secrets in disguise, in what is about to leave: split up, spelled out, encoded or turned round; pure.

`redacting` takes out what stands there as it is. Here a text is read as somebody would who wants the secret to get
through: without what separates its signs, decoded, backwards. What is found is a reason to stop a call, and nothing is
replaced.
"""

import base64
import codecs
import html
import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from orchestrator.agent.text.redacting import Redaction

SHORTEST: Final = 12
SHORTEST_MIXED: Final = 8
"""Letters and digits of a form; fewer of one kind would be found across the words of ordinary sentences."""

_BETWEEN: Final = re.compile(r"[\W_]+")
_BYTE: Final = re.compile(r"\\x|\\u00|&#x|%|0x|U\+00", re.IGNORECASE)
_CODES: Final = re.compile(r"\d{2,3}(?:[\s,;&#]{1,4}\d{2,3}){7,}")
_ESCAPE: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2}))")
_TAGS: Final = {0xE0000 + sign: chr(sign) for sign in range(0x20, 0x7F)}


def disguised_in(texts: Sequence[str], known: Redaction) -> str | None:
    """The reference of a secret that these texts carry together, however it is dressed; None where there is none."""
    wanted = _wanted(known)
    if not wanted:
        return None
    for said in _readings(texts):
        for form, reference in wanted:
            if form in said:
                return reference
    return None


@lru_cache(maxsize=8)
def _wanted(known: Redaction) -> tuple[tuple[str, str], ...]:
    forms = {
        _bare(form): reference
        for whole, reference in known.forms
        for form in (whole, _base32(whole))
    }
    return tuple((form, reference) for form, reference in forms.items() if _is_long(form))


def _base32(form: str) -> str:
    raw = form.encode()
    return base64.b32encode(raw).decode()[: len(raw) * 8 // 5]


def _is_long(form: str) -> bool:
    mixed = not form.isdigit() and not form.isalpha()
    return len(form) >= (SHORTEST_MIXED if mixed else SHORTEST)


def _readings(texts: Sequence[str]) -> Iterator[str]:
    """What they say to somebody who looks for it."""
    plain = [text.translate(_TAGS) for text in texts]
    bare = _together(plain)
    yield bare
    yield bare[::-1]
    yield codecs.encode(bare, "rot13")
    yield _together([html.unescape(unquote(_unescaped(text))) for text in plain])
    yield _together([_BYTE.sub("", text) for text in plain])
    yield _together([_CODES.sub(_decoded, text) for text in plain])


def _together(texts: Sequence[str]) -> str:
    return "".join(map(_bare, texts))


def _bare(text: str) -> str:
    """Only letters and digits, in one case: whatever stands between them separates nothing."""
    return _BETWEEN.sub("", unicodedata.normalize("NFKC", text)).lower()


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda found: chr(int(found[1] or found[2], 16)), text)


def _decoded(found: "re.Match[str]") -> str:
    return "".join(chr(int(number)) for number in re.findall(r"\d{2,3}", found.group()))
