"""Where a value stands in a delivery, as the table of senders says it: JSON pointers, headers, texts around them; pure.

    /event/type                 the value in the body (a JSON pointer, RFC 6901)
    header:X-Topic              a header
    order:{/order_id}           a text with values in it; missing ones make the whole of it missing

A list of them is tried in order: the first that is there counts.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

_PIECE: Final = re.compile(r"\{([^{}]+)\}")
_HEADER: Final = "header:"


@dataclass(frozen=True, slots=True)
class Pointer:
    """A place in the body; `*` stands for every element of a list."""

    steps: tuple[str, ...]

    def all(self, data: Any) -> Iterator[Any]:
        """Every value at this place."""
        found = [data]
        for step in self.steps:
            found = [child for node in found for child in _children(node, step)]
        yield from found


@dataclass(frozen=True, slots=True)
class Header:
    """A header's value; the name is in lower case."""

    name: str


@dataclass(frozen=True, slots=True)
class Text:
    """Literal text and values, in order."""

    parts: tuple[str | Pointer | Header, ...]

    @property
    def kind(self) -> str | None:
        """What stands before the colon of a key, `order` of `order:{/id}`, if that is literal."""
        first = self.parts[0] if self.parts else ""
        word, colon, _ = first.partition(":") if isinstance(first, str) else ("", "", "")
        return word if colon else None

    @property
    def in_body(self) -> bool:
        """Whether everything in it comes from the body."""
        return not any(isinstance(part, Header) for part in self.parts)

    @property
    def headers(self) -> frozenset[str]:
        """The headers it reads."""
        return frozenset(part.name for part in self.parts if isinstance(part, Header))


@dataclass(frozen=True, slots=True)
class Pick:
    """Texts in order of preference."""

    texts: tuple[Text, ...] = ()

    def first(self, data: Any, headers: Mapping[str, str]) -> str | None:
        """The first text that is there, None where none is."""
        return next(self.all(data, headers), None)

    def all(self, data: Any, headers: Mapping[str, str]) -> Iterator[str]:
        """Every value of the first text that has any: more than one where a pointer has a `*`."""
        for text in self.texts:
            found = list(_rendered(text.parts, data, headers))
            if found:
                yield from found
                return


def pick(spelled: str | Sequence[str] | None) -> Pick:
    """The pick of a spelling. Raises `ValueError` for a broken one."""
    texts = [] if spelled is None else [spelled] if isinstance(spelled, str) else spelled
    return Pick(tuple(_text(text) for text in texts))


def pointer(text: str) -> Pointer:
    """The pointer of `/a/b`. Raises `ValueError` for other text."""
    if text and not text.startswith("/"):
        raise ValueError(f"expected a JSON pointer such as /event/type, got {text!r}")
    steps = text.split("/")[1:]
    return Pointer(tuple(step.replace("~1", "/").replace("~0", "~") for step in steps))


def scalar(value: Any) -> str | None:
    """The text of a value that may stand in an id, a type or a key."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value) or None


def _text(text: str) -> Text:
    if text.startswith(("/", _HEADER)):
        return Text((_value(text),))
    parts = _PIECE.split(text)
    named = [_value(part) if odd % 2 else part for odd, part in enumerate(parts)]
    return Text(tuple(part for part in named if part))


def _value(text: str) -> Pointer | Header:
    if text.startswith(_HEADER):
        return Header(text.removeprefix(_HEADER).lower())
    return pointer(text)


def _children(node: Any, step: str) -> list[Any]:
    match node:
        case dict():
            return [node[step]] if step in node else []
        case list() if step == "*":
            return node
        case list() if step.isascii() and step.isdigit() and int(step) < len(node):
            return [node[int(step)]]
        case _:
            return []


def _rendered(
    parts: Sequence[str | Pointer | Header], data: Any, headers: Mapping[str, str]
) -> Iterator[str]:
    if not parts:
        yield ""
        return
    for value in _values(parts[0], data, headers):
        for rest in _rendered(parts[1:], data, headers):
            yield value + rest


def _values(part: str | Pointer | Header, data: Any, headers: Mapping[str, str]) -> list[str]:
    match part:
        case str():
            return [part]
        case Header():
            value = headers.get(part.name)
            return [value] if value else []
        case Pointer():
            return [text for value in part.all(data) if (text := scalar(value)) is not None]
