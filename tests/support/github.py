"""The GitHub hands and the GitHub stand-in joined over real HTTP; it knows both and nothing else of ours."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from mcp_servers.github.server import build
from orchestrator.demo.github import stand_in
from orchestrator.demo.github_state import GitHubState
from tests.support.asgi import serving
from tests.support.github_openapi import Recorded

ROOT = Path(__file__).parents[2]
DELIVERIES = ROOT / "tests" / "deliveries" / "github"
TOKEN = "ghp_ThisIsTheTokenNobodyMaySee"
NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
AT = {"owner": "Codertocat", "repo": "Hello-World"}


def delivery(name: str) -> dict[str, Any]:
    """One recorded payload."""
    return json.loads((DELIVERIES / f"{name}.json").read_text(encoding="utf-8"))


def opened() -> GitHubState:
    """GitHub just after the recorded issue was opened, with its clock stopped."""
    return GitHubState.from_delivery(delivery("issues.opened"), now=lambda: NOW)


@dataclass(kw_only=True)
class Peer:
    """The stand-in on a port, with all it was asked and all it rang."""

    state: GitHubState
    url: str
    recorded: Recorded
    rung: asyncio.Queue[tuple[str, dict[str, Any]]] = field(default_factory=asyncio.Queue)

    async def rings(self, count: int) -> list[tuple[str, dict[str, Any]]]:
        """The next webhooks, waited for."""
        return [await asyncio.wait_for(self.rung.get(), 10) for _ in range(count)]

    def client(self, token: str | None = TOKEN) -> httpx2.AsyncClient:
        """A plain HTTP client of the API."""
        return client(self.url, token)


def client(url: str, token: str | None = TOKEN) -> httpx2.AsyncClient:
    """A plain HTTP client of the API."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx2.AsyncClient(base_url=url, headers=headers)


@asynccontextmanager
async def github(state: GitHubState | None = None) -> AsyncIterator[Peer]:
    """The stand-in over real HTTP."""
    state = state or opened()
    rung: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()

    async def ring(event: str, payload: dict[str, Any]) -> None:
        rung.put_nowait((event, payload))

    recorded = Recorded(stand_in(state, ring, TOKEN))
    async with serving(recorded) as url:
        yield Peer(state=state, url=url, recorded=recorded, rung=rung)


def over_stdio(url: str, token: str | None = TOKEN) -> Client:
    """The hands as a child process, the way a playbook's server entry starts them."""
    env = {"GITHUB_API_URL": url} | ({"GITHUB_TOKEN": token} if token else {})
    child = StdioServerParameters(
        command=sys.executable, args=["-m", "mcp_servers.github"], env=env, cwd=ROOT
    )
    return Client(stdio_client(child), read_timeout_seconds=30)


def in_process(url: str, token: str | None = TOKEN) -> Client:
    """The same hands without a process of their own."""
    return Client(build(url, token))


async def told(client: Client, tool: str, **arguments: Any) -> Any:
    """The answer of a tool that must succeed."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content[0].text
    return json.loads(result.content[0].text)


async def refused(client: Client, tool: str, **arguments: Any) -> str:
    """The words of a tool that must fail."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error, result.content[0].text
    return result.content[0].text
