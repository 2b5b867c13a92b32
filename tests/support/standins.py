"""A model and hands inside the worker, for those who count runs by the thousand: no HTTP, one write for each run.

What the hands execute is one line in the file named by COUNTED: `write_thing` and the note of the event that opened
the run. So whoever counts doesn't have to believe the ledger.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from orchestrator.agent.hands.definitions import (
    Answered,
    BeforeSend,
    Discovered,
    NotSent,
    Outcome,
    Progress,
    Responses,
    ToolDefinition,
)
from orchestrator.agent.reply import Request, Said
from orchestrator.agent.text.redacting import Redact
from orchestrator.servers import Server

MODEL = f"{__name__}:Brief"
HANDS = f"{__name__}:Counting"

MARK = re.compile(r"number (\d+);")
"""What an event says of itself."""

USAGE = {"input_tokens": 100, "output_tokens": 10}
SCHEMA = {"type": "object", "properties": {"body": {"type": "string"}}, "required": ["body"]}
PAUSE = 0.01
"""Seconds in the middle of everything, so that a kill finds something to interrupt."""


class Brief:
    """A model that asks for one write, and is done."""

    def __init__(self, api_key: str | None, base_url: str | None) -> None:
        """Asks nobody."""

    async def say(self, request: Request) -> Said:
        """One turn."""
        await asyncio.sleep(PAUSE)
        if any(message["role"] == "assistant" for message in request.messages):
            text = {"type": "text", "text": "Done."}
            return Said(content=[text], stop="end_turn", usage=USAGE, request_id=None)
        found = MARK.search(str(request.messages))
        wanted = {"body": f"number {found[1] if found else '?'}"}
        use = {"type": "tool_use", "id": "toolu_1", "name": "lab__write_thing", "input": wanted}
        return Said(content=[use], stop="tool_use", usage=USAGE, request_id=None)

    async def close(self) -> None:
        """Nothing is open."""


class Counting:
    """Hands that write one line for every call."""

    def __init__(
        self,
        servers: Mapping[str, Server],  # noqa: ARG002 - reaches none
        *,
        environment: Mapping[str, str],
        stderr: Path,  # noqa: ARG002 - says nothing
        redact: Redact,  # noqa: ARG002 - knows no secret
        stood: Callable[[Any], None],  # noqa: ARG002 - always stands
        changed: Callable[[Any], None],  # noqa: ARG002 - never changes
    ) -> None:
        self._counted = Path(environment["COUNTED"])

    def learn(self, servers: Mapping[str, Server]) -> None:
        """There are none to reach."""

    async def discover(self, server: str) -> Discovered:
        """The one tool."""
        tool = ToolDefinition(server=server, name="write_thing", input_schema=SCHEMA)
        return Discovered(server=server, protocol="2025-11-25", identity="counting", tools=(tool,))

    async def call(
        self,
        server: str,  # noqa: ARG002 - there is one
        tool: str,
        arguments: Mapping[str, Any],
        *,
        deadline: float,  # noqa: ARG002 - it is done at once
        key: str,  # noqa: ARG002 - knows no repeats: that is what is counted
        before_send: BeforeSend | None = None,
        progress: Progress | None = None,  # noqa: ARG002 - has nothing to say
        responses: Responses | None = None,  # noqa: ARG002 - asks nobody
    ) -> Outcome:
        """Write the line, if it may."""
        if before_send is not None and not await before_send():
            return NotSent(reason="another attempt has it")
        with self._counted.open("a", encoding="utf-8") as counted:
            counted.write(f"{tool} {arguments['body']}\n")
        await asyncio.sleep(PAUSE)
        text = ({"type": "text", "text": "written"},)
        return Answered(content=text, is_error=False, full=b"", full_media_type="text/plain")

    async def close(self) -> None:
        """Nothing is open."""
