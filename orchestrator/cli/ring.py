"""Ring our own door: what the CLI has to say is a signed delivery like any other."""

import json
import secrets
from datetime import UTC, datetime
from getpass import getuser
from typing import Any

import httpx2

from orchestrator.errors import OperatorError
from orchestrator.signatures import standard_webhooks
from orchestrator.sources.source import OPERATOR
from orchestrator.state import StateDirectory

PATIENCE = 10.0


def say(state: StateDirectory, kind: str, run_id: str) -> dict[str, Any]:
    """Tell a run something (`run.resume`, `run.apply`, `run.cancel`); returns the door's receipt.

    Raises OperatorError when the service isn't up: it is the one that writes the inbox.
    """
    addresses = state.addresses()
    if addresses is None:
        raise OperatorError(
            "the service is not running here: start it with `doorbell up`, then say it again"
        )
    body = json.dumps({"type": kind, "run": run_id, "by": getuser()}).encode()
    identity = f"cli-{secrets.token_hex(8)}"
    now = datetime.now(UTC)
    signed = standard_webhooks.sign(state.operator_secret(), identity, body, now)
    headers = {"content-type": "application/json", **signed}
    answer = httpx2.post(
        f"{addresses.url}/hooks/{OPERATOR}", content=body, headers=headers, timeout=PATIENCE
    )
    if answer.status_code != httpx2.codes.ACCEPTED:
        raise OperatorError(f"the door answered {answer.status_code}: {answer.text}")
    receipt: dict[str, Any] = answer.json()
    return receipt
