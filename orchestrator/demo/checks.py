"""What the Messages API refuses in a request, in its own words; it knows no socket and no reply.

The texts are those that people report from the real API, so that what is learned here holds there.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from orchestrator.agent import pictures

TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
TOOL_USE_ID = re.compile(r"[a-zA-Z0-9_-]+")
PROPERTY = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
MODEL = re.compile(r"(claude|scripted)-[a-zA-Z0-9.@_-]+")
COMBINATORS = ("oneOf", "allOf", "anyOf")
BREAKPOINTS = 4
MANY = 20
SIDE, SIDE_OF_MANY = 8_000, 2_000
ROLES = ("user", "assistant", "system")

# https://docs.anthropic.com/en/api/messages
FIELDS = frozenset(
    {
        *("max_tokens", "messages", "model", "cache_control", "container", "diagnostics"),
        *("inference_geo", "metadata", "output_config", "service_tier", "speed"),
        *("stop_sequences", "stream", "system", "thinking", "tool_choice", "tools"),
        *("context_management", "compaction", "fallbacks", "mcp_servers", "thread"),
    }
)


def problem(request: Mapping[str, Any]) -> str | None:
    """Why POST /v1/messages would refuse this body, or None."""
    limit = request.get("max_tokens")
    if limit is None:
        return "max_tokens: Field required"
    if not isinstance(limit, int) or isinstance(limit, bool):
        return "max_tokens: Input should be a valid integer"
    if limit < 0:
        return "max_tokens: Input should be greater than or equal to 0"
    return counting_problem(request)


def counting_problem(request: Mapping[str, Any]) -> str | None:
    """Why POST /v1/messages/count_tokens would refuse this body, or None."""
    checks: tuple[Callable[[Mapping[str, Any]], str | None], ...] = (
        _shape,
        _tools,
        _roles,
        _contents,
        _uses,
        _pictures,
        _pairs,
        _breakpoints,
    )
    return next((found for check in checks if (found := check(request)) is not None), None)


def blocks(message: Mapping[str, Any], kind: str | None = None) -> list[Mapping[str, Any]]:
    """The blocks of a message, all or of one type; a plain string is one text block."""
    content = message.get("content")
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    found = _mappings(content if isinstance(content, list) else [])
    return [block for block in found if kind is None or block.get("type") == kind]


def _mappings(values: Sequence[Any]) -> list[Mapping[str, Any]]:
    return [value for value in values if isinstance(value, Mapping)]


def _shape(request: Mapping[str, Any]) -> str | None:
    if not isinstance(request.get("model"), str):
        return "model: Field required"
    unknown = next((name for name in request if name not in FIELDS), None)
    if unknown is not None:
        return f"{unknown}: Extra inputs are not permitted"
    for name in ("system", "tools", "messages"):
        value = request.get(name, [])
        if name == "system" and isinstance(value, str):
            continue
        if not isinstance(value, list) or len(_mappings(value)) < len(value):
            return f"{name}: Input should be a valid list"
    return None if request.get("messages") else "messages: at least one message is required"


def _tools(request: Mapping[str, Any]) -> str | None:
    tools = request.get("tools", [])
    for n, tool in enumerate(tools):
        if tool.get("type", "custom") == "custom" and (found := _tool(tool)):
            return f"tools.{n}.custom.{found}"
    names = [tool.get("name") for tool in tools]
    return "tools: Tool names must be unique." if len(set(names)) < len(names) else None


def _tool(tool: Mapping[str, Any]) -> str | None:
    name, schema = tool.get("name"), tool.get("input_schema")
    if not isinstance(name, str) or not TOOL_NAME.fullmatch(name):
        return "name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'"
    if not isinstance(schema, Mapping):
        return "input_schema: Field required"
    return _schema(schema)


def _schema(schema: Mapping[str, Any]) -> str | None:
    if "type" not in schema:
        return "input_schema.type: Field required"
    if schema["type"] != "object":
        return "input_schema.type: Input should be 'object'"
    if any(word in schema for word in COMBINATORS):
        return "input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level"
    if not all(PROPERTY.fullmatch(name) for name in schema.get("properties") or {}):
        return (
            "input_schema.properties: Property keys should match pattern '^[a-zA-Z0-9_.-]{1,64}$'"
        )
    return None


def _roles(request: Mapping[str, Any]) -> str | None:
    messages = request["messages"]
    for n, message in enumerate(messages):
        if message.get("role") not in ROLES:
            return f"messages.{n}.role: Input should be 'user' or 'assistant'"
    if messages[0]["role"] != "user":
        return 'messages: first message must use the "user" role'
    if messages[-1]["role"] == "assistant" and not _paused(messages[-1]):
        return (
            "This model does not support assistant message prefill. "
            "The conversation must end with a user message."
        )
    return None


def _paused(message: Mapping[str, Any]) -> bool:
    """Whether this is a turn that paused for the provider's own tools; that one goes on from where it was."""
    return any(str(block.get("type")).startswith("server_tool_use") for block in blocks(message))


