"""The design's own example: a pull request of Renovate's gets its label, through the real hands and without a model."""

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.demo.github_state import GitHubState
from tests.support.configurations import RENOVATE
from tests.support.github import NOW, ROOT, TOKEN, Peer, delivery, github
from tests.support.house import Files, House, house
from tests.support.scripts import Turns, says
from tests.support.town import Town

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(90)]

PLAYBOOK = "---\nmodel: MODEL\n---\nNobody runs this.\n"
NUMBER = 1


def acme(name: str) -> dict[str, Any]:
    """A recorded delivery, of acme/api."""
    text = json.dumps(delivery(name)).replace("Codertocat", "acme").replace("Hello-World", "api")
    found: dict[str, Any] = json.loads(text)
    return found


def renovates() -> dict[str, Any]:
    bot = {"login": "renovate[bot]", "id": 29139614, "type": "Bot"}
    return acme("pull_request.opened") | {"sender": bot, "number": NUMBER}


def files(url: str, rule: str = RENOVATE) -> Files:
    servers = (
        f"github:\n  command: [python, -m, mcp_servers.github]\n  directory: {ROOT}\n"
        f"  env: {{GITHUB_TOKEN: {TOKEN}, GITHUB_API_URL: {url}}}\n"
    )
    return Files(rule=rule, servers=servers, playbook=PLAYBOOK)


def labels(peer: Peer) -> list[str]:
    return [label["name"] for label in peer.state.issues[NUMBER]["labels"]]


async def rung(home: House) -> dict[str, Any]:
    await home.ring(renovates(), "pull_request")
    run = await home.ended()
    assert run["outcome"] == "completed"
    return run


async def test_the_example_of_the_design_previews_and_is_applied_by_a_person(
    tmp_path: Path, town: Town
) -> None:
    state, script = (
        GitHubState.from_delivery(acme("issues.opened"), now=lambda: NOW),
        Turns([says()]),
    )
    async with (
        github(state) as peer,
        house(tmp_path, town, script, files(peer.url)) as home,
    ):
        run = await rung(home)
        before = labels(peer)
        await home.say("apply", run["id"])
        await home.until(lambda: labels(peer) != before, "the label")
    (proposed,) = run["tool_calls"]
    assert (proposed["state"], proposed["arguments"]) == (
        "proposed",
        {
            "method": "update",
            "owner": "acme",
            "repo": "api",
            "issue_number": NUMBER,
            "labels": ["dependencies"],
        },
    )
    assert labels(peer) == ["dependencies"]
    assert script.asked == []


async def test_live_it_is_the_same_without_a_person(tmp_path: Path, town: Town) -> None:
    state = GitHubState.from_delivery(acme("issues.opened"), now=lambda: NOW)
    async with (
        github(state) as peer,
        house(
            tmp_path, town, Turns([says()]), files(peer.url, f"{RENOVATE}  stage: live\n")
        ) as home,
    ):
        run = await rung(home)
    assert [(call["tool"], call["state"]) for call in run["tool_calls"]] == [
        ("issue_write", "done")
    ]
    assert labels(peer) == ["dependencies"]
