"""The lab servers as tests reach them: fixtures, and what can be seen from the servers' side."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from orchestrator.agent.hands.definitions import Answered
from orchestrator.agent.hands.pool import Hands
from orchestrator.servers import HttpServer, Server, StdioServer
from tests.support.ports import free_port

ROOT = Path(__file__).parents[2]
SUPPORT = ROOT / "tests" / "support"
OURS = {"PATH": os.defpath, "HOME": "/nowhere", "AWS_SECRET_ACCESS_KEY": "must-not-leak"}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "lab.log"


@pytest.fixture
def lab(log: Path) -> StdioServer:
    return StdioServer(
        name="lab", command=(sys.executable, str(SUPPORT / "lab_server.py"), str(log))
    )


@pytest.fixture
def old(log: Path) -> StdioServer:
    script = str(SUPPORT / "old_lab_server.py")
    return StdioServer(name="old", command=(sys.executable, script, str(log)))


@pytest.fixture
def mute(tmp_path: Path) -> StdioServer:
    script = f"import os,time; open({str(tmp_path / 'mute')!r},'w').write(str(os.getpid())); time.sleep(600)"
    return StdioServer(name="mute", command=(sys.executable, "-c", script))


@asynccontextmanager
async def reaching(*servers: Server, **options: Any) -> AsyncIterator[Hands]:
    hands = Hands({server.name: server for server in servers}, environment=OURS, **options)
    try:
        yield hands
    finally:
        await hands.close()


@asynccontextmanager
async def over_http(log: Path) -> AsyncIterator[tuple[HttpServer, subprocess.Popen[bytes]]]:
    async with _running(str(SUPPORT / "lab_server.py"), str(log)) as (url, process):
        yield HttpServer(name="lab", url=url), process


@asynccontextmanager
async def serving_at(script: str, *arguments: str, port: int = 0) -> AsyncIterator[str]:
    """A server's program with these arguments and a port behind them; yields its URL."""
    async with _running(script, *arguments, port=port) as (url, _):
        yield url


@asynccontextmanager
async def _running(
    script: str, *arguments: str, port: int = 0
) -> AsyncIterator[tuple[str, subprocess.Popen[bytes]]]:
    port = port or free_port()
    command = [sys.executable, script, *arguments, str(port)]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, stdout=quiet, stderr=quiet)  # noqa: ASYNC220
    try:
        await until(lambda: _listening(port))
        yield f"http://127.0.0.1:{port}/mcp", process
    finally:
        process.kill()
        process.wait()


@asynccontextmanager
async def lab_over(transport: str, lab: StdioServer, log: Path) -> AsyncIterator[Server]:
    if transport == "stdio":
        yield lab
        return
    async with over_http(log) as (server, _):
        yield server


def _listening(port: int) -> bool:
    with suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 0.2).close()
        return True
    return False


async def until(seen: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not seen():  # noqa: ASYNC110 - another process can't set an Event
            await asyncio.sleep(0.01)


def lines(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []


def pids(log: Path) -> list[int]:
    return [int(line.split()[1]) for line in lines(log) if line.startswith("pid ")]


def dead(pid: int) -> bool:
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


async def ask(hands: Hands, server: str, tool: str, deadline: float = 20, **arguments: Any) -> Any:
    return await hands.call(server, tool, arguments, deadline=deadline, key="run-1/call-1")


def text(outcome: Any) -> str:
    assert isinstance(outcome, Answered), outcome
    return "\n".join(block.get("text", f"[{block['type']}]") for block in outcome.content)
