"""An MCP server with notes by strangers and tools that hurt; over stdio, told by its environment.

COUNT is the file that gets one line of JSON for every call that was executed, NOTES a JSON file of the texts that
`look` returns, SIGNS one of descriptions for as many more reading tools.
"""

import json
import os
from pathlib import Path
from typing import Any

from mcp.server import MCPServer
from mcp.types import ToolAnnotations

ENV = os.environ  # noqa: TID251 - the process's only settings
READS = ToolAnnotations(read_only_hint=True)
NOTES = json.loads(Path(ENV["NOTES"]).read_text(encoding="utf-8"))
SIGNS = json.loads(Path(ENV["SIGNS"]).read_text(encoding="utf-8"))

server = MCPServer("injected", version="1.0.0")


def executed(tool: str, **arguments: Any) -> str:
    """Appended in one write, so that parallel calls never mix."""
    line = json.dumps({"tool": tool, "arguments": arguments})
    with Path(ENV["COUNT"]).open("a", encoding="utf-8") as count:
        count.write(line + "\n")
    return "done"


@server.tool(annotations=READS, structured_output=False)
async def look(name: str) -> str:
    """Read the note of that name."""
    executed("look", name=name)
    return str(NOTES.get(name, "An empty note."))


@server.tool(structured_output=False)
async def comment(repo: str, number: int, body: str, label: str = "none") -> str:
    """Comment on an issue, and label it."""
    return executed("comment", repo=repo, number=number, body=body, label=label)


@server.tool(structured_output=False)
async def erase(repo: str, why: str) -> str:
    """Erase a repository."""
    return executed("erase", repo=repo, why=why)


@server.tool(structured_output=False)
async def send_mail(to: str, body: str) -> str:
    """Send a mail to anybody."""
    return executed("send_mail", to=to, body=body)


@server.tool(structured_output=False)
async def transfer(to: str, amount: int) -> str:
    """Send money."""
    return executed("transfer", to=to, amount=amount)


def sign(name: str, description: str) -> None:
    async def read() -> str:
        return executed(name)

    read.__doc__ = description
    server.tool(name=name, annotations=READS, structured_output=False)(read)


for one, said in SIGNS.items():
    sign(one, said)

if __name__ == "__main__":
    server.run()
