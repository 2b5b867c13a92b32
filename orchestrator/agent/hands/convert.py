"""From MCP's words to those of the Messages API, on plain dicts: results and names; it calls nobody.

The input is MCP's wire form (`mimeType`, `structuredContent`). The output is what the Messages API accepts
without a 400: one wrong block would spoil every later turn of a conversation.
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from orchestrator.agent import pictures
from orchestrator.agent.hands.definitions import Answered

LIMIT = 80_000
"""Characters of text in one tool result, about 20k tokens."""

ATTACHMENTS = 5_000_000
"""Characters of base64 in one tool result: the API's limit for one image."""

MOST_BLOCKS = 50
MAX_DESCRIPTION = 2_000
MAX_ALIAS = 64

Block = dict[str, Any]

_PDF = "application/pdf"
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"%PDF-", _PDF),
)
_TEXTUAL = re.compile(
    r"text/.*|application/(json|xml|yaml|x-yaml|javascript|toml|sql|[^/]*\+(json|xml|yaml))"
)


def answered(result: Mapping[str, Any], *, limit: int = LIMIT) -> Answered:
    """A `CallToolResult` in wire form as blocks for a `tool_result`, capped, with the whole beside it."""
    is_error = result.get("isError") is True
    full, media_type = _full(result)
    blocks = _meaningful(_block(item) for item in result.get("content") or ())
    if not _has_text(blocks) and result.get("structuredContent") is not None:
        blocks = [_text(_json(result["structuredContent"])), *blocks]
    blocks = list(_affordable(worded(blocks), is_error=is_error))
    content, truncated = capped(_few(blocks), limit, artifact_id(full))
    return Answered(
        content=content,
        is_error=is_error,
        full=full,
        full_media_type=media_type,
        truncated=truncated,
    )


def failed(message: str) -> Answered:
    """An error in words, as if the tool had said it."""
    return answered({"content": [{"type": "text", "text": message}], "isError": True})


def worded(blocks: Iterable[Block]) -> list[Block]:
    """The same without texts that say nothing; where nothing is left, that in words."""
    return _meaningful(blocks) or [_text("(no output)")]


def artifact_id(full: bytes) -> str:
    """The name under which a full result is kept: its SHA-256, in hexadecimal."""
    return hashlib.sha256(full).hexdigest()


def _full(result: Mapping[str, Any]) -> tuple[bytes, str]:
    content = result.get("content") or []
    if content and all(item.get("type") == "text" for item in content):
        return "\n".join(_clean(item["text"]) for item in content).encode(), "text/plain"
    kept = {
        key: result[key] for key in ("content", "structuredContent") if result.get(key) is not None
    }
    return _clean(_json(kept)).encode(), "application/json"


def _block(item: Mapping[str, Any]) -> Block:
    match item:
        case {"type": "text", "text": str() as text}:
            return _text(text)
        case {"type": "image" | "audio" as kind, "data": str() as data}:
            return _attachment(data, item.get("mimeType") or kind)
        case {"type": "resource_link", "uri": uri}:
            return _text(_link(item, uri))
        case {"type": "resource", "resource": Mapping() as resource}:
            return _resource(resource)
        case _:
            return _text(f"[content of type {item.get('type')!r} omitted: it can't be shown here]")


def _has_text(blocks: Iterable[Block]) -> bool:
    """Whether there is text; servers repeat there what is structured."""
    return any(block["type"] == "text" for block in blocks)


def _few(blocks: list[Block]) -> list[Block]:
    """The same in at most so many blocks: a server may answer with a hundred thousand words, each in one of its own."""
    if len(blocks) <= MOST_BLOCKS:
        return blocks
    texts = [block["text"] for block in blocks if block["type"] == "text"]
    others = [block for block in blocks if block["type"] != "text"]
    left = len(others) - MOST_BLOCKS
    note = [_text(f"[{left} more pictures or documents omitted]")] if left > 0 else []
    return [_text("\n".join(texts)), *others[:MOST_BLOCKS], *note]


def _link(item: Mapping[str, Any], uri: Any) -> str:
    media_type = f" ({item['mimeType']})" if item.get("mimeType") else ""
    said = f"\n{item['description']}" if item.get("description") else ""
    return f"{item.get('title') or item.get('name') or 'resource'} — {uri}{media_type}{said}"


