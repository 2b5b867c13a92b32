"""What the scripted model says and how the Messages API spells it; it knows no socket, clock or story.

A script answers a request with a `Reply` (what the model says) or a `Fault` (how the API fails).
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

# https://docs.anthropic.com/en/api/errors
STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}

CHUNK = 24
"""Characters per streamed delta: small enough that tool arguments come in several pieces."""


@dataclass(frozen=True, slots=True)
class Text:
    """Words."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A call of one tool; its id is derived from the request it answers.

    Its arguments are streamed as `spelled`, where a model spells them as JSON wouldn't.
    """

    name: str
    input: Any = field(default_factory=dict)
    spelled: str = ""


@dataclass(frozen=True, slots=True)
class Raw:
    """A block as the API spells it: a thought, the use of one of the provider's own tools."""

    block: Mapping[str, Any]


Block = Text | ToolUse | Raw


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the model says; `delay` is seconds, spread evenly over the pieces of the stream.

    `details` stand beside a refusal: its category and an explanation.
    """

    blocks: tuple[Block, ...]
    stop_reason: str
    delay: float = 0.0
    details: Mapping[str, Any] | None = None


class Cut(StrEnum):
    """How a reply breaks after it has begun."""

    DROP = "drop"
    """The connection is gone in the middle of the body."""
    ERROR = "error"
    """A stream carries `event: error` of the fault's type; a plain reply is that error at once."""
    END = "end"
    """The body ends in good order, but too early."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A failure: an HTTP status, or a `cut` of a reply that had begun; `delay` is seconds before it."""

    status: int = 529
    type: str = "overloaded_error"
    message: str = "Overloaded"
    retry_after: float | None = None
    cut: Cut | None = None
    delay: float = 0.0


class Script(Protocol):
    """The model's part: from a request, and nothing else, to what is answered."""

    def reply(self, request: Mapping[str, Any]) -> Reply | Fault:
        """What is answered to this body of POST /v1/messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens as the API bills them: `uncached`, written for 5 minutes or 1 hour, read, and put out."""

    uncached: int
    written_5m: int = 0
    written_1h: int = 0
    read: int = 0
    output: int = 0

    @property
    def input(self) -> int:
        """All input tokens, cached or not."""
        return self.uncached + self.written_5m + self.written_1h + self.read


def dumps(value: Any) -> str:
    """Compact JSON in the order it came: an unstable key order misses the cache, as with the real API."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def digest(request: Mapping[str, Any], *more: object) -> str:
    """24 hex digits that name this request."""
    text = json.dumps([request, *more], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def message(request: Mapping[str, Any], reply: Reply, usage: Usage) -> dict[str, Any]:
    """The whole message, as a reply without streaming carries it."""
    content = [_block(block, request, n) for n, block in enumerate(reply.blocks)]
    return {
        **_envelope(request),
        "content": content,
        "stop_reason": reply.stop_reason,
        "stop_details": _details(reply),
        "usage": _usage(usage),
    }


def frames(request: Mapping[str, Any], reply: Reply, usage: Usage) -> Iterator[bytes]:
    """The same message as server-sent events, a frame at a time."""
    begun = Usage(
        uncached=usage.uncached,
        written_5m=usage.written_5m,
        written_1h=usage.written_1h,
        read=usage.read,
        output=1,
    )
    yield _frame("message_start", message={**_envelope(request), "usage": _usage(begun)})
    yield _frame("ping")
    for index, block in enumerate(reply.blocks):
        yield from _block_frames(index, block, request)
    delta = {
        "stop_reason": reply.stop_reason,
        "stop_sequence": None,
        "stop_details": _details(reply),
    }
    yield _frame("message_delta", delta=delta, usage=_totals(usage))
    yield _frame("message_stop")


def error(kind: str, text: str, request_id: str) -> dict[str, Any]:
    """The API's error envelope."""
    return {
        "type": "error",
        "error": {"type": kind, "message": text},
        "request_id": request_id,
    }


def error_frame(kind: str, text: str, request_id: str) -> bytes:
    """The API's error envelope as an event in the middle of a stream."""
    return _sse("error", error(kind, text, request_id))


def _envelope(request: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": f"msg_{digest(request)}",
        "type": "message",
        "role": "assistant",
        "model": request.get("model"),
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _details(reply: Reply) -> dict[str, Any] | None:
    return None if reply.details is None else {"type": "refusal", **reply.details}


def _block(block: Block, request: Mapping[str, Any], index: int) -> dict[str, Any]:
    match block:
        case Text(text):
            return {"type": "text", "text": text}
        case ToolUse(name, arguments):
            tool_use_id = f"toolu_{digest(request, index)}"
            return {
                "type": "tool_use",
                "id": tool_use_id,
                "name": name,
                "input": arguments,
            }
        case Raw(given):
            return dict(given)


def _block_frames(index: int, block: Block, request: Mapping[str, Any]) -> Iterator[bytes]:
    whole = _block(block, request, index)
    yield _frame("content_block_start", index=index, content_block={**whole, **_opened(block)})
    for delta in _deltas(block):
        yield _frame("content_block_delta", index=index, delta=delta)
    yield _frame("content_block_stop", index=index)


def _opened(block: Block) -> dict[str, Any]:
    match block:
        case Text():
            return {"text": ""}
        case ToolUse():
            return {"input": {}}
        case Raw():
            return {}


def _deltas(block: Block) -> list[dict[str, str]]:
    match block:
        case Text(text):
            return [{"type": "text_delta", "text": piece} for piece in _pieces(text)]
        case ToolUse(_, arguments, spelled):
            # The API opens the arguments with an empty piece.
            pieces = ["", *_pieces(spelled or dumps(arguments))]
            return [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
        case Raw():
            return []


def _pieces(text: str) -> list[str]:
    return [text[start : start + CHUNK] for start in range(0, len(text), CHUNK)]


def _totals(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.uncached,
        "cache_creation_input_tokens": usage.written_5m + usage.written_1h,
        "cache_read_input_tokens": usage.read,
        "output_tokens": usage.output,
    }


def _usage(usage: Usage) -> dict[str, Any]:
    written = {
        "ephemeral_5m_input_tokens": usage.written_5m,
        "ephemeral_1h_input_tokens": usage.written_1h,
    }
    return {**_totals(usage), "cache_creation": written, "service_tier": "standard"}


def _frame(event: str, **fields: Any) -> bytes:
    return _sse(event, {"type": event, **fields})


def _sse(event: str, body: Mapping[str, Any]) -> bytes:
    # Half a surrogate pair is escaped, as JSON that can be sent at all spells it.
    return f"event: {event}\ndata: {dumps(body)}\n\n".encode("utf-8", "backslashreplace")
