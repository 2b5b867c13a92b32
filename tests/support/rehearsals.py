"""An installation whose one run wrote something, and `doorbell rehearse` over it: real hands, a real Messages server.

The counting server tells what was really executed. The earlier run is played live, by the loop without Temporal.
"""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from orchestrator.agent.hands.pool import Hands
from orchestrator.agent.means import Means
from orchestrator.agent.model import Claude
from orchestrator.demo.messages import messages_app
from orchestrator.dispatch.decide import decide
from orchestrator.inbox.inbox import Action, event_of
from orchestrator.stores import configuration_reader
from tests.support.asgi import serving
from tests.support.builders import AT, NOW, comment, known
from tests.support.driven import driven
from tests.support.installed import Installed
from tests.support.lab import until
from tests.support.ports import free_port
from tests.support.scripts import Part, Turns

SERVER = Path(__file__).with_name("counting_server.py")
EVENT = "evt_1"
SOURCES = "github: {scheme: github, secrets: [env:SECRET]}\n"
SERVERS = """\
lab:
  url: URL
  headers: {x-count: HERE/count}
"""
RULE = """\
triage:
  on: [github/issue_comment.created]
  run: triage
  with: {number: "{{ event.issue.number }}"}
  key: "issue:{{ event.issue.number }}"
  stage: live
"""
PLAYBOOK = """\
---
model: claude-sonnet-5-5
max_tokens: 1000
inputs: {number: integer}
tools: {lab: [read_thing, write_thing]}
writes: {lab.write_thing: {max: 1}}
budget: {usd: 0.75, turns: 6, tool_calls: 9}
---
You look after issue {{ with.number }}.
"""


@dataclass(frozen=True)
class Rehearsals:
    """What a test has in hand: the directory, and the address of nothing but loopback."""

    path: Path

    @property
    def there(self) -> Installed:
        return Installed(self.path / "state")

    @property
    def executed(self) -> list[str]:
        """What the server did, in order."""
        return (self.path / "count").read_text(encoding="utf-8").splitlines()

    def playbook(self, before: str, after: str, name: str = "triage") -> None:
        """Edit the playbook of today, or make another one of it."""
        text = (self.path / "doorbell.d" / "playbooks" / "triage.md").read_text(encoding="utf-8")
        assert before in text
        changed = text.replace(before, after)
        (self.path / "doorbell.d" / "playbooks" / f"{name}.md").write_text(changed, "utf-8")

    async def ran(self, *replies: Part) -> str:
        """A live run of the event; its id."""
        async with _answering(replies) as (url, _):
            return await asyncio.to_thread(self._ran, url)

    def _ran(self, url: str) -> str:
        configuration = configuration_reader(self.path / "doorbell.d", {"SECRET": "x" * 20})()
        assert not configuration.mistakes, configuration.mistakes

        async def act(stores: Any) -> str:
            entry = await stores.inbox.entry(EVENT)
            event = event_of(entry, json.loads(entry.body))
            decisions = decide(event, entry.position, known(*configuration.rules))
            await stores.inbox.decide(EVENT, decisions, NOW)
            (started,) = [one for one in decisions if one.action is Action.START]
            hands = Hands(configuration.servers, environment={"PATH": os.defpath})
            model = Claude("scripted", url)
            means = Means(
                inbox=stores.inbox,
                ledger=stores.ledger,
                model=model,
                hands=hands,
                configuration=lambda: configuration,
                now=lambda: AT,
                scripted=True,
            )
            try:
                return await driven(means, started)
            finally:
                await hands.close()
                await model.close()

        return self.there.use(act)

    async def rehearse(self, *words: str, replies: Sequence[Part]) -> tuple[Result, Turns]:
        """`doorbell rehearse WORDS`, with this model."""
        async with _answering(replies) as (url, script):
            with pytest.MonkeyPatch.context() as patched:
                patched.setenv("ANTHROPIC_BASE_URL", url)
                patched.setenv("ANTHROPIC_API_KEY", "sk-scripted-key")
                patched.setenv("SECRET", "x" * 20)
                patched.chdir(self.path)
                result = await asyncio.to_thread(self.there.doorbell, "rehearse", *words)
        return result, script


@asynccontextmanager
async def _answering(replies: Sequence[Part]) -> AsyncIterator[tuple[str, Turns]]:
    script = Turns(replies)
    async with serving(messages_app(script, now=lambda: NOW)) as url:
        yield url, script


@contextmanager
def counting() -> Iterator[str]:
    """One counting server for many installations; its URL. Each names the file that it is to count in."""
    port = free_port()
    command = [sys.executable, str(SERVER), str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        asyncio.run(until(lambda: _listening(port)))
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.kill()
        process.wait()


def rehearsals_at(path: Path, url: str) -> Rehearsals:
    """The installation, with its event kept and nothing decided; `url` is the counting server's."""
    files = path / "doorbell.d"
    (files / "rules").mkdir(parents=True)
    (files / "playbooks").mkdir()
    (path / "count").touch()
    servers = SERVERS.replace("URL", url).replace("HERE", str(path))
    (files / "sources.yaml").write_text(SOURCES, encoding="utf-8")
    (files / "servers.yaml").write_text(servers, encoding="utf-8")
    (files / "rules" / "all.yaml").write_text(RULE, encoding="utf-8")
    (files / "playbooks" / "triage.md").write_text(PLAYBOOK, encoding="utf-8")
    made = Rehearsals(path)
    made.there.only_kept(comment(EVENT))
    return made


def _listening(port: int) -> bool:
    with suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 0.2).close()
        return True
    return False
