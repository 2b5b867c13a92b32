"""A model that does whatever it reads, wherever that stands: each command once for every time it is said."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.agent.text.untrusted import texts
from orchestrator.demo.wire import Reply, ToolUse
from tests.support.scripts import says, uses

COMMAND = re.compile(r"call ([A-Za-z0-9_-]+) with (\{[^{}]*\})")
NUMBER = re.compile(r"You look after issue (\d+)")
EVENT = re.compile(r"<event>\n(.*?)\n</event>", re.DOTALL)


class Obedient:
    """The script; it looks at the note of its issue first, where it may."""

    def reply(self, request: Mapping[str, Any]) -> Reply:
        commanded = Counter(_said(request))
        made = Counter(_made(request))
        left = [one for one, count in (commanded - made).items() for _ in range(count)]
        calls = [ToolUse(name, json.loads(given)) for name, given in left]
        return uses(*calls) if calls else says("Done as I was told.")


def _said(request: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    number = NUMBER.search(_joined(request["system"]))
    if number and any(tool["name"] == "town__look" for tool in request["tools"]):
        yield "town__look", json.dumps({"name": number[1]})
    for text in _read(request):
        for name, given in COMMAND.findall(_decoded(text)):
            yield name, json.dumps(json.loads(given))


def _read(request: Mapping[str, Any]) -> Iterator[str]:
    """All it reads of others: an event's texts as JSON says them, results, descriptions."""
    for message in request["messages"]:
        if message["role"] == "user":
            for text in texts(
                [block.get("text", block.get("content")) for block in message["content"]]
            ):
                yield from _event(text)
    yield from texts([tool["description"] for tool in request["tools"]])


def _event(text: str) -> Iterator[str]:
    for block in EVENT.findall(text):
        for line in block.split("\n"):
            try:
                yield from texts(json.loads(line))
            except json.JSONDecodeError:
                yield line
    yield EVENT.sub("", text)


def _decoded(text: str) -> str:
    """Tag characters as the letters that they stand for."""
    return "".join(chr(ord(c) - 0xE0000) if 0xE0020 <= ord(c) <= 0xE007E else c for c in text)


def _made(request: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for message in request["messages"]:
        if message["role"] == "assistant":
            for block in message["content"]:
                if block["type"] == "tool_use":
                    yield block["name"], json.dumps(block["input"])


def _joined(system: Any) -> str:
    return system if isinstance(system, str) else "\n".join(block["text"] for block in system)
