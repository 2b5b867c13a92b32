"""The snippets of the README for assistants, run as their programs run them, word by word."""

import asyncio
import json
import re
import shlex
import sys
from pathlib import Path

import pytest
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from tests.support.api import OPERATES, answering
from tests.support.builders import comment, rule
from tests.support.installed import Installed

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
DOORBELL = Path(sys.executable).with_name("doorbell")
WRITTEN = "/path/to/.venv/bin/doorbell"


@pytest.fixture
def there(tmp_path):
    there = Installed(tmp_path / "state")
    there.kept(comment("evt_1"), rule())
    return there


def as_json() -> dict:
    """What stands in the files of Claude Desktop and Cursor."""
    (snippet,) = re.findall(r"```json\n\s*(\{\"mcpServers\".*?)\n\s*```", README, re.DOTALL)
    return json.loads(snippet)["mcpServers"]["doorbell"]


def as_line() -> list[str]:
    """What is told to Claude Code, from the program on."""
    (line,) = re.findall(r"claude mcp add doorbell -- ([^`]+)`", README)
    return shlex.split(line)


async def used(program: StdioServerParameters) -> tuple[set[str], str]:
    """The tools it offers, and what it says of the newest event."""
    async with stdio_client(program) as (reader, writer), ClientSession(reader, writer) as session:
        await session.initialize()
        tools = {tool.name for tool in (await session.list_tools()).tools}
        answer = await session.call_tool("why", {"event": "last"})
        return tools, answer.content[0].text


@pytest.mark.timeout(120)
def test_o2_the_json_for_claude_desktop_and_cursor_works_as_it_stands(there, tmp_path):
    snippet = as_json()
    assert snippet["command"] == WRITTEN
    with answering(there, rule()) as api:
        args = [api.url if word.startswith("https://") else word for word in snippet["args"]]
        env = dict.fromkeys(snippet["env"], OPERATES)
        program = StdioServerParameters(command=str(DOORBELL), args=args, env=env, cwd=tmp_path)
        tools, told = asyncio.run(used(program))

    assert {"find_events", "find_runs", "cancel_run", "redeliver_event"} <= tools
    assert "evt_1" in told


@pytest.mark.timeout(120)
def test_o2_the_line_for_claude_code_works_as_it_stands_and_only_reads(there, tmp_path):
    command, *words = as_line()
    assert command == WRITTEN
    args = [str(there.path) if word.startswith("/path/to/") else word for word in words]
    program = StdioServerParameters(command=str(DOORBELL), args=args, cwd=tmp_path)
    tools, told = asyncio.run(used(program))

    assert "find_runs" in tools
    assert "cancel_run" not in tools
    assert "evt_1" in told
