"""The demo's outside world: GitHub's stand-in, the scripted model, the hands' process, and `doorbell up` itself.

Everything is reached over real HTTP on free loopback ports. It knows no story: `story.py` tells it.
"""

import asyncio
import json
import os
import secrets
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2

from orchestrator import tether
from orchestrator.demo import installation
from orchestrator.demo.github import stand_in
from orchestrator.demo.github_state import BOT_ID, BOT_LOGIN, GitHubState
from orchestrator.demo.messages import messages_app
from orchestrator.demo.script import TriageScript
from orchestrator.doorbell.listening import listening
from orchestrator.errors import OperatorError
from orchestrator.settings import environment
from orchestrator.signatures import github
from orchestrator.state import StateDirectory
from orchestrator.stores import Stores

HOST = "127.0.0.1"
TURN = 1.2
"""Seconds a scripted turn takes, so that there is something to kill."""

BOOT = 45.0
PASSED_ON = frozenset({"PATH", "HOME", "LANG", "TMPDIR"})
TOKEN = "demo-token"  # noqa: S105 - the stand-in's, worth nothing elsewhere


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """Which model answers: Claude with a key, or the script. `name` stands in the playbook."""

    name: str
    key: str | None
    base_url: str | None = None

    @property
    def scripted(self) -> bool:
        """Whether the script answers."""
        return self.key is None


@dataclass(kw_only=True, slots=True)
class World:
    """Everything the story touches."""

    state: StateDirectory
    stores: Stores
    github: GitHubState | None
    http: httpx2.AsyncClient
    secret: str
    url: str
    namespace: str
    temporal_ui: str
    up: Process
    rung: list[str] = field(default_factory=list)

    async def ring(
        self, name: str, payload: Mapping[str, Any], delivery_id: str
    ) -> httpx2.Response:
        """Send a delivery as GitHub does: JSON, signed, with its id and event name in headers."""
        body = json.dumps(payload).encode()
        signed = github.sign(self.secret.encode(), body)
        headers = {
            "content-type": "application/json",
            "x-github-event": name,
            "x-github-delivery": delivery_id,
            **signed,
        }
        return await self.http.post(f"{self.url}/hooks/github", content=body, headers=headers)

    def kill_worker(self) -> int:
        """SIGKILL the worker; returns the process id it had."""
        pid = self.state.pids()["worker"]
        os.kill(pid, signal.SIGKILL)
        return pid


@asynccontextmanager
async def world(
    directory: Path, payload: Mapping[str, Any], model: Model, stage: str
) -> AsyncIterator[World]:
    """Bring everything up, and take it down again in order."""
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx2.AsyncClient(timeout=20.0))
        secret = secrets.token_hex(20)
        ringing = _Bell(http=http, secret=secret)
        known = GitHubState.from_delivery(dict(payload)) if "issue" in payload else None
        hands = await _hands(stack, known, ringing)
        settled = await _model(stack, model)
        facts = installation.Facts(
            github_url=hands, bot_id=BOT_ID, bot_login=BOT_LOGIN, model=model.name, stage=stage
        )
        await asyncio.to_thread(installation.write, directory / "doorbell.d", facts)
        told = {"GITHUB_WEBHOOK_SECRET": secret, **settled}
        up, announced = await _up(stack, directory, told)
        ringing.url = announced["url"]
        state = StateDirectory(directory / "state")
        stores = Stores.open(state, None)
        stack.callback(stores.close)
        yield World(
            state=state,
            stores=stores,
            github=known,
            http=http,
            secret=secret,
            url=announced["url"],
            namespace="default",
            temporal_ui=announced["temporal_ui"],
            up=up,
            rung=ringing.rung,
        )


@dataclass(kw_only=True, slots=True)
class _Bell:
    """GitHub's side of the webhook: it rings for every write, as GitHub really does."""

    http: httpx2.AsyncClient
    secret: str
    url: str = ""
    rung: list[str] = field(default_factory=list)

    async def __call__(self, name: str, payload: dict[str, Any]) -> None:
        body = json.dumps(payload).encode()
        headers = {
            "content-type": "application/json",
            "x-github-event": name,
            "x-github-delivery": f"echo-{secrets.token_hex(8)}",
            **github.sign(self.secret.encode(), body),
        }
        await self.http.post(f"{self.url}/hooks/github", content=body, headers=headers)
        self.rung.append(f"{name}.{payload.get('action')}")


async def _hands(stack: AsyncExitStack, known: GitHubState | None, bell: _Bell) -> str:
    """The GitHub hands over Streamable HTTP, pointed at the stand-in."""
    api = free_port()
    if known is not None:
        await stack.enter_async_context(listening(stand_in(known, bell, TOKEN), HOST, api))
    port = free_port()
    hands = [sys.executable, "-m", "mcp_servers.github", "--http", str(port), "--host", HOST]
    command = [*tethered(), *hands]
    told = {"GITHUB_API_URL": f"http://{HOST}:{api}", "GITHUB_TOKEN": TOKEN, "PATH": os.defpath}
    process = await asyncio.create_subprocess_exec(
        *command, env=told, stdout=DEVNULL, stderr=DEVNULL
    )
    stack.push_async_callback(_ended, process)
    await _answering(port, "the GitHub hands")
    return f"http://{HOST}:{port}/mcp"


async def _model(stack: AsyncExitStack, model: Model) -> dict[str, str]:
    if model.key is not None:
        base = {"ANTHROPIC_BASE_URL": model.base_url} if model.base_url else {}
        return {"ANTHROPIC_API_KEY": model.key, **base}
    port = free_port()
    scripted = messages_app(TriageScript(delay=TURN), now=lambda: datetime.now(UTC))
    await stack.enter_async_context(listening(scripted, HOST, port))
    return {
        "ANTHROPIC_API_KEY": "scripted",
        "ANTHROPIC_BASE_URL": f"http://{HOST}:{port}",
        "DOORBELL_SCRIPTED": "true",
    }


async def _up(
    stack: AsyncExitStack, directory: Path, told: Mapping[str, str]
) -> tuple[Process, dict[str, Any]]:
    inherited = {name: value for name, value in environment().items() if name in PASSED_ON}
    log = await asyncio.to_thread((directory / "up.log").open, "ab")
    stack.callback(log.close)
    flags = ["--port", "0", "--json", "--config", "doorbell.d", "--state", "state"]
    command = [*tethered(), sys.executable, "-m", "orchestrator", "up", *flags]
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=directory,
        env={**inherited, **told},
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=log,
        start_new_session=True,
    )
    stack.push_async_callback(_ended, process)
    try:
        line = await asyncio.wait_for(
            process.stdout.readline() if process.stdout else _nothing(), BOOT
        )
        announced: dict[str, Any] = json.loads(line)
    except (TimeoutError, ValueError) as error:
        raise OperatorError(f"`doorbell up` did not come up; see {directory / 'up.log'}") from error
    return process, announced


async def _nothing() -> bytes:
    return b""


async def _answering(port: int, what: str) -> None:
    for _ in range(300):
        with suppress(OSError):
            _, writer = await asyncio.open_connection(HOST, port)
            writer.close()
            return
        await asyncio.sleep(0.1)
    raise OperatorError(f"{what} did not come up on port {port}")


async def _ended(process: Process) -> None:
    if process.returncode is None:
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), 60.0)
    except TimeoutError:
        process.kill()
        await process.wait()


def tethered() -> list[str]:
    """The words before a command that make it die with us."""
    return [sys.executable, "-I", tether.__file__, str(os.getpid()), "--"]


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
