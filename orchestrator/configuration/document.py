"""YAML text as plain values whose places are known; it knows YAML 1.2 and nothing of what the keys mean.

Duplicate keys are mistakes, every key is a word (`on` is `on`), and only JSON's types come out.
"""

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from math import isfinite
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from orchestrator.errors import Flaw, Mistake

Place = tuple[str | int, ...]
Position = tuple[int, int]
Span = tuple[int, int, int]
"""Where the text of a value stands: its first line, its column there, and the column of the lines below."""

MAX_VALUES = 20_000
"""Values in one document, aliases counted each time: an alias bomb ends here."""
MAX_DEPTH = 60
REMEMBERED = 1_024
"""Documents that aren't read again while their text is the same."""
TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One file: its plain value, where each key and value of it stands, and what is wrong with it already."""

    file: str
    value: Any
    keys: Mapping[Place, Position] = field(default_factory=dict)
    values: Mapping[Place, Position] = field(default_factory=dict)
    texts: Mapping[Place, Span] = field(default_factory=dict)
    mistakes: tuple[Mistake, ...] = ()
    broken: frozenset[Place] = frozenset()
    """Where the mistakes of the text itself are, so that what holds them isn't used."""

    def mistake(self, flaw: Flaw) -> Mistake:
        """The flaw with its line and column; the nearest place that exists stands in for one that doesn't."""
        return _mistake(self.file, self._position(flaw), flaw.message)

    def sound(self, at: Place) -> bool:
        """Whether the text is readable from the top down to this place and everything under it."""
        return not any(place[: len(at)] == at or place == at[: len(place)] for place in self.broken)

    def _position(self, flaw: Flaw) -> Position:
        if flaw.within is not None and flaw.at in self.texts:
            (first, column, below), (line, at) = self.texts[flaw.at], flaw.within
            return first + line - 1, (column if line == 1 else below) + at - 1
        tables = (self.keys, self.values) if flaw.key else (self.values, self.keys)
        for length in range(len(flaw.at), -1, -1):
            for table in tables:
                if flaw.at[:length] in table:
                    return table[flaw.at[:length]]
            # A missing key is shown at the name of what lacks it, an item of what is no list at the value.
            named = length and isinstance(flaw.at[length - 1], str)
            tables = (self.keys, self.values) if named else (self.values, self.keys)
        return (1, 1)


# Reading YAML is nine tenths of reading a configuration, and an edit changes one file of hundreds.
@lru_cache(maxsize=REMEMBERED)
def read(file: str, text: str, *, first_line: int = 1) -> Document:
    """The document in a text that starts at `first_line` of its file; it never raises, and nobody changes its value."""
    try:
        node = _composed(text)
        value, reading = _constructed(node, first_line)
    except MarkedYAMLError as error:
        return _broken(file, _problem(error), _mark(error, first_line))
    except YAMLError as error:
        return _broken(file, str(error).partition("\n")[0], (first_line, 1))
    except RecursionError:
        return _broken(
            file, "expected a document of modest depth, got one nested too deep", (first_line, 1)
        )
    except (ValueError, TypeError, LookupError, AttributeError, AssertionError) as error:
        # The vendor's scanner lets some of these through on text that is no YAML at all.
        return _broken(
            file, f"expected YAML, got what can't be read as it: {error}", (first_line, 1)
        )
    return Document(
        file=file,
        value=value,
        keys=reading.keys,
        values=reading.values,
        texts=reading.texts,
        mistakes=tuple(_mistake(file, position, said) for _, position, said in reading.found),
        broken=frozenset(place for place, _, _ in reading.found),
    )


def _composed(text: str) -> Node | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a reused anchor is legal YAML
        node: Node | None = YAML(typ="safe", pure=True).compose(text)
        return node


def _problem(error: MarkedYAMLError) -> str:
    words = " ".join(part for part in (error.context, error.problem) if part)
    return f"not YAML: {words}".replace("\n", " ")


def _mark(error: MarkedYAMLError, first_line: int) -> Position:
    mark = error.problem_mark or error.context_mark
    return (first_line, 1) if mark is None else (mark.line + first_line, mark.column + 1)


