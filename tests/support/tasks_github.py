"""GitHub's stand-in with its workflows, our server on it with a mailroom, and GitHub's own signature."""

import hashlib
import hmac
import json
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import httpx2
from starlette.responses import JSONResponse, Response

from mcp_servers.github.server import build
from mcp_servers.github.told import by_github, callback
from mcp_servers.tasks.desk import Desk
from mcp_servers.tasks.mailroom import Door, Mailroom, by_doorbell
from mcp_servers.tasks.sql import SqlStore
from orchestrator.demo.github import stand_in
from tests.support.asgi import serving
from tests.support.github import TOKEN, opened
from tests.support.receiving import WHSEC

SIGNS = "GitHubsOwnSecret"
DISPATCH = re.compile(r"/repos/[^/]+/[^/]+/actions/workflows/([^/]+)/dispatches")
RUNS = re.compile(r"/repos/[^/]+/[^/]+/actions/runs/([0-9]+)")
CANCEL = re.compile(r"/repos/[^/]+/[^/]+/actions/runs/([0-9]+)/cancel")


@dataclass(kw_only=True)
class Peer:
    """What was dispatched and cancelled; `says_run` is off for an older GitHub Enterprise Server."""

    state: object
    url: str = ""
    desk: Desk | None = None
    says_run: bool = True
    lose: int = 0
    run: dict | None = None
    dispatched: list = field(default_factory=list)
    cancelled: list = field(default_factory=list)

    def app(self):
        async def ring(event, payload):
            """The tests ring themselves."""

        github = stand_in(self.state, ring, TOKEN)

        async def app(scope, receive, send):
            path = scope.get("path", "")
            if RUNS.fullmatch(path):
                answer = JSONResponse(self.run or {}, status_code=200 if self.run else 404)
            elif DISPATCH.fullmatch(path) or CANCEL.fullmatch(path):
                answer = await self._actions(path, receive)
            elif path.endswith("/deployments") and scope["method"] == "GET":
                answer = JSONResponse(list(self.state.deployments.values()))
            else:
                answer = partial(self._github, github)
            await answer(scope, receive, send)

        return app

    async def _github(self, github, scope, receive, send):
        await github(scope, receive, self._losing(scope, send))

    def _losing(self, scope, send):
        """Let a write happen and its answer be an error, as often as it's told to."""
        if scope.get("method") != "POST" or not self.lose:
            return send
        self.lose -= 1

        async def lost(message):
            changed = {"status": 502} if message["type"] == "http.response.start" else {}
            await send(message | changed)

        return lost

    async def _actions(self, path, receive):
        body = json.loads((await receive())["body"] or b"{}")
        if found := CANCEL.fullmatch(path):
            self.cancelled.append(int(found[1]))
            return JSONResponse({}, status_code=202)
        self.dispatched.append(body)
        if not self.says_run:
            return Response(status_code=204)
        number = 4_000_000_000 + len(self.dispatched)
        return JSONResponse({"workflow_run_id": number, "html_url": f"https://x/{number}"})


@asynccontextmanager
async def github(path, clock=None, **changes):
    """The stand-in, our server over HTTP; yields the peer with the server's URL and desk."""
    peer = Peer(state=opened(), **changes)
    store = SqlStore.open_at(f"sqlite:///{path / 'github.db'}")
    peer.desk = Desk(store=store) if clock is None else Desk(store=store, clock=clock)
    async with serving(peer.app()) as api:
        server = build(api, TOKEN, peer.desk)
        own = Door(path="/webhooks/github", secrets=[SIGNS], read=by_github)
        Mailroom(desk=peer.desk, route=callback).mount(server, by_doorbell([WHSEC]), own)
        try:
            async with serving(server.streamable_http_app(stateless_http=True)) as peer.url:
                yield peer
        finally:
            store.close()


async def rung(url, payload, event="", secret=SIGNS):
    """GitHub calls our server itself."""
    body = json.dumps(payload).encode()
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {"x-hub-signature-256": f"sha256={digest}", "x-github-event": event}
    async with httpx2.AsyncClient(timeout=30) as http:
        answer = await http.post(f"{url}/webhooks/github", content=body, headers=headers)
    return answer.status_code, answer.json()
