"""What GitHub's webhooks tell of deployments and runs, and how GitHub signs them; pure.

https://docs.github.com/en/webhooks/webhook-events-and-payloads. What a payload is about is read from the payload:
the header that names its event isn't signed.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from mcp_servers.github import answers
from mcp_servers.tasks.proofs import Parcel, Unproved, Unreadable, decoded, proved
from mcp_servers.tasks.states import Working
from mcp_servers.tasks.store import Callback, Told, token_key
from mcp_servers.tasks.wire import said

PAYLOAD: Final = "doorbell_task"
"""Under which a deployment's payload carries a task's token."""
_SIGNATURE: Final = "sha256="


def deployment_key(id_: object) -> str:
    """The correlation key of a deployment."""
    return f"deployment:{id_}"


def run_key(id_: object) -> str:
    """The correlation key of a workflow run."""
    return f"workflow_run:{id_}"


def run_told(run: Mapping[str, Any]) -> Told:
    """How a workflow run stands."""
    if run.get("status") != "completed":
        return Working(message=f"run {run['id']} is {run.get('status')}")
    ended = answers.ran(run)
    good = run.get("conclusion") in {"success", "neutral", "skipped"}
    return said(answers.text(ended), is_error=not good, structured=ended)


def callback(parcel: Parcel) -> Callback | None:
    """Whose a webhook is, and what it tells. Raises `Unreadable`."""
    payload = parcel.payload
    if not isinstance(payload, dict):
        raise Unreadable(f"expected an object in {parcel.type!r}, got {type(payload).__name__}")
    try:
        if "deployment_status" in payload:
            return _deployment(parcel.id, payload)
        if "workflow_run" in payload and "check_run" not in payload:
            return _run(parcel.id, payload["workflow_run"])
    except (KeyError, TypeError, AttributeError) as error:
        raise Unreadable(f"expected GitHub's fields in {parcel.type!r}: {error!r}") from None
    return None


def by_github(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[str], _now: datetime
) -> Parcel:
    """What GitHub sent itself, without a doorbell between. Raises `Unproved`, `Unreadable`."""
    given = headers.get("x-hub-signature-256", "")
    try:
        digest = bytes.fromhex(given.removeprefix(_SIGNATURE))
    except ValueError:
        raise Unproved("expected a signature in hexadecimal digits") from None
    if not given.startswith(_SIGNATURE):
        raise Unproved("expected X-Hub-Signature-256: sha256=…")
    proved([secret.encode() for secret in secrets], body, [digest])
    # The delivery's id isn't signed: the digest is the same for the same bytes, however often they come.
    return Parcel(id=given, type=headers.get("x-github-event", ""), payload=decoded(body))


def _deployment(id_: str, payload: Mapping[str, Any]) -> Callback:
    deployment, status = payload["deployment"], payload["deployment_status"]
    keys = [deployment_key(deployment["id"])]
    carried = deployment.get("payload")
    if isinstance(carried, dict) and PAYLOAD in carried:
        keys.append(token_key(str(carried[PAYLOAD])))
    return Callback(id=id_, keys=keys, told=_deployed(deployment, status))


def _deployed(deployment: Mapping[str, Any], status: Mapping[str, Any]) -> Told:
    state = status["state"]
    told = answers.deployed(deployment, status)
    match state:
        case "success" | "failure" | "error":
            return said(answers.text(told), is_error=state != "success", structured=told)
        case _:
            return Working(message=f"deployment {deployment['id']} is {state}")


def _run(id_: str, run: Mapping[str, Any]) -> Callback:
    return Callback(id=id_, keys=[run_key(run["id"])], told=run_told(run))
