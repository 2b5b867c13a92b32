"""A reply put together from the events of its stream, as plain JSON; it knows no socket and no vendor's library.

Arguments that are no JSON stay the text they came as, so that the model can be told: the rest of the reply was paid.
What no ledger keeps (half a surrogate pair, NUL) is replaced once the pieces are joined.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

DEEPEST: Final = 100
"""How deep what a model says may be nested; deeper, nobody means it."""

# https://docs.anthropic.com/en/docs/build-with-claude/streaming
_PIECES: Final = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "signature_delta": ("signature", "signature"),
    "input_json_delta": ("partial_json", "input"),
}
"""By the type of a delta: where its piece stands, and what of the block it adds to."""

_GROWING: Final = frozenset({"text", "thinking"})
_NEEDED: Final = ("message_start", "content_block_start", "content_block_delta", "message_delta")


@dataclass(slots=True)
class Stream:
    """What has come so far of one reply. Its methods raise LookupError, TypeError or ValueError on what is none."""

    stop: str | None = field(init=False, default=None)
    details: Mapping[str, Any] | None = field(init=False, default=None)
    _usage: dict[str, Any] = field(init=False, default_factory=dict)
    _blocks: dict[int, dict[str, Any]] = field(init=False, default_factory=dict)
    _pieces: dict[int, dict[str, list[str]]] = field(init=False, default_factory=dict)

    def hear(self, event: Mapping[str, Any]) -> None:
        """Take the next event; one of a kind that nobody knows yet says nothing."""
        match event:
            case {"type": "message_start", "message": Mapping() as message}:
                self._count(message.get("usage"))
            case {
                "type": "content_block_start",
                "index": int() as index,
                "content_block": Mapping() as block,
            }:
                self._blocks[index] = dict(block)
            case {
                "type": "content_block_delta",
                "index": int() as index,
                "delta": Mapping() as delta,
            }:
                self._add(index, delta)
            case {"type": "message_delta", "delta": Mapping() as delta}:
                self._count(event.get("usage"))
                self._end(delta)
            case {"type": str() as kind} if kind in _NEEDED:
                text = f"expected the parts of a {kind}, got {sorted(map(str, event))}"
                raise ValueError(text)
            case _:
                pass

    @property
    def usage(self) -> Mapping[str, Any]:
        """What it used, as was said last."""
        if not self._usage:
            text = "expected a usage in message_start or message_delta, got none"
            raise ValueError(text)
        return dict(clean(self._usage))

    @property
    def content(self) -> list[dict[str, Any]]:
        """Its blocks, whole, in their order."""
        return [self._whole(index) for index in sorted(self._blocks)]

    def _count(self, usage: Any) -> None:
        # Counts are totals, and one that isn't said again still holds.
        said = {} if usage is None else usage
        self._usage |= {name: value for name, value in said.items() if value is not None}

    def _add(self, index: int, delta: Mapping[str, Any]) -> None:
        block, kind = self._blocks[index], delta.get("type")
        if kind == "citations_delta":
            block["citations"] = [*(block.get("citations") or ()), delta["citation"]]
        elif kind in _PIECES:
            named, target = _PIECES[kind]
            self._pieces.setdefault(index, {}).setdefault(target, []).append(delta[named])

    def _end(self, delta: Mapping[str, Any]) -> None:
        self.stop = clean(delta.get("stop_reason")) or self.stop
        details = delta.get("stop_details")
        self.details = clean(details) if isinstance(details, Mapping) else self.details

    def _whole(self, index: int) -> dict[str, Any]:
        block = dict(self._blocks[index])
        for name, pieces in self._pieces.get(index, {}).items():
            said = "".join(pieces)
            if name == "input":
                block[name] = _parsed(said) if said else block.get(name, {})
            else:
                block[name] = (block.get(name) or "") + said if name in _GROWING else said
        _check(block)
        return {clean(name): clean(value) for name, value in block.items()}


def clean(value: Any, depth: int = DEEPEST) -> Any:
    """The same JSON value as every ledger and endpoint takes it. Raises ValueError when it is nested too deep."""
    match value:
        case str():
            return _storable(value)
        case dict() | list() if not depth:
            text = f"expected a value nested {DEEPEST} deep at most, got a deeper one"
            raise ValueError(text)
        case dict():
            return {clean(name): clean(inner, depth - 1) for name, inner in value.items()}
        case list():
            return [clean(inner, depth - 1) for inner in value]
        case _:
            return value


def _check(block: Mapping[str, Any]) -> None:
    match block:
        case {"type": "text", "text": str()} | {"type": "tool_use", "id": str(), "name": str()}:
            pass
        case {"type": str() as kind} if kind not in {"text", "tool_use"}:
            pass
        case _:
            text = f"expected a whole block, got {block.get('type')!r} of {sorted(map(str, block))}"
            raise ValueError(text)


def _parsed(said: str) -> Any:
    try:
        value = json.loads(said)
        clean(value)
        # An endless number comes in, and could never be sent on.
        json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError):
        return said
    return value


def _storable(text: str) -> str:
    # By way of UTF-16 two halves that came in two pieces are one sign again.
    halves = text.encode("utf-16-le", "surrogatepass")
    return halves.decode("utf-16-le", "replace").replace("\0", "\ufffd")
