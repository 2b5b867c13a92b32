"""How many tokens a request has and which of its prefixes the API has seen; it knows no socket.

Tokens are estimated from the real text, at 3.6 characters each. The cache figures are computed, not made up: a
request is a row of blocks (tools, then system, then messages), each breakpoint writes the prefix that ends
there, and a later request reads the longest prefix that is still alive.
"""

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from orchestrator.demo.wire import Block, Raw, Text, ToolUse, Usage, dumps

CHARACTERS_PER_TOKEN = 3.6

# https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching
MINIMUM = 512
"""Tokens a prefix needs to be cached; a shorter one is silently not."""

IMAGE = 1_600
"""Tokens of an image or a document, whatever its base64 is."""

LOOKBACK = 20
"""Blocks before a breakpoint in which an older entry is still found."""

LIFETIME = {"5m": timedelta(minutes=5), "1h": timedelta(hours=1)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefix:
    """A request from its start to the end of one block; `ttl` is set where a breakpoint stands."""

    digest: str
    tokens: int
    ttl: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A prefix the cache holds."""

    until: datetime
    lifetime: timedelta


def tokens(characters: int) -> int:
    """Tokens in so many characters."""
    return math.ceil(characters / CHARACTERS_PER_TOKEN)


def output_tokens(blocks: Sequence[Block]) -> int:
    """Tokens of a reply, at least 1."""
    return max(1, tokens(sum(_length(block) for block in blocks)))


def prefixes(request: Mapping[str, Any]) -> list[Prefix]:
    """Every prefix of a request that ends with a block, shortest first."""
    running, characters, found = hashlib.sha256(), 0, []
    for level, block, ttl in _blocks(request):
        text = dumps(block)
        characters += len(text) + sum(map(_looked_at, _attached(block)))
        running.update(f"{level}\0{text}\0".encode("utf-8", "surrogatepass"))
        found.append(Prefix(digest=running.hexdigest(), tokens=tokens(characters), ttl=ttl))
    return _automatic(found, request)


@dataclass(slots=True, kw_only=True)
class Cache:
    """The prefixes that earlier requests wrote."""

    now: Callable[[], datetime]
    entries: dict[str, Entry] = field(default_factory=dict)

    def charge(self, request: Mapping[str, Any], blocks: Sequence[Block]) -> Usage:
        """What this request and its reply cost; its breakpoints are written and what it read lives on."""
        row, now = prefixes(request), self.now()
        self.entries = {key: entry for key, entry in self.entries.items() if entry.until > now}
        marks = [n for n, p in enumerate(row) if p.ttl is not None and p.tokens >= MINIMUM]
        hit = self._hit(row, marks)
        usage = _priced(row, marks, hit)
        self._keep(row, marks, hit)
        return replace(usage, output=output_tokens(blocks))

    def _hit(self, row: Sequence[Prefix], marks: Sequence[int]) -> int | None:
        for mark in reversed(marks):
            for n in range(mark, max(-1, mark - LOOKBACK), -1):
                if row[n].digest in self.entries:
                    return n
        return None

    def _keep(self, row: Sequence[Prefix], marks: Sequence[int], hit: int | None) -> None:
        now = self.now()
        if hit is not None:
            lifetime = self.entries[row[hit].digest].lifetime
            self.entries[row[hit].digest] = Entry(until=now + lifetime, lifetime=lifetime)
        for n in marks:
            lifetime = LIFETIME[row[n].ttl or "5m"]
            self.entries[row[n].digest] = Entry(until=now + lifetime, lifetime=lifetime)


def _priced(row: Sequence[Prefix], marks: Sequence[int], hit: int | None) -> Usage:
    read = done = 0 if hit is None else row[hit].tokens
    written = {"5m": 0, "1h": 0}
    for n in marks:
        if row[n].tokens > done:
            written[row[n].ttl or "5m"] += row[n].tokens - done
            done = row[n].tokens
    total = row[-1].tokens if row else 0
    return Usage(
        uncached=total - done, read=read, written_5m=written["5m"], written_1h=written["1h"]
    )


def _blocks(request: Mapping[str, Any]) -> Iterator[tuple[str, Any, str | None]]:
    model = request.get("model")
    for tool in request.get("tools") or ():
        yield _marked(f"{model}/tools", tool)
    for block in _listed(request.get("system")):
        yield _marked(f"{model}/system", block)
    # A change of these keeps tools and system cached, but not the messages.
    steer = dumps([request.get("tool_choice"), request.get("thinking")])
    for n, message in enumerate(request.get("messages") or ()):
        for block in _listed(message["content"]):
            yield _marked(f"{model}/{n}/{message['role']}/{steer}", block)


def _listed(content: Any) -> Sequence[Any]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return content or ()


def _marked(level: str, block: Mapping[str, Any]) -> tuple[str, Any, str | None]:
    bare = {key: value for key, value in block.items() if key != "cache_control"}
    control = block.get("cache_control")
    return level, bare, control.get("ttl", "5m") if control else None


def _automatic(row: list[Prefix], request: Mapping[str, Any]) -> list[Prefix]:
    # A top-level cache_control is a breakpoint on the last block.
    control = request.get("cache_control")
    if control and row and row[-1].ttl is None:
        row[-1] = replace(row[-1], ttl=control.get("ttl", "5m"))
    return row


def _attached(block: Any) -> Iterator[int]:
    """The characters of base64 of each image and document in a block."""
    match block:
        case {"type": "base64", "data": str() as data}:
            yield len(data)
        case Mapping():
            for inner in block.values():
                yield from _attached(inner)
        case list():
            for inner in block:
                yield from _attached(inner)
        case _:
            pass


def _looked_at(characters: int) -> int:
    return math.ceil(IMAGE * CHARACTERS_PER_TOKEN) - characters


def _length(block: Block) -> int:
    match block:
        case Text(text):
            return len(text)
        case ToolUse(name, arguments):
            return len(name) + len(dumps(arguments))
        case Raw(given):
            return len(dumps(dict(given)))