def _resource(resource: Mapping[str, Any]) -> Block:
    uri = resource.get("uri")
    match resource:
        case {"text": str() as text}:
            return _text(f"[resource {uri}]\n{text}")
        case {"blob": str() as data}:
            return _attachment(data, resource.get("mimeType") or "application/octet-stream")
        case _:
            return _text(f"[resource {uri} without content]")


def _attachment(data: str, claimed: str) -> Block:
    try:
        raw = base64.b64decode(data, validate=True)
    except binascii.Error:
        return _text(f"[{claimed} omitted: it is not valid base64]")
    if _TEXTUAL.fullmatch(claimed.partition(";")[0].strip().lower()):
        return _text(raw.decode("utf-8", "replace"))
    media_type = _sniffed(raw)
    if media_type is None:
        return _omitted(claimed, len(raw))
    unfit = "" if media_type == _PDF else pictures.unfit(raw)
    return _omitted(media_type, len(raw), unfit) if unfit else _visible(data, media_type)


def _omitted(media_type: str, size: int, why: str = "") -> Block:
    return _text(f"[{media_type}, {size} bytes omitted{': ' if why else ''}{why}]")


def _sniffed(raw: bytes) -> str | None:
    # The API refuses an image whose bytes aren't what its media type claims, so the bytes decide.
    if raw[:4] == b"RIFF" and raw[8:12] == b"WEBP":
        return "image/webp"
    return next((media_type for magic, media_type in _MAGIC if raw.startswith(magic)), None)


def _visible(data: str, media_type: str) -> Block:
    kind = "document" if media_type == _PDF else "image"
    return {"type": kind, "source": {"type": "base64", "media_type": media_type, "data": data}}


def _affordable(blocks: Iterable[Block], *, is_error: bool) -> Iterator[Block]:
    # A tool_result with is_error may hold nothing but text: the API answers 400 otherwise.
    left = 0 if is_error else ATTACHMENTS
    for block in blocks:
        size = 0 if block["type"] == "text" else len(block["source"]["data"])
        if size > left:
            yield _omitted(
                block["source"]["media_type"], len(base64.b64decode(block["source"]["data"]))
            )
        else:
            left -= size
            yield block


def capped(blocks: list[Block], limit: int, artifact: str) -> tuple[tuple[Block, ...], bool]:
    """The blocks with at most `limit` characters of text, and whether that took anything away."""
    texts = [block["text"] for block in blocks if block["type"] == "text"]
    if sum(len(text) for text in texts) <= limit:
        return tuple(blocks), False
    others = [block for block in blocks if block["type"] != "text"]
    return (_text(_cut("\n".join(texts), limit, artifact)), *others), True


def _cut(text: str, limit: int, artifact: str) -> str:
    head, tail = limit * 2 // 5, limit - limit * 2 // 5
    cut = len(text) - head - tail
    marker = (
        f"\n[… {cut} characters cut here; the full result is stored as artifact {artifact} …]\n"
    )
    return text[:head] + marker + text[-tail:]


def _meaningful(blocks: Iterable[Block]) -> list[Block]:
    # The API refuses text blocks of nothing but white space.
    return [block for block in blocks if block["type"] != "text" or block["text"].strip()]


def _text(text: str) -> Block:
    return {"type": "text", "text": _clean(text)}


def _clean(text: str) -> str:
    # Lone surrogates can't be encoded, NUL can't be kept by Postgres.
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def alias(server: str, tool: str) -> str:
    """The name the model sees: `server__tool`, in the characters and the length the API allows.

    One that would be somebody else's as well, or is too long, ends in a digest.
    """
    name = f"{server}__{tool}"
    safe = re.sub(r"[^a-zA-Z0-9_-]", "_", name)
    # The first `__` parts server and tool only where the server's name neither has one nor ends in half of one.
    plain = "__" not in server and not server.endswith("_")
    if plain and safe == name and len(name) <= MAX_ALIAS:
        return name
    digest = hashlib.sha256(f"{server}\0{tool}".encode("utf-8", "replace")).hexdigest()
    return f"{safe[:55]}_{digest[:8]}"


def described(title: str | None, description: str | None) -> str:
    """What the model reads about a tool, capped."""
    words = _clean((description or title or "").strip())
    return words if len(words) <= MAX_DESCRIPTION else words[: MAX_DESCRIPTION - 1] + "…"
