"""The template server over HTTP and stdio, against the shop; its replicas share a file."""

import asyncio
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route

from mcp_servers.tasks.desk import Desk
from mcp_servers.tasks.mailroom import Mailroom, by_doorbell
from mcp_servers.tasks.sql import SqlStore
from mcp_servers.template.server import build, callback
from tests.support.asgi import serving
from tests.support.receiving import WHSEC
from tests.support.tasks_shop import TOKEN

ROOT = Path(__file__).parents[2]
UP = 30.0


@dataclass(frozen=True, kw_only=True)
class Served:
    url: str
    desk: Desk


@asynccontextmanager
async def template(path, shop_url, **changes):
    """One replica in this process."""
    store = SqlStore.open_at(f"sqlite:///{path / 'template.db'}")
    desk = replace(Desk(store=store), **changes)
    server = build(shop_url, TOKEN, desk)
    Mailroom(desk=desk, route=callback).mount(server, by_doorbell([WHSEC]))
    try:
        async with serving(server.streamable_http_app(stateless_http=True)) as url:
            yield Served(url=url, desk=desk)
    finally:
        store.close()


@asynccontextmanager
async def round_robin(*urls):
    """A balancer that sends each request to the next replica, whatever it's about."""
    turn, sent = cycle(urls), []
    async with httpx2.AsyncClient(timeout=30) as http, AsyncExitStack() as streams:

        async def forward(request):
            to = next(turn)
            sent.append(to)
            kept = {k: v for k, v in request.headers.items() if k not in {"host", "content-length"}}
            body = await request.body()
            stream = http.stream(
                request.method, f"{to}{request.url.path}", content=body, headers=kept
            )
            answer = await streams.enter_async_context(stream)
            headers = {"content-type": answer.headers.get("content-type", "text/plain")}
            return StreamingResponse(answer.aiter_raw(), answer.status_code, headers)

        routes = [Route("/{path:path}", forward, methods=["GET", "POST", "DELETE"])]
        async with serving(Starlette(routes=routes)) as url:
            yield url, sent


def settings(path, shop_url):
    """What the template server reads from its environment."""
    return {
        "SHOP_URL": shop_url,
        "SHOP_TOKEN": TOKEN,
        "TASKS_DATABASE": f"sqlite:///{path / 'template.db'}",
        "CALLBACK_SECRETS": WHSEC,
    }


def over_stdio(env, *extensions, flags=(), name="template"):
    """A client of a server as a child process."""
    child = StdioServerParameters(
        command=sys.executable, args=["-m", f"mcp_servers.{name}", *flags], env=env, cwd=ROOT
    )
    return Client(stdio_client(child), extensions=list(extensions), read_timeout_seconds=30)


@asynccontextmanager
async def process(env, port, name="template"):
    """A server as a process of its own on a port, killed when the block ends; yields it and its URL."""
    command = [sys.executable, "-m", f"mcp_servers.{name}", "--http", str(port)]
    child = await asyncio.create_subprocess_exec(*command, env=env, cwd=ROOT)
    try:
        await answers(port)
        yield child, f"http://127.0.0.1:{port}"
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


async def answers(port):
    """Wait until something listens on the port."""
    async with asyncio.timeout(UP):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                await writer.wait_closed()
                return
