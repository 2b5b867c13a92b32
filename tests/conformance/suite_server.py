"""The server that the official conformance suite judges: its named fixtures, on our tasks library.

`python -m tests.conformance.suite_server PORT`
"""

import sys
import tempfile
from pathlib import Path

from mcp.server import MCPServer
from mcp.server.subscriptions import InMemorySubscriptionBus

from mcp_servers.tasks.desk import Desk
from mcp_servers.tasks.extension import TasksExtension
from mcp_servers.tasks.listening import Listening
from mcp_servers.tasks.sql import SqlStore
from mcp_servers.tasks.wire import MODERN
from tests.conformance import suite_content, suite_input
from tests.conformance.suite_tasks import REQUIRED, Tools, Workshop

ACKNOWLEDGED = frozenset({"logging/setLevel", "resources/subscribe", "resources/unsubscribe"})


def build(database):
    """The server over one database."""
    desk = Desk(store=SqlStore.open_at(database))
    workshop = Workshop(desk=desk)
    bus = InMemorySubscriptionBus()
    server = MCPServer(
        "conformance",
        version="1.0.0",
        log_level="WARNING",
        extensions=[TasksExtension(desk, required=REQUIRED, call_off=workshop.call_off)],
        middleware=[acknowledging, Listening(desk=desk, bus=bus)],
        subscriptions=bus,
        tools=[suite_content.schema_tool()],
    )
    for tool in (*Tools(workshop=workshop).all(), *suite_content.TOOLS, *suite_input.TOOLS):
        server.add_tool(tool, structured_output=False)
    suite_content.add_resources(server)
    suite_content.add_prompts(server)
    suite_input.add_prompt(server)
    return server


async def acknowledging(ctx, call_next):
    """Acknowledge what only the handshake era asks, and what has no place in `MCPServer`."""
    if ctx.method in ACKNOWLEDGED and ctx.protocol_version not in MODERN:
        return {}
    return await call_next(ctx)


def main():
    with tempfile.TemporaryDirectory() as directory:
        server = build(f"sqlite:///{Path(directory) / 'tasks.db'}")
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))


if __name__ == "__main__":
    main()
