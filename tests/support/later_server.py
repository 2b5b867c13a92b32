"""An MCP server whose tools answer later, as a process: `later_server.py DIRECTORY [POLL [TTL]] PORT`; seconds both.

What it did is a line each in DIRECTORY/did. What becomes of the newest task is told by POST /tell.
"""

import sys
from datetime import timedelta
from pathlib import Path

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.types import ToolAnnotations
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mcp_servers.tasks.desk import Asked, Desk, Opening
from mcp_servers.tasks.extension import TasksExtension
from mcp_servers.tasks.sql import SqlStore
from mcp_servers.tasks.states import Asks, Cancelled, Change, Completed, Failed, Task, Working
from mcp_servers.tasks.wire import said

READS = ToolAnnotations(read_only_hint=True)
QUESTION = {
    "method": "elicitation/create",
    "params": {
        "mode": "form",
        "message": "Which paper?",
        "requestedSchema": {
            "type": "object",
            "properties": {"paper": {"type": "string", "enum": ["matt", "glossy"]}},
            "required": ["paper"],
        },
    },
}


def build(directory: Path, poll: float, ttl: float | None) -> MCPServer[None]:
    """The server over what stands in this directory."""
    span = None if ttl is None else timedelta(seconds=ttl)
    store = SqlStore.open_at(f"sqlite:///{directory / 'later.db'}")
    desk = Desk(store=store, ttl=span, poll=timedelta(seconds=poll))
    made: list[str] = []

    def did(line: str) -> None:
        with (directory / "did").open("a", encoding="utf-8") as done:
            done.write(line + "\n")

    async def call_off(task: Task, _: object) -> None:
        did(f"called off {task.tool}")

    server = MCPServer("later", extensions=[TasksExtension(desk, call_off=call_off)])

    async def begin(what: str) -> str:
        async def ask(opening: Opening) -> Asked:
            did(what)
            (directory / "newest").write_text(opening.token)
            return Asked(keys=[f"made:{opening.token}"], answer="at once", message="queued")

        return await desk.call(ask)

    @server.tool(structured_output=False)
    async def write_later(ctx: Context, body: str) -> str:  # noqa: ARG001 - its caller stands in it
        """Write a thing, some time."""
        return await begin(f"write_later {body}")

    @server.tool(annotations=READS, structured_output=False)
    async def read_later(ctx: Context, name: str) -> str:  # noqa: ARG001 - its caller stands in it
        """Read a thing, some time."""
        return await begin(f"read_later {name}")

    @server.custom_route("/tell", methods=["POST"])
    async def tell(request: Request) -> Response:
        told = await request.json()
        made.append(told["how"])
        moved = await _told(desk, directory, told["how"], told.get("text", ""))
        return JSONResponse({"moved": moved})

    return server


async def _told(desk: Desk, directory: Path, how: str, text: str) -> bool:
    token = (directory / "newest").read_text()
    task = await desk.store.by_token(token)
    return await desk.move(task.id, _change(how, text))


def _change(how: str, text: str) -> Change:
    match how:
        case "completed":
            return said(text)
        case "wrong":
            return said(text, is_error=True)
        case "strange":
            return Completed(result={"resultType": "complete", "content": "no list"})
        case "failed":
            return Failed(code=-32001, message=text)
        case "cancelled":
            return Cancelled(message=text)
        case "asks":
            return Asks(requests={"paper": QUESTION})
        case _:
            return Working(message=text)


if __name__ == "__main__":
    place, *spans = sys.argv[1:-1]
    seconds = [float(one) for one in spans]
    built = build(Path(place), *(seconds + [3600.0, 86400.0][len(seconds) :]))
    built.run("streamable-http", host="127.0.0.1", port=int(sys.argv[-1]), stateless_http=True)
