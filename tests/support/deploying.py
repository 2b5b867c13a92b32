"""The design's own example of a call that is answered later: a deployment, from the real hands to a signed webhook.

async with deploying(tmp_path, town, script) as there:
    await there.starts()
    await there.says("success")
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from orchestrator.demo import github_deployments
from orchestrator.demo.github_state import GitHubState, Ring
from orchestrator.demo.wire import Script, ToolUse
from orchestrator.ledger import waits
from orchestrator.signatures import github as signature
from tests.support.github import NOW, ROOT, TOKEN, Peer, delivery, github
from tests.support.house import SECRET, Files, House, house
from tests.support.installed import door_at
from tests.support.town import Town

RULE = """\
deploy:
  id: HOUSE
  on: github/issues.opened
  run: work
  with: {owner: "{{ event.repository.owner.login }}", name: "{{ event.repository.name }}", ref: main}
  key: "issue:{{ event.repository.full_name }}#{{ event.issue.number }}"
  stage: STAGE
"""
PLAYBOOK = """\
---
model: MODEL
inputs: {owner: slug, name: slug, ref: slug}
tools: {github: [create_deployment]}
bind: {github: {owner: "{{ with.owner }}", repo: "{{ with.name }}", ref: "{{ with.ref }}"}}
writes: {github.create_deployment: {max: 1}}
waits:
  github.create_deployment: {for: "github/deployment_status.*", key: "deployment:{{ result.id }}",
    until: "event.deployment_status.state in ['success', 'failure', 'error']", timeout: 2h}
budget: {usd: 0.30, open: 1d}
---
Deploy {{ with.ref }} of {{ with.owner }}/{{ with.name }}.
"""
DEPLOY = ToolUse("github__create_deployment", {})


@dataclass(kw_only=True)
class Deploying:
    """The installation, GitHub, and the door between them."""

    home: House
    peer: Peer
    door: str
    rung: list[str] = field(default_factory=list)

    async def starts(self) -> None:
        """An issue is opened."""
        await self.knock(("issues", acme("issues.opened")))

    async def says(self, word: str, number: int | None = None) -> str:
        """Whoever deploys says how it goes; the event's id."""
        chosen = next(reversed(self.peer.state.deployments)) if number is None else number
        return await self.knock(github_deployments.status(self.peer.state, chosen, word))

    async def deployed(self, count: int = 1) -> None:
        """Until so many deployments were asked for."""
        await self.home.until(lambda: len(self.peer.state.deployments) >= count, "a deployment")

    async def knock(self, ring: Ring) -> str:
        """One webhook, signed by GitHub and received by the real door."""
        name, payload = ring
        body = json.dumps(payload).encode()
        identity = f"knock-{len(self.rung)}"
        headers = {"x-github-event": name, "x-github-delivery": identity}
        signed = headers | signature.sign(SECRET.encode(), body)
        async with httpx2.AsyncClient(timeout=30) as http:
            answer = await http.post(f"{self.door}/hooks/github", content=body, headers=signed)
        assert answer.status_code == 202, answer.text
        self.home.dispatcher.poke()
        self.rung.append(str(answer.json()["event"]))
        return self.rung[-1]

    async def reasons(self, event_id: str) -> list[str]:
        """What was decided about an event, once that was."""

        async def look() -> list[str]:
            found = await self.home.stores.inbox.decisions([event_id])
            return [f"{one.action}: {one.reason}" for one in found[event_id]]

        told: list[str] = await self.home.until(look, "a decision")
        return told

    async def ends(self) -> list[str]:
        """How the waits of the only run ended."""
        (run,) = await self.home.runs()
        return [one.state for one in await self.home.stores.ledger.read(waits.of_run, run["id"])]


def acme(name: str) -> dict[str, Any]:
    """A recorded delivery, of acme/api."""
    text = json.dumps(delivery(name)).replace("Codertocat", "acme").replace("Hello-World", "api")
    found: dict[str, Any] = json.loads(text)
    return found


def files(url: str, **changes: str) -> Files:
    """The configuration of the example, over the stand-in at this address."""
    servers = (
        f"github:\n  command: [python, -m, mcp_servers.github]\n  directory: {ROOT}\n"
        f"  env: {{GITHUB_TOKEN: {TOKEN}, GITHUB_API_URL: {url}}}\n"
        # So that a worker which is held at a call is held at the deployment.
        "  own_actor: false\n"
    )
    return Files(**{"rule": RULE, "servers": servers, "playbook": PLAYBOOK} | changes)


@asynccontextmanager
async def deploying(
    directory: Path, town: Town, script: Script, *, working: bool = True, **changes: str
) -> AsyncIterator[Deploying]:
    """Bring it up."""
    state = GitHubState.from_delivery(acme("issues.opened"), now=lambda: NOW)
    async with (
        github(state) as peer,
        house(directory, town, script, files(peer.url, **changes), working=working) as home,
        door_at(home.stores.inbox, home.dispatcher.sources()) as door,
    ):
        yield Deploying(home=home, peer=peer, door=door)
