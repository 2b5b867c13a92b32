"""A client that is not ours, FastMCP's with its tasks, calls a tool: fastmcp_client.py TARGET TOOL ARGUMENTS.

It runs in FastMCP's own virtual environment and knows nothing of ours.
"""

import asyncio
import json
import sys

import fastmcp_tasks
from fastmcp import Client
from fastmcp.client.transports import StdioTransport


async def main(target, tool, given):
    """Print what the tool said."""
    assert fastmcp_tasks.TasksExtension
    async with Client(_transport(target)) as client:
        tools = await client.list_tools()
        answer = await client.call_tool(tool, json.loads(given), raise_on_error=False)
    text = " ".join(block.text for block in answer.content)
    sys.stdout.write(
        json.dumps({"tools": len(tools), "isError": bool(answer.is_error), "text": text})
    )


def _transport(target):
    if not target.startswith("["):
        return target
    command, *arguments = json.loads(target)
    return StdioTransport(command, arguments)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