def _broken(file: str, message: str, position: Position) -> Document:
    mistake = _mistake(file, position, message)
    return Document(file=file, value=None, mistakes=(mistake,), broken=frozenset({()}))


def _mistake(file: str, position: Position, message: str) -> Mistake:
    return Mistake(file=file, line=position[0], column=position[1], message=message)


def _constructed(node: Node | None, first_line: int) -> "tuple[Any, _Reading]":
    reading = _Reading(first_line)
    return (None if node is None else reading.value(node, ())), reading


class _Reading:
    """One walk over the nodes of a document."""

    def __init__(self, first_line: int) -> None:
        self.keys: dict[Place, Position] = {}
        self.values: dict[Place, Position] = {}
        self.texts: dict[Place, Span] = {}
        self.found: list[tuple[Place, Position, str]] = []
        self._first_line = first_line
        self._seen = 0

    def value(self, node: Node, at: Place) -> Any:
        self._seen += 1
        self.values[at] = self._position(node)
        if self._seen == MAX_VALUES or len(at) == MAX_DEPTH:
            return self._wrong(
                node, at, f"expected fewer than {MAX_VALUES} values, {MAX_DEPTH} deep"
            )
        match node:
            case MappingNode():
                return dict(self._members(node, at))
            case SequenceNode():
                return list(self._items(node, at))
            case _:
                return self._scalar(node, at)

    def _items(self, node: SequenceNode, at: Place) -> Iterator[Any]:
        for index, item in enumerate(node.value):
            if self._seen < MAX_VALUES:
                yield self.value(item, (*at, index))

    def _members(self, node: MappingNode, at: Place) -> Iterator[tuple[str, Any]]:
        for key_node, value_node in node.value:
            place = (*at, str(key_node.value))
            if not isinstance(key_node, ScalarNode):
                self._wrong(key_node, at, "expected a plain word as key, got a list or a mapping")
            elif place in self.keys:
                first = self.keys[place][0]
                self._wrong(key_node, at, f"duplicate key {place[-1]!r}, first on line {first}")
            elif self._seen < MAX_VALUES:
                self.keys[place] = self._position(key_node)
                yield str(place[-1]), self.value(value_node, place)

    def _scalar(self, node: Node, at: Place) -> Any:
        kind, text = str(node.tag).removeprefix(TAG), str(node.value)
        span = _span(node, text)
        if span is not None:
            self.texts[at] = (span[0] + self._first_line, span[1] + 1, span[2] + 1)
        try:
            return _plain(kind, text)
        except ValueError:
            return self._wrong(node, at, f"expected a plain value, got {text[:80]!r} as {kind}")

    def _wrong(self, node: Node, at: Place, message: str) -> None:
        self.found.append((at, self._position(node), message))

    def _position(self, node: Node) -> Position:
        mark = node.start_mark
        return (mark.line + self._first_line, mark.column + 1)


def _span(node: Node, text: str) -> Span | None:
    """Where the text stands, counted from 0; None where its characters aren't in the file one by one."""
    start, end = node.start_mark, node.end_mark
    raw: str = start.buffer[start.index : end.index]
    if raw[:1] == "|":
        lines = raw.split("\n")[1:]
        indent = next((len(line) - len(line.lstrip(" ")) for line in lines if line.strip()), 0)
        return start.line + 1, indent, indent
    quoted = raw[:1] in {"'", '"'}
    inner = raw[1:-1] if quoted else raw.rstrip()
    return (start.line, start.column + quoted, 0) if inner == text else None


def _plain(kind: str, text: str) -> Any:
    match kind:
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int":
            return _whole(text.replace("_", ""))
        case "float":
            return _finite(float(text.replace("_", "")))
        case "str" | "timestamp":
            return text
        case _:
            raise ValueError(kind)


def _whole(text: str) -> int:
    digits = text.lstrip("+-")
    return int(text, 0) if digits.startswith(("0o", "0x", "0b")) else int(text)


def _finite(number: float) -> float:
    if not isfinite(number):
        raise ValueError(number)
    return number
