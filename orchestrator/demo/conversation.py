"""A request to the model, read as a conversation: what was said, which tools were called, what they answered.

Pure, and ignorant of any story. Text from tools and events may be JSON, prose, or JSON inside of prose.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.demo.checks import blocks

MAX_STARTS = 2_000
"""Places in one text where JSON is looked for."""

MAX_DEPTH = 5
"""Levels of a payload in which a name is looked for."""

_DECODER = json.JSONDecoder()
_MARKED = re.compile(r"<([a-zA-Z][\w-]*)\b[^>]*>.*?</\1>", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One tool call with its answer; an answer of None never came."""

    name: str
    input: Mapping[str, Any]
    answer: str | None
    is_error: bool

    @property
    def values(self) -> list[Any]:
        """The JSON values of the answer."""
        return values(self.answer or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """All that a request tells: `tools` maps a name to its input schema, `later` is what users said since."""

    tools: Mapping[str, Mapping[str, Any]]
    opening: str
    later: tuple[str, ...]
    calls: tuple[Call, ...]
    tools_forbidden: bool

    def tool(self, name: str) -> str | None:
        """The full name of the offered tool that ends with this one, whatever its server is called."""
        return next((known for known in self.tools if known.rpartition("__")[2] == name), None)

    def called(self, name: str) -> tuple[Call, ...]:
        """The calls of a tool, in order."""
        return tuple(call for call in self.calls if call.name.rpartition("__")[2] == name)


def read(request: Mapping[str, Any]) -> Conversation:
    """The conversation a request carries."""
    first, *rest = request["messages"]
    return Conversation(
        tools={tool["name"]: tool.get("input_schema") or {} for tool in request.get("tools") or ()},
        opening=_words(first),
        later=tuple(text for m in rest if m["role"] != "assistant" if (text := _words(m))),
        calls=tuple(_calls(rest)),
        tools_forbidden=(request.get("tool_choice") or {}).get("type") == "none",
    )


def values(text: str) -> list[Any]:
    """Every JSON object or array in a text, outermost first to last."""
    return [value for value, _, _ in _spans(text)]


def prose(text: str) -> str:
    """A text without its marked blocks and its JSON: what is left isn't a stranger's."""
    left, at = [], 0
    bare = _MARKED.sub(" ", text)
    for _, start, end in _spans(bare):
        left.append(bare[at:start])
        at = end
    return " ".join([*left, bare[at:]])


def find(value: Any, name: str) -> Any:
    """What stands under a name in nested objects, the outermost one; None where there is none."""
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        objects = [one for one in level if isinstance(one, Mapping)]
        for one in objects:
            if one.get(name) is not None:
                return one[name]
        level = [inner for one in objects for inner in one.values()]
        level += [inner for one in level if isinstance(one, list) for inner in one]
    return None


def part(value: Any, name: str) -> Mapping[str, Any]:
    """The object under a name of an object; an empty one where there is none."""
    found = value.get(name) if isinstance(value, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def arguments(schema: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any] | None:
    """The wanted arguments that a schema lists; None where one it requires can't be given."""
    known: Mapping[str, Any] = schema.get("properties") or {}
    given = {k: v for k, v in wanted.items() if k in known and v is not None}
    for name in schema.get("required") or ():
        if name not in given:
            offered = _offered(known.get(name) or {})
            if offered is None:
                return None
            given[name] = offered
    return given


def _offered(schema: Mapping[str, Any]) -> Any:
    # Only what the schema itself names: a made-up value would be a guess.
    for key in ("const", "default"):
        if schema.get(key) is not None:
            return schema[key]
    return next(iter(schema.get("enum") or ()), None)


def _words(message: Mapping[str, Any]) -> str:
    return "\n".join(block.get("text", "") for block in blocks(message, "text"))


def _calls(messages: Sequence[Mapping[str, Any]]) -> Iterator[Call]:
    answers = {b["tool_use_id"]: b for m in messages for b in blocks(m, "tool_result")}
    for message in messages:
        for block in blocks(message, "tool_use"):
            answer = answers.get(block["id"])
            yield Call(
                name=block["name"],
                input=block.get("input") or {},
                answer=None if answer is None else _words(answer),
                is_error=answer is None or answer.get("is_error") is True,
            )


def _spans(text: str) -> Iterator[tuple[Any, int, int]]:
    at = 0
    for _ in range(MAX_STARTS):
        start = min((n for n in (text.find("{", at), text.find("[", at)) if n >= 0), default=-1)
        if start < 0:
            return
        try:
            value, at = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            at = start + 1
        else:
            yield value, start, at
