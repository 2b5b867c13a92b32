"""An MCP server that wants OAuth client credentials, and its authorization server, on one port of this machine."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs

from mcp.server import MCPServer

from orchestrator.secrets import Secret
from orchestrator.servers import HttpServer, OAuth
from tests.support.asgi import serving

CLIENT, SECRET = "doorbell", "client-hunter22"


class Guarded:
    """`tokens` are those that were given out, `good` those that still open the door, `asked` what was asked for."""

    def __init__(self) -> None:
        self.url = ""
        self.issuer: str | None = None
        self.tokens: list[str] = []
        self.good: set[str] = set()
        self.asked: list[dict[str, list[str]]] = []
        self.expires_in = 3600
        self.refuses = False
        self.calls = 0
        self.held: asyncio.Event | None = None
        mcp = MCPServer("guarded", version="1")
        mcp.tool(name="whoami")(self._whoami)
        mcp.tool(name="together")(self._together)
        self.app = mcp.streamable_http_app(stateless_http=True, json_response=True)

    async def _whoami(self) -> str:
        self.calls += 1
        return f"you showed {self.tokens[-1]}"

    async def _together(self) -> str:
        """Answers when three of it are under way."""
        self.calls += 1
        assert self.held is not None
        if self.calls == 3:
            self.held.set()
        await self.held.wait()
        return "together"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif scope["path"].startswith("/.well-known/oauth-protected-resource"):
            issuer = self.issuer or self.url
            await _json(
                send, 200, {"resource": f"{self.url}/mcp", "authorization_servers": [issuer]}
            )
        elif scope["path"].startswith("/.well-known/"):
            await _json(send, 200, self._metadata())
        elif scope["path"] == "/token":
            await self._token(scope, receive, send)
        elif self._shown(scope) in self.good:
            await self.app(scope, receive, send)
        else:
            where = (
                f'Bearer resource_metadata="{self.url}/.well-known/oauth-protected-resource/mcp"'
            )
            await _json(send, 401, {"error": "invalid_token"}, where)

    def _metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "response_types_supported": ["code"],
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        }

    async def _token(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message.get("more_body", False)
        self.asked.append(parse_qs(body.decode()))
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if self.refuses or _header(scope, b"authorization") != f"Basic {basic}":
            await _json(send, 401, {"error": "invalid_client"})
            return
        token = f"secret-token-{len(self.tokens) + 1}"
        self.tokens.append(token)
        self.good.add(token)
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": self.expires_in}
        await _json(send, 200, answer)

    @staticmethod
    def _shown(scope: Any) -> str:
        return _header(scope, b"authorization").removeprefix("Bearer ")


@asynccontextmanager
async def guarded(scope: str | None = None) -> AsyncIterator[tuple[HttpServer, Guarded]]:
    app = Guarded()
    async with serving(app) as url:
        app.url = url
        oauth = OAuth(
            client_id=CLIENT,
            client_secret=Secret("env:CRM", SECRET),
            issuer=url,
            scope=scope,
        )
        yield HttpServer(name="crm", url=f"{url}/mcp", oauth=oauth), app


def _header(scope: Any, name: bytes) -> str:
    return dict(scope["headers"]).get(name, b"").decode()


async def _json(send: Any, status: int, value: Any, wants: str | None = None) -> None:
    headers = [(b"content-type", b"application/json")]
    if wants is not None:
        headers.append((b"www-authenticate", wants.encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(value).encode()})
