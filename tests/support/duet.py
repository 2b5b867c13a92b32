"""Two whole installations that watch one issue and answer every comment on it, over the whole road.

GitHub's stand-in takes their comments over HTTP and rings both doors with signed webhooks; behind each door stand its
own inbox, dispatcher, worker and hands, and one Temporal. Only the model is scripted: it answers once in every run.
"""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, fields, replace
from itertools import count
from pathlib import Path
from typing import Any

import httpx2

from orchestrator.demo import github_objects
from orchestrator.demo.github import stand_in
from orchestrator.demo.github_state import GitHubState
from orchestrator.demo.wire import ToolUse
from orchestrator.inbox.inbox import Action
from orchestrator.signatures import github
from tests.support.asgi import serving
from tests.support.github import TOKEN, delivery
from tests.support.house import SECRET, SOURCES, Files, House, house
from tests.support.installed import door_at
from tests.support.scripts import Turns, says, uses
from tests.support.town import Town

ANN = github_objects.user("ann", 7)
COMMENT = ToolUse("github__add_issue_comment", {"body": "You are right."})

SERVERS = """\
github:
  command: [PYTHON, -m, mcp_servers.github]
  env: {GITHUB_API_URL: "STAND_IN", GITHUB_TOKEN: WORTHLESS}
"""

RULE = """\
answer:
  id: HOUSE
  on: [github/issue_comment.created]
  run: work
  with:
    owner: "{{ event.repository.owner.login }}"
    repo: "{{ event.repository.name }}"
    number: "{{ event.issue.number }}"
  flow: {mode: parallel}
  trust: {bots: [BOTS], max_hops: HOPS}
  stage: live
"""

PLAYBOOK = """\
---
model: scripted-1
max_tokens: 1000
inputs: {owner: slug, repo: slug, number: integer}
tools: {github: [add_issue_comment]}
bind: {github: {owner: "{{ with.owner }}", repo: "{{ with.repo }}", issue_number: "{{ with.number }}"}}
writes: {github.add_issue_comment: {max: 1}}
budget: {tokens: 300k, turns: 5, tool_calls: 5}
---
You answer every comment on issue {{ with.number }}.
"""


@dataclass(slots=True, kw_only=True)
class Seen(GitHubState):
    """The repository as the API shows it to one account: everything is shared but who writes."""

    writer: dict[str, Any]

    @property
    def bot(self) -> dict[str, Any]:
        """The account that owns the token."""
        return self.writer


@dataclass(kw_only=True)
class Duet:
    """The issue, and both installations."""

    state: GitHubState
    homes: list[House]
    doors: list[str]
    http: httpx2.AsyncClient
    numbers: "count[int]"

    async def ring(self, name: str, payload: dict[str, Any]) -> None:
        """GitHub rings at every door, with a delivery of its own for each."""
        body = json.dumps(payload).encode()
        for door in self.doors:
            headers = {
                "content-type": "application/json",
                "x-github-event": name,
                "x-github-delivery": f"ring-{next(self.numbers)}",
                **github.sign(SECRET.encode(), body),
            }
            url = f"{door}/hooks/github"
            answer = await self.http.post(url, content=body, headers=headers)
            assert answer.status_code == 202, answer.text

    async def says(self, text: str) -> None:
        """Ann comments."""
        _, ring = self.state.comment(self.state.subject, ANN, text)
        await self.ring(*ring)

    @property
    def comments(self) -> list[dict[str, Any]]:
        return self.state.comments.get(self.state.subject, [])

    async def is_quiet(self) -> bool:
        """Whether everybody has heard everything, and nobody is still about to answer."""
        return all([await self._at_rest(home) for home in self.homes])

    async def _at_rest(self, home: House) -> bool:
        heard = await home.stores.inbox.entries(1_000)
        if len(heard) < len(self.comments) or await home.stores.inbox.waiting():
            return False
        decided = await home.stores.inbox.decisions([entry.id for entry in heard])
        starts = [one for found in decided.values() for one in found if one.action is Action.START]
        runs = await home.runs()
        return len(runs) == len(starts) and all(run["state"] == "ended" for run in runs)


@asynccontextmanager
async def duet(
    directory: Path, town: Town, logins: tuple[str, str], hops: int
) -> AsyncIterator[Duet]:
    """Bring both up, each under its login."""
    state = GitHubState.from_delivery(delivery("issues.opened"))
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx2.AsyncClient(timeout=20.0))
        both = Duet(state=state, homes=[], doors=[], http=http, numbers=count(1))
        for number, login in enumerate(logins):
            seen = _seen(state, github_objects.user(login, 100 + number))
            api = await stack.enter_async_context(serving(stand_in(seen, both.ring, TOKEN)))
            files = _files(login, logins, api, hops)
            script = Turns([uses(COMMENT), says()])
            home = directory / str(number)
            home.mkdir()
            one = await stack.enter_async_context(house(home, town, script, files))
            door = await stack.enter_async_context(
                door_at(one.stores.inbox, one.dispatcher.sources())
            )
            both.homes.append(one)
            both.doors.append(door)
        yield both


def _seen(state: GitHubState, writer: dict[str, Any]) -> Seen:
    shared = {one.name: getattr(state, one.name) for one in fields(GitHubState)}
    return Seen(**shared, writer=writer)


def _files(login: str, logins: tuple[str, str], api: str, hops: int) -> Files:
    named = ", ".join(f'"{one}"' for one in logins if one.endswith("[bot]"))
    return replace(
        Files(),
        sources=SOURCES.replace("doorbell-bot", f'"{login}"'),
        servers=SERVERS.replace("STAND_IN", api).replace("WORTHLESS", TOKEN),
        rule=RULE.replace("BOTS", named).replace("HOPS", str(hops)),
        playbook=PLAYBOOK,
    )
