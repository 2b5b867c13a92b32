"""Ring our own door: what the CLI has to say is a signed delivery like any other."""

import json
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from getpass import getuser
from typing import Any

import httpx2

from orchestrator.errors import OperatorError
from orchestrator.signatures import standard_webhooks
from orchestrator.sources.operator import NAMES
from orchestrator.sources.source import OPERATOR
from orchestrator.state import StateDirectory

PATIENCE = 10.0


def say(
    state: StateDirectory, kind: str, named: str, more: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Say something of `sources.operator.NAMES`, such as `run.resume`, about an id or name; returns the door's receipt.

    Raises OperatorError when the service isn't up: it is the one that writes the inbox.
    """
    addresses = state.addresses()
    if addresses is None:
        raise OperatorError(
            "the service is not running here: start it with `doorbell up`, then say it again"
        )
    said = {"type": kind, NAMES[kind]: named, "by": getuser(), **(more or {})}
    body = json.dumps(said).encode()
    identity = f"cli-{secrets.token_hex(8)}"
    now = datetime.now(UTC)
    signed = standard_webhooks.sign(state.operator_secret(), identity, body, now)
    headers = {"content-type": "application/json", **signed}
    status, receipt = post(f"{addresses.url}/hooks/{OPERATOR}", body, headers)
    if status != httpx2.codes.ACCEPTED:
        raise OperatorError(f"the door answered {status}: {receipt}")
    return receipt


def post(url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
    """Ring; the status and the JSON of the answer. Raises OperatorError where no door answers."""
    return _answer(url, lambda: httpx2.post(url, content=body, headers=headers, timeout=PATIENCE))


def get(url: str) -> tuple[int, dict[str, Any]]:
    """Ask; the status and the JSON of the answer. Raises OperatorError where no door answers."""
    return _answer(url, lambda: httpx2.get(url, timeout=PATIENCE))


def _answer(url: str, request: Callable[[], httpx2.Response]) -> tuple[int, dict[str, Any]]:
    try:
        answer = request()
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        said = str(error) or type(error).__name__
        raise OperatorError(f"nobody answers at {url}: {said}") from error
    try:
        told: Any = answer.json()
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise OperatorError(f"what answers at {url} is no doorbell: {answer.status_code}, no JSON")
    return answer.status_code, told
