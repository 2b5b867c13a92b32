"""An MCP server that counts: it appends one line to a file for every execution, at its start.

So a test counts what was really executed, at the server, whatever the ledger says. Over stdio the file is named
by COUNT; over HTTP (`counting_server.py PORT`) by the header `x-count`, so that one process serves many tests.
"""

import asyncio
import os
import sys
from pathlib import Path

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.types import ToolAnnotations

COUNT = os.environ.get("COUNT", "")  # noqa: TID251 - the process's only setting
READS = ToolAnnotations(read_only_hint=True)

lab = MCPServer("counting", version="1.0.0")


def executed(ctx: Context, line: str) -> None:
    """Appended in one write, so that parallel calls never mix."""
    request = ctx.request_context.request
    with Path(COUNT or request.headers["x-count"]).open("a", encoding="utf-8") as count:
        count.write(line + "\n")


@lab.tool(annotations=READS, structured_output=False)
async def read_thing(ctx: Context, name: str = "it", size: int = 0, marker: str = "") -> str:
    """Read a thing: `size` more characters, with the marker in the middle of them."""
    executed(ctx, f"read_thing {name}")
    half = "x" * (size // 2)
    return f"{name} is fine. {half}{marker}{half}"


@lab.tool(annotations=READS, structured_output=False)
async def slow_read(ctx: Context, seconds: float) -> str:
    """Read a thing that takes its time."""
    executed(ctx, "slow_read")
    await asyncio.sleep(seconds)
    return "read, slowly"


@lab.tool(structured_output=False)
async def write_thing(ctx: Context, body: str) -> str:
    """Write a thing."""
    executed(ctx, f"write_thing {body.splitlines()[0]}")
    return "written"


@lab.tool(structured_output=False)
async def slow_write(ctx: Context, seconds: float) -> str:
    """Write a thing that takes its time."""
    executed(ctx, "slow_write")
    await asyncio.sleep(seconds)
    return "written, slowly"


@lab.tool(structured_output=False)
async def endless_write(ctx: Context) -> str:
    """Write a thing that is never done, and count being told to stop."""
    executed(ctx, "endless_write")
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        executed(ctx, "stopped endless_write")
        raise
    return "never"


@lab.tool(structured_output=False)
async def dies(ctx: Context) -> str:
    """End the process in the middle of the call."""
    executed(ctx, "dies")
    os._exit(3)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        lab.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
    else:
        lab.run()
