"""Reading a stranger's payload: strict JSON, bounded words, and never an exception but `Malformed`; pure.

A payload's bytes remain the record. What is taken from them for routing is one line of text of a bounded
length, so that no sender can break an index, a log line or a page with it.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec

from orchestrator.errors import Malformed, Reason
from orchestrator.sources.source import Reading

MAX_WORD: Final = 200
"""Characters of a delivery id or type."""

MAX_TEXT: Final = 500
"""Characters of a subject, a correlation key, or an actor's id or login."""

MAX_KEYS: Final = 32
MAX_DEPTH: Final = 100
"""Levels of nesting; what comes after the door may then recurse without fear."""

_CONTROL: Final = re.compile(r"[\x00-\x1f]")
FORM: Final = "application/x-www-form-urlencoded"


def json_value(body: bytes) -> Any:
    """The JSON value of the whole body.

    Raises `Malformed` for anything else: NaN, a lone surrogate, a second document, a name given twice in one
    object, nesting deeper than `MAX_DEPTH`.
    """
    try:
        return _strict(body)
    except (ValueError, RecursionError):
        raise Malformed(
            Reason.MALFORMED,
            f"expected one strict JSON value, every name once, at most {MAX_DEPTH} levels deep",
        ) from None


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object of the whole body. Raises `Malformed` for anything else."""
    value = json_value(body)
    if not isinstance(value, dict):
        raise Malformed(Reason.MALFORMED, f"expected a JSON object, a {type(value).__name__} came")
    return value


def form_field(body: bytes, name: str) -> bytes:
    """The one field of this name in a form body. Raises `Malformed` where it is missing or repeated."""
    try:
        values = parse_qs(body.decode("ascii"), strict_parsing=True, errors="strict").get(name, [])
    except ValueError:
        values = []
    if len(values) != 1:
        raise Malformed(Reason.MALFORMED, f"expected a form with exactly one field {name!r}")
    return values[0].encode()


def is_form(headers: Mapping[str, str]) -> bool:
    """Whether the content type says that the body is a form."""
    return headers.get("content-type", "").partition(";")[0].strip().lower() == FORM


def word(value: Any, what: str) -> str:
    """The value if it may be a type or an id. Raises `Malformed`."""
    if isinstance(value, str) and 0 < len(value) <= MAX_WORD and value.isprintable():
        return value
    raise Malformed(
        Reason.MALFORMED, f"expected {what} as printable text of at most {MAX_WORD} characters"
    )


def bounded(reading: Reading) -> Reading:
    """The reading, if everything in it that is stored beside the body is bounded. Raises `Malformed`."""
    word(reading.type, "the type")
    if reading.delivery_id is not None:
        word(reading.delivery_id, "the delivery id")
    actor = reading.actor
    texts = [reading.subject, *reading.keys, *((actor.id, actor.login) if actor else ())]
    if not _lines([text for text in texts if text]):
        raise Malformed(
            Reason.MALFORMED,
            f"expected subject, actor and keys as lines of at most {MAX_TEXT} characters",
        )
    if len(reading.keys) > MAX_KEYS:
        raise Malformed(Reason.MALFORMED, f"expected at most {MAX_KEYS} correlation keys")
    once = tuple(dict.fromkeys(reading.keys))
    return reading if once == reading.keys else replace(reading, keys=once)


def _lines(texts: Sequence[str]) -> bool:
    # All of them at once: looking into one text costs as much as looking into ten of them.
    return max(map(len, texts), default=0) <= MAX_TEXT and _CONTROL.search("".join(texts)) is None


def _strict(body: bytes) -> Any:
    value = msgspec.json.decode(body)
    if _too_deep(value, body):
        raise ValueError("nested too deep")
    if _may_repeat_names(value, body):
        json.loads(body, object_pairs_hook=_once)
    return value


def _too_deep(value: Any, body: bytes) -> bool:
    if _signs(body, b"{") + _signs(body, b"[") <= MAX_DEPTH:
        return False
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [child for node in level for child in _children(node)]
    return bool(level)


def _signs(body: bytes, sign: bytes) -> int:
    # Finding leaps to the next sign, where counting looks at every byte; and it may stop when there are too many.
    signs, at = 0, body.find(sign)
    while at >= 0 and signs <= MAX_DEPTH:
        signs += 1
        at = body.find(sign, at + 1)
    return signs


def _children(node: Any) -> Iterable[Any]:
    match node:
        case dict():
            return node.values()
        case list():
            return node
        case _:
            return ()


def _may_repeat_names(value: Any, body: bytes) -> bool:
    # A repeated name is dropped by the parser, so a compact body that comes back as long as it was had none.
    # Telling that apart costs a third of the slow reading, which only unusual spellings need.
    return len(msgspec.json.encode(value)) != len(body)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name came twice")
    return found
