"""Everything a server offers, page by page, bounded in pages, tools and bytes; it judges no definition."""

from typing import Final

from mcp import Client
from mcp_types import Tool

from orchestrator.agent.hands.definitions import ToolDefinition

MAX_LISTED: Final = 2_000
MAX_PAGES: Final = 200
MAX_BYTES: Final = 16 * 1024 * 1024
"""Of all definitions together, as JSON."""


class Endless(Exception):
    """A list that is longer than any list of tools; the text says of what there is too much."""


async def listed(client: Client) -> list[Tool]:
    """Every tool, asked afresh. Raises Endless."""
    tools: list[Tool] = []
    cursor: str | None = None
    seen: set[str | None] = set()
    size = 0
    # A server may hand out the same cursor for ever: then it has said everything.
    while cursor not in seen:
        seen.add(cursor)
        page = await client.list_tools(cursor=cursor, cache_mode="refresh")
        tools += page.tools
        size += sum(len(tool.model_dump_json(by_alias=True)) for tool in page.tools)
        _bounded(len(seen), len(tools), size)
        cursor = page.next_cursor
        if cursor is None:
            break
    return tools


def definition(server: str, tool: Tool) -> ToolDefinition:
    """A tool in its server's words."""
    hints = tool.annotations
    return ToolDefinition(
        server=server,
        name=tool.name,
        title=tool.title or (hints.title if hints else None),
        description=tool.description,
        input_schema=tool.input_schema,
        read_only=hints.read_only_hint if hints else None,
        destructive=hints.destructive_hint if hints else None,
        idempotent=hints.idempotent_hint if hints else None,
        output_schema=tool.output_schema,
        annotations=hints.model_dump(mode="json", by_alias=True, exclude_none=True)
        if hints
        else None,
    )


def _bounded(pages: int, tools: int, size: int) -> None:
    for what, got, most in (
        ("pages", pages, MAX_PAGES),
        ("tools", tools, MAX_LISTED),
        ("bytes of definitions", size, MAX_BYTES),
    ):
        if got > most:
            raise Endless(f"expected at most {most} {what}, got {got} and more to come")
