"""Tools as servers describe them, and locks that hold them; nothing is asked and nothing is written."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from orchestrator.agent.hands.definitions import Discovered, ToolDefinition
from orchestrator.agent.hands.locking import locked_as
from orchestrator.agent.tools.quarantine import way_of
from orchestrator.configuration.locks import Lock, LockedServer
from orchestrator.servers import HttpServer, Server

SCHEMA = {
    "type": "object",
    "properties": {"body": {"type": "string", "description": "The text."}},
    "required": ["body"],
}
SERVER = HttpServer(name="github", url="http://127.0.0.1:9/mcp")
COMMENT = ToolDefinition(
    server="github", name="comment", description="It comments.", input_schema=SCHEMA
)
LOOK = ToolDefinition(
    server="github", name="look", description="It looks.", input_schema={}, read_only=True
)


def changed(description: str = "It comments, and more.") -> ToolDefinition:
    return replace(COMMENT, description=description)


def offered(*tools: ToolDefinition, identity: str = "github 1.0") -> Discovered:
    return Discovered(server="github", protocol="2026-07-28", identity=identity, tools=tools)


def lock_of_tools(
    *tools: ToolDefinition,
    server: Server = SERVER,
    identity: str = "github 1.0",
    accepted: Mapping[str, float] | None = None,
    **rest: Any,
) -> Lock:
    when = accepted or {}
    locked = {tool.name: locked_as(tool, when.get(tool.name)) for tool in tools}
    one = LockedServer(reached=way_of(server), identity=identity, tools=locked)
    return Lock(servers={"github": one}, **rest)
