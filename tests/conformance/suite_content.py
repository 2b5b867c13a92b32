"""The tools, resources and prompts that the official conformance suite looks for and that need nobody's answer."""

import asyncio
import base64
import json
from typing import Annotated

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp.server.mcpserver.tools.base import Tool
from mcp.types import (
    AudioContent,
    CallToolResult,
    Completion,
    EmbeddedResource,
    ImageContent,
    TextContent,
    TextResourceContents,
)
from pydantic import Field

IMAGE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
AUDIO = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA="
Region = Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})]


def _text(text):
    return TextContent(type="text", text=text)


def _image():
    return ImageContent(type="image", data=IMAGE, mime_type="image/png")


def _embedded(uri, mime_type, text):
    inside = TextResourceContents(uri=uri, mime_type=mime_type, text=text)
    return EmbeddedResource(type="resource", resource=inside)


def test_simple_text() -> str:
    """Text."""
    return "This is a simple text response for testing."


def test_image_content() -> CallToolResult:
    """An image."""
    return CallToolResult(content=[_image()])


def test_audio_content() -> CallToolResult:
    """A sound."""
    return CallToolResult(content=[AudioContent(type="audio", data=AUDIO, mime_type="audio/wav")])


def test_embedded_resource() -> CallToolResult:
    """A resource inside the answer."""
    text = "This is an embedded resource content."
    return CallToolResult(content=[_embedded("test://embedded-resource", "text/plain", text)])


def test_multiple_content_types() -> CallToolResult:
    """Text, an image and a resource."""
    inside = json.dumps({"test": "data", "value": 123})
    resource = _embedded("test://mixed-content-resource", "application/json", inside)
    return CallToolResult(content=[_text("Multiple content types test:"), _image(), resource])


async def test_tool_with_logging(ctx: Context) -> str:
    """Log thrice."""
    for line in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await _log(ctx, line)
        await asyncio.sleep(0.05)
    return "Tool with logging executed successfully"


async def test_tool_with_progress(ctx: Context) -> str:
    """Report progress thrice."""
    for done in (0, 50, 100):
        await ctx.report_progress(done, 100, f"Completed step {done} of 100")
        await asyncio.sleep(0.05)
    return "Tool with progress executed successfully"


async def test_logging_tool(ctx: Context) -> str:
    """Log once."""
    await _log(ctx, "Logged")
    return "Logged"


async def test_trigger_tool_change(ctx: Context) -> str:
    """Say that the tools have changed."""
    await ctx.notify_tools_changed()
    return "Told"


async def test_trigger_prompt_change(ctx: Context) -> str:
    """Say that the prompts have changed."""
    await ctx.notify_prompts_changed()
    return "Told"


def test_error_handling() -> str:
    """Fail."""
    raise ToolError("This tool intentionally returns an error for testing")


async def test_reconnection(ctx: Context) -> str:
    """Close the stream in the middle."""
    await ctx.close_sse_stream()
    await asyncio.sleep(0.2)
    return "Reconnection test completed"


def test_header_parameter(region: Region) -> str:
    """Take an argument that is mirrored into a header."""
    return f"Region: {region}"


async def _log(ctx, line):
    await ctx.log("info", line)


def json_schema_2020_12_tool(name: str = "") -> str:
    """Tool with JSON Schema 2020-12 features."""
    return f"Hello, {name}"


SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


def schema_tool():
    """A tool whose schema no Python function has."""
    made = Tool.from_function(json_schema_2020_12_tool, structured_output=False)
    return made.model_copy(update={"parameters": SCHEMA})


TOOLS = (
    test_simple_text,
    test_image_content,
    test_audio_content,
    test_embedded_resource,
    test_multiple_content_types,
    test_tool_with_logging,
    test_tool_with_progress,
    test_error_handling,
    test_logging_tool,
    test_trigger_tool_change,
    test_trigger_prompt_change,
    test_reconnection,
    test_header_parameter,
)


def add_resources(server):
    """Text, bytes, a template and one to subscribe to."""

    @server.resource("test://static-text", mime_type="text/plain")
    def static_text() -> str:
        """Text that never changes."""
        return "This is the content of the static text resource."

    @server.resource("test://static-binary", mime_type="image/png")
    def static_binary() -> bytes:
        """Bytes that never change."""
        return base64.b64decode(IMAGE)

    @server.resource("test://template/{id}/data", mime_type="application/json")
    def template(id: str) -> str:  # noqa: A002 - the template's name for it
        """Whatever is asked for."""
        return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})

    @server.resource("test://watched-resource", mime_type="text/plain")
    def watched() -> str:
        """What may be subscribed to."""
        return "Watched resource content"


def add_prompts(server):
    """Simple, with arguments, with a resource, with an image."""

    @server.prompt()
    def test_simple_prompt() -> list[UserMessage]:
        """A prompt."""
        return [UserMessage(content=_text("This is a simple prompt for testing."))]

    @server.prompt()
    def test_prompt_with_arguments(arg1: str, arg2: str) -> list[UserMessage]:
        """A prompt about two things."""
        said = f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"
        return [UserMessage(content=_text(said))]

    @server.prompt()
    def test_prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:  # noqa: N803
        """A prompt about a resource."""
        inside = _embedded(resourceUri, "text/plain", "Embedded resource content for testing.")
        asked = _text("Please process the embedded resource above.")
        return [UserMessage(content=inside), UserMessage(content=asked)]

    @server.prompt()
    def test_prompt_with_image() -> list[UserMessage]:
        """A prompt about an image."""
        asked = _text("Please analyze the image above.")
        return [UserMessage(content=_image()), UserMessage(content=asked)]

    @server.completion()
    async def complete(_ref, _argument, _context):
        return Completion(values=["paris", "park", "party"], total=3, has_more=False)
