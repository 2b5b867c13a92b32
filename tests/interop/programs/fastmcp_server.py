"""A server that is not ours: FastMCP's runtime for MCP Tasks, in memory; fastmcp_server.py [PORT].

It runs in FastMCP's own virtual environment and knows nothing of ours.
"""

import asyncio
import sys

from fastmcp import FastMCP
from fastmcp.exceptions import ToolError
from fastmcp_tasks import TasksExtension

server = FastMCP("fastmcp-tasks")
server.add_extension(TasksExtension())


@server.tool(task=True)
async def compute(seconds: float) -> str:
    """Compute for some seconds."""
    await asyncio.sleep(seconds)
    return f"computed for {seconds:g} s"


@server.tool(task=True)
async def failing() -> str:
    """Fail after a moment."""
    await asyncio.sleep(0.5)
    raise ToolError("there is no paper")


@server.tool
async def at_once() -> str:
    """Answer at once."""
    return "here"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run("http", host="127.0.0.1", port=int(sys.argv[1]), show_banner=False)
    else:
        server.run("stdio", show_banner=False)