def _contents(request: Mapping[str, Any]) -> str | None:
    for n, message in enumerate(request["messages"]):
        content = message.get("content")
        if not isinstance(content, str | list):
            return f"messages.{n}.content: Input should be a valid list"
        if isinstance(content, list) and len(_mappings(content)) < len(content):
            return f"messages.{n}.content: Input should be a valid list of blocks"
        if not content:
            return (
                f"messages.{n}: all messages must have non-empty content "
                "except for the optional final assistant message"
            )
        if any(not block.get("text") for block in blocks(message, "text")):
            return "messages: text content blocks must be non-empty"
        if any(not str(block["text"]).strip() for block in blocks(message, "text")):
            return "messages: text content blocks must contain non-whitespace text"
    return None


def _uses(request: Mapping[str, Any]) -> str | None:
    for n, message in enumerate(request["messages"]):
        for m, block in enumerate(blocks(message)):
            if block.get("type") == "tool_use" and (found := _use(block)):
                return f"messages.{n}.content.{m}.tool_use.{found}"
    return None


def _use(block: Mapping[str, Any]) -> str | None:
    if not TOOL_USE_ID.fullmatch(str(block.get("id"))):
        return "id: String should match pattern '^[a-zA-Z0-9_-]+$'"
    if not isinstance(block.get("input"), Mapping):
        return "input: Input should be a valid dictionary"
    return None


def _pictures(request: Mapping[str, Any]) -> str | None:
    found = [image for message in request["messages"] for image in _images(message)]
    many = len(found) > MANY
    most, beside = (SIDE_OF_MANY, " for many-image requests") if many else (SIDE, "")
    for image in found:
        source = image.get("source")
        both = pictures.sides(_bytes(source) if isinstance(source, Mapping) else b"")
        if both is None:
            return "Could not process image"
        if max(both) > most:
            return f"At least one of the image dimensions exceed max allowed size{beside}: {most} pixels"
    return None


def _images(message: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from blocks(message, "image")
    for result in blocks(message, "tool_result"):
        yield from blocks(result, "image")


def _bytes(source: Mapping[str, Any]) -> bytes:
    try:
        return base64.b64decode(str(source.get("data")), validate=True)
    except binascii.Error:
        return b""


def _pairs(request: Mapping[str, Any]) -> str | None:
    messages: Sequence[Mapping[str, Any]] = request["messages"]
    seen: set[str] = set()
    for n, message in enumerate(messages):
        asked = [str(block.get("id")) for block in blocks(message, "tool_use")]
        if len(set(asked)) < len(asked) or not seen.isdisjoint(asked):
            return f"messages.{n}: `tool_use` ids must be unique"
        seen.update(asked)
        found = _unanswered(n, asked, messages) or _unasked(n, message, messages)
        if found:
            return found
    return None


def _unanswered(n: int, asked: Sequence[str], messages: Sequence[Mapping[str, Any]]) -> str | None:
    following = messages[n + 1] if n + 1 < len(messages) else {}
    answered = {block.get("tool_use_id") for block in blocks(following, "tool_result")}
    missing = [name for name in asked if name not in answered]
    if not missing:
        return None
    return (
        f"messages.{n}: `tool_use` ids were found without `tool_result` blocks immediately after: "
        f"{', '.join(missing)}. Each `tool_use` block must have a corresponding `tool_result` "
        "block in the next message."
    )


def _unasked(
    n: int, message: Mapping[str, Any], messages: Sequence[Mapping[str, Any]]
) -> str | None:
    before = messages[n - 1] if n else {}
    asked = {block.get("id") for block in blocks(before, "tool_use")}
    for m, block in enumerate(blocks(message)):
        if block.get("type") == "tool_result" and block.get("tool_use_id") not in asked:
            return (
                f"messages.{n}.content.{m}: unexpected `tool_use_id` found in `tool_result` "
                f"blocks: {block.get('tool_use_id')}. Each `tool_result` block must have a "
                "corresponding `tool_use` block in the previous message."
            )
    return None


def _breakpoints(request: Mapping[str, Any]) -> str | None:
    found = list(_controls(request))
    if len(found) > BREAKPOINTS:
        return (
            f"A maximum of {BREAKPOINTS} blocks with cache_control may be provided. "
            f"Found {len(found)}."
        )
    shorter = False
    for place, control in found:
        ttl = control.get("ttl", "5m")
        if ttl not in ("5m", "1h"):
            return f"{place}.cache_control.ephemeral.ttl: Input should be '5m' or '1h'"
        if ttl == "1h" and shorter:
            return (
                f"{place}.cache_control.ttl: a ttl='1h' cache_control block must not come after a "
                "ttl='5m' cache_control block. Note that blocks are processed in the following "
                "order: `tools`, `system`, `messages`."
            )
        shorter = shorter or ttl == "5m"
    return None


def _controls(request: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    places = [(f"tools.{n}", tool) for n, tool in enumerate(request.get("tools") or ())]
    system = request.get("system")
    places += [(f"system.{n}", b) for n, b in enumerate(system if isinstance(system, list) else ())]
    for n, message in enumerate(request["messages"]):
        for m, block in enumerate(blocks(message)):
            inner = blocks(block) if block.get("type") == "tool_result" else []
            places += [(f"messages.{n}.content.{m}.content.{i}", b) for i, b in enumerate(inner)]
            places.append((f"messages.{n}.content.{m}", block))
    places.append(("top level", request))
    return (
        (place, block["cache_control"]) for place, block in places if block.get("cache_control")
    )
