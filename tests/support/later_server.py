"""An MCP server whose tools answer later, as a process: `later_server.py DIRECTORY [POLL [TTL]] PORT`; seconds both.

What it did is a line each in DIRECTORY/did. What becomes of the newest task is told by POST /tell.
"""

import json
import sys
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from uuid import uuid4

from mcp.server import MCPServer
from mcp.server.mcpserver import Context, Elicit, RequestStateSecurity, Resolve
from mcp.types import ToolAnnotations
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mcp_servers.tasks.desk import Asked, Desk, Opening
from mcp_servers.tasks.extension import TasksExtension
from mcp_servers.tasks.sql import SqlStore
from mcp_servers.tasks.states import Asks, Cancelled, Completed, Failed, Task, Working
from mcp_servers.tasks.store import Callback, Told, token_key
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

SAMPLING = {"method": "sampling/createMessage", "params": {"messages": [], "maxTokens": 10}}
KEYS = [b"the same for every process of it"]


class Paper(BaseModel):
    """What a person may choose."""

    paper: Literal["matt", "glossy"]


async def which_paper(body: str) -> Elicit[Paper]:
    """What is asked before anything is written."""
    return Elicit(f"Which paper for {body}?", Paper)


TOLD: Mapping[str, Callable[[str], Told]] = {
    "completed": said,
    "wrong": lambda text: said(text, is_error=True),
    "strange": lambda _: Completed(result={"resultType": "complete", "content": "no list"}),
    "failed": lambda text: Failed(code=-32001, message=text),
    "cancelled": lambda text: Cancelled(message=text),
    "working": lambda text: Working(message=text),
}


def build(directory: Path, poll: float, ttl: float | None) -> MCPServer[None]:
    """The server over what stands in this directory."""
    span = None if ttl is None else timedelta(seconds=ttl)
    store = SqlStore.open_at(f"sqlite:///{directory / 'later.db'}")
    desk = Desk(store=store, ttl=span, poll=timedelta(seconds=poll))

    def did(line: str) -> None:
        with (directory / "did").open("a", encoding="utf-8") as done:
            done.write(line + "\n")

    async def call_off(task: Task, _: object) -> None:
        did(f"called off {task.tool}")

    server = MCPServer(
        "later",
        extensions=[TasksExtension(desk, call_off=call_off)],
        request_state_security=RequestStateSecurity(keys=KEYS, ttl=86_400),
    )
    _asks_first(server, did)

    async def begin(what: str) -> str:
        async def ask(opening: Opening) -> Asked:
            did(what.splitlines()[0])
            _name(directory, opening.token)
            return Asked(keys=[], answer="at once", message="queued")

        return await desk.call(ask)

    @server.tool(structured_output=False)
    async def write_later(ctx: Context, body: str) -> str:
        """Write a thing, some time."""
        return await begin(f"write_later {body}")

    @server.tool(annotations=READS, structured_output=False)
    async def read_later(ctx: Context, name: str) -> str:
        """Read a thing, some time."""
        return await begin(f"read_later {name}")

    async def tell(request: Request) -> Response:
        told = await request.json()
        reception = await _told(desk, directory, told["how"], told.get("text", ""))
        return JSONResponse({"reception": reception})

    server.custom_route("/tell", methods=["POST"])(tell)
    return server


def _asks_first(server: MCPServer[None], did: Callable[[str], None]) -> None:
    @server.tool(structured_output=False)
    async def write_first(body: str, paper: Annotated[Paper, Resolve(which_paper)]) -> str:
        """Write a thing at once, when somebody has said on which paper."""
        did(f"write_first {body.splitlines()[0]} on {paper.paper}")
        return f"written on {paper.paper}"


def _name(directory: Path, token: str) -> None:
    newest = directory / "newest"
    if newest.exists():
        newest.rename(directory / "first")
    newest.write_text(token)


async def _told(desk: Desk, directory: Path, how: str, text: str) -> str:
    token = (directory / "newest").read_text()
    if how in {"asks", "samples", "heard"}:
        (task,) = [one for one in await desk.store.unfinished() if one.token == token]
        if how == "heard":
            return json.dumps(dict(task.responses))
        request = QUESTION if how == "asks" else SAMPLING
        return str(await desk.move(task.id, Asks(requests={text or "paper": request})))
    told = Callback(id=uuid4().hex, keys=[token_key(token)], told=TOLD[how](text))
    return str((await desk.receive(told)).reception)


if __name__ == "__main__":
    place, *spans = sys.argv[1:-1]
    seconds = [float(one) for one in spans]
    built = build(Path(place), *(seconds + [3600.0, 86400.0][len(seconds) :]))
    built.run("streamable-http", host="127.0.0.1", port=int(sys.argv[-1]), stateless_http=True)
