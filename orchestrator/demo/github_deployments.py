"""Deployments of the GitHub stand-in: asked for through the API, carried out by somebody else; it speaks no HTTP.

A deployment rings when it is asked for, and again with each status that its runner posts.
"""

import copy
import hashlib
from collections.abc import Mapping
from typing import Any, Final

from orchestrator.demo import github_objects as objects
from orchestrator.demo.github_objects import API, Object
from orchestrator.demo.github_state import GitHubState, Ring

RUNNER: Final = objects.user("github-actions[bot]", 41898282)
"""Who deploys, and says how it goes."""

FIELDS: Final = ("ref", "task", "payload", "environment", "description")


def ask(state: GitHubState, fields: Mapping[str, Any]) -> tuple[Object, Ring]:
    """A new deployment by the bot, and the webhook of it."""
    repository, at = state.repository, objects.stamp(state.now())
    number = 145_988_746 + len(state.deployments)
    url = f"{API}/repos/{repository['full_name']}/deployments/{number}"
    environment = fields.get("environment", "production")
    made: Object = {
        "url": url,
        "id": number,
        "node_id": f"DE_{number}",
        "sha": hashlib.sha1(fields["ref"].encode(), usedforsecurity=False).hexdigest(),
        "task": "deploy",
        "payload": {},
        "description": None,
        **{name: fields[name] for name in FIELDS if name in fields},
        "original_environment": environment,
        "environment": environment,
        "creator": state.bot,
        "created_at": at,
        "updated_at": at,
        "statuses_url": f"{url}/statuses",
        "repository_url": f"{API}/repos/{repository['full_name']}",
        "transient_environment": fields.get("transient_environment", False),
        "production_environment": fields.get("production_environment", environment == "production"),
        "performed_via_github_app": None,
    }
    state.deployments[number] = made
    payload = {"action": "created", "deployment": made}
    payload |= {"repository": repository, "sender": state.bot}
    return made, ("deployment", copy.deepcopy(payload))


def status(state: GitHubState, number: int, word: str) -> Ring:
    """What the runner says of a deployment (`in_progress`, `success`, `failure`, ...), as the webhook of it."""
    deployment, at = state.deployments[number], objects.stamp(state.now())
    identity = objects.invented_id(f"{number}:{word}")
    told = {
        "url": f"{deployment['statuses_url']}/{identity}",
        "id": identity,
        "node_id": f"DES_{identity}",
        "state": word,
        "creator": RUNNER,
        "description": "",
        "environment": deployment["environment"],
        "target_url": "",
        "created_at": at,
        "updated_at": at,
        "deployment_url": deployment["url"],
        "repository_url": deployment["repository_url"],
    }
    payload = {"action": "created", "deployment_status": told, "deployment": deployment}
    payload |= {"repository": state.repository, "sender": RUNNER}
    return "deployment_status", copy.deepcopy(payload)
