"""Slack and Shopify as far as our servers ask them, built from their documented shapes, and how they sign."""

import base64
import hashlib
import hmac
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlencode

import httpx2
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from mcp_servers.tasks.desk import Desk
from mcp_servers.tasks.mailroom import Door, Mailroom, by_doorbell
from mcp_servers.tasks.sql import SqlStore
from tests.support.asgi import serving
from tests.support.receiving import WHSEC

SECRET = "TheVendorsOwnSecret"
TOKEN = "token_NobodyMaySee"


@dataclass(kw_only=True)
class Vendor:
    """Answers by name what it's told to, and remembers what it was asked."""

    answers: dict[str, list] = field(default_factory=dict)
    asked: list[tuple] = field(default_factory=list)
    headers: list = field(default_factory=list)

    def app(self):
        return Starlette(routes=[Route("/{path:path}", self._answer, methods=["GET", "POST"])])

    async def _answer(self, request):
        body = await request.body()
        given = json.loads(body) if body else dict(request.query_params)
        name = request.path_params["path"]
        if "query" in given:
            name = given["query"].split("(")[0].split()[-1]
            given = given["variables"]
        self.asked.append((name, given))
        self.headers.append(dict(request.headers))
        ready = self.answers[name]
        answer = ready.pop(0) if len(ready) > 1 else ready[0]
        status = answer if isinstance(answer, int) else 200
        return JSONResponse({} if isinstance(answer, int) else answer, status_code=status)

    def of(self, name):
        return [given for asked, given in self.asked if asked == name]


@dataclass(frozen=True, kw_only=True)
class Served:
    url: str
    desk: Desk
    peer: Vendor


@asynccontextmanager
async def hands(path, name, build, callback, read, follow=None, **answers):
    """One of our servers over HTTP, its vendor behind it."""
    peer = Vendor(answers=answers)
    store = SqlStore.open_at(f"sqlite:///{path / f'{name}.db'}")
    desk = Desk(store=store)
    async with serving(peer.app()) as api:
        server = build(api, TOKEN, desk)
        own = Door(path=f"/webhooks/{name}", secrets=[SECRET], read=read)
        room = Mailroom(desk=desk, route=callback, follow=follow)
        room.mount(server, by_doorbell([WHSEC]), own)
        try:
            async with serving(server.streamable_http_app(stateless_http=True)) as url:
                yield Served(url=url, desk=desk, peer=peer)
        finally:
            store.close()


def slack_signed(body, secret=SECRET, at=None):
    stamp = str(int((at or datetime.now(UTC)).timestamp()))
    digest = hmac.new(secret.encode(), f"v0:{stamp}:".encode() + body, hashlib.sha256).hexdigest()
    return {"x-slack-request-timestamp": stamp, "x-slack-signature": f"v0={digest}"}


def form(payload):
    """An interaction as Slack sends it."""
    return urlencode({"payload": json.dumps(payload)}).encode()


def shopify_signed(body, topic="", secret=SECRET):
    digest = base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode()
    return {"x-shopify-hmac-sha256": digest, "x-shopify-topic": topic}


async def post(url, body, headers):
    async with httpx2.AsyncClient(timeout=30) as http:
        answer = await http.post(url, content=body, headers=headers)
    return answer.status_code, answer.json()
