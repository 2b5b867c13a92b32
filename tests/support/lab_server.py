"""An MCP server that behaves and misbehaves on request: `lab_server.py LOG [PORT]`, stdio without a port.

It appends one line to LOG for everything a test wants to see from the server's side.
"""

import asyncio
import base64
import os
import sys
from pathlib import Path
from threading import Event
from typing import Annotated, Any

from mcp.server import MCPServer
from mcp.server.mcpserver import Context, Elicit, Resolve
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, ImageContent, ToolAnnotations
from pydantic import BaseModel

LOG = Path(sys.argv[1])
PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1").decode()

lab = MCPServer("lab", version="1.2.3")


def note(line: str) -> None:
    """One line a test can wait for."""
    with LOG.open("a") as log:
        log.write(line + "\n")


@lab.tool(annotations=ToolAnnotations(read_only_hint=True))
async def echo(text: str) -> str:
    """Say it again."""
    note(f"echo {text}")
    return text


@lab.tool(annotations=ToolAnnotations(read_only_hint=True))
async def pause(seconds: float) -> str:
    """Answer later."""
    await asyncio.sleep(seconds)
    return "rested"


@lab.tool(annotations=ToolAnnotations(read_only_hint=False, idempotent_hint=True))
async def slow(ctx: Context) -> str:
    """Take its time, and tell when it's told to stop."""
    note("slow began")
    try:
        for step in range(600):
            await ctx.report_progress(step, 600, "working")
            await asyncio.sleep(0.1)
    except asyncio.CancelledError:
        note("slow cancelled")
        raise
    return "done"


@lab.tool(structured_output=False)
async def big(megabytes: int) -> str:
    """A long text with a beginning and an end."""
    return "BEGIN" + "x" * (megabytes * 1_000_000) + "END"


@lab.tool()
async def boom() -> str:
    """Fail in words."""
    raise ToolError("upstream said 503")


@lab.tool(structured_output=False)
async def image() -> list[Any]:
    """A picture."""
    return [ImageContent(type="image", data=PIXEL, mime_type="image/png")]


@lab.tool(structured_output=False)
async def structured_only() -> CallToolResult:
    """Structured content without text."""
    return CallToolResult(content=[], structured_content={"city": "Bonn", "degrees": 7.5})


class Sure(BaseModel):
    """A person's answer."""

    ok: bool


async def are_you_sure() -> Elicit[Sure]:
    """The question in the middle of a call."""
    return Elicit("Sure?", Sure)


@lab.tool()
async def asks(answer: Annotated[Sure, Resolve(are_you_sure)]) -> str:
    """Ask a person in the middle of the call."""
    return str(answer)


@lab.tool()
async def dies() -> str:
    """End the process in the middle of the call."""
    note("dies began")
    os._exit(3)


@lab.tool()
async def hangs() -> str:
    """Block the whole server, as bad servers do."""
    note("hangs began")
    Event().wait()
    return "never"


@lab.tool()
async def wants_meta(ctx: Context) -> str:
    """Tell the key that came with the call."""
    meta: Any = ctx.request_context.meta or {}
    return str(meta.get("doorbell/idempotency-key"))


if __name__ == "__main__":
    note(f"pid {os.getpid()}")
    if len(sys.argv) > 2:
        lab.run("streamable-http", host="127.0.0.1", port=int(sys.argv[2]))
    else:
        lab.run()
