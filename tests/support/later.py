"""A house whose server answers later, as a process that can be killed and started again on its port and its file.

async with later(tmp_path, town, script, poll=3600) as there:
    await there.home.ring(opened())
    await there.begun()
    await there.tells("completed", "written, at last")
"""

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from orchestrator.demo.wire import Script
from orchestrator.ledger import handles
from orchestrator.ledger.handles import Handle
from tests.support.house import Files, House, commented, house
from tests.support.lab import SUPPORT, until
from tests.support.ports import free_port
from tests.support.town import Town

PLAYBOOK = """\
---
model: MODEL
max_tokens: 1000
inputs: {number: integer}
tools: {later: [write_later, read_later, write_first]}
writes: {later.write_later: {max: 2}, later.write_first: {max: 2}}
waits:
  later.write_later: {for: "github/issue_comment.created", key: "issue:acme/api#{{ with.number }}", timeout: TIMEOUT}
budget: {usd: 5, tokens: 3000k, turns: 60, tool_calls: 90, open: 14d}
---
You look after issue {{ with.number }}.
"""
RULE = """\
work:
  id: HOUSE
  on: github/issues.opened
  run: work
  with: {number: "{{ event.issue.number }}"}
  key: "issue:{{ event.repository.full_name }}#{{ event.issue.number }}"
  stage: STAGE
"""


@dataclass(kw_only=True)
class Peer:
    """The server's process; `did` are the lines it wrote."""

    directory: Path
    port: int
    spans: tuple[float, ...]
    processes: "list[subprocess.Popen[bytes]]" = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def did(self) -> list[str]:
        written = self.directory / "did"
        return written.read_text().splitlines() if written.exists() else []

    async def start(self) -> None:
        self.directory.mkdir(exist_ok=True)
        line = [sys.executable, str(SUPPORT / "later_server.py"), str(self.directory)]
        line += [*map(str, self.spans), str(self.port)]
        with (self.directory / "said").open("ab") as said:
            self.processes.append(subprocess.Popen(line, stdout=said, stderr=said))  # noqa: ASYNC220
        await until(lambda: _listens(self.port))

    def kill(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        self.processes.clear()

    async def tells(self, how: str, text: str = "") -> str:
        """What becomes of the newest task; whether that changed anything."""
        async with httpx2.AsyncClient(timeout=30) as http:
            answer = await http.post(f"{self.url}/tell", json={"how": how, "text": text})
        return str(answer.json()["reception"])


@dataclass(kw_only=True)
class Later:
    """The installation and its server."""

    home: House
    peer: Peer

    async def begun(self) -> dict[str, Any]:
        """The only run, once it waits for its server."""
        return await self.home.one("waiting")

    async def hints(self, text: str = "look there") -> str:
        """The event comes that the playbook names; its id."""
        return await self.home.ring(commented(text), "issue_comment")

    async def handle(self) -> Handle:
        """The handle of the only call."""
        (run,) = await self.home.runs()
        (call,) = run["tool_calls"]
        found = await self.home.stores.ledger.read(handles.find, run["id"], call["id"])
        assert found is not None
        return found


@asynccontextmanager
async def peer_at(directory: Path, *spans: float) -> AsyncIterator[Peer]:
    """The server alone; `spans` are its poll interval and its ttl, in seconds."""
    peer = Peer(directory=directory, port=free_port(), spans=spans)
    try:
        await peer.start()
        yield peer
    finally:
        peer.kill()


@asynccontextmanager
async def later(
    directory: Path,
    town: Town,
    script: Script,
    *spans: float,
    working: bool = True,
    timeout: str = "10d",
    **changes: str,
) -> AsyncIterator[Later]:
    """Bring it up."""
    async with peer_at(directory / "later", *spans) as peer:
        playbook = PLAYBOOK.replace("TIMEOUT", timeout)
        servers = f"later:\n  url: {peer.url}/mcp\n  own_actor: false\n"
        files = Files(**{"servers": servers, "rule": RULE, "playbook": playbook} | changes)
        async with house(directory, town, script, files, working=working) as home:
            yield Later(home=home, peer=peer)


def _listens(port: int) -> bool:
    with httpx2.Client() as http:
        try:
            return http.get(f"http://127.0.0.1:{port}/").status_code > 0
        except httpx2.HTTPError:
            return False
