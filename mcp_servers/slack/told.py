"""What pressing a button in Slack tells, and how Slack signs it; pure.

https://docs.slack.dev/reference/interaction-payloads/block_actions-payload. A button's value comes back as it was
posted, inside what Slack signs: it carries the answer and who may give it.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qs

from mcp_servers.tasks.proofs import Parcel, Unproved, Unreadable, decoded, fresh, proved
from mcp_servers.tasks.states import Working
from mcp_servers.tasks.store import Callback, Told, token_key
from mcp_servers.tasks.wire import said

VERSION: Final = "v0"
PRESSED: Final = "block_actions"
ACTION: Final = "doorbell_answer"
"""Begins the action id of our buttons."""


def message_key(channel: str, ts: str) -> str:
    """The correlation key of a message."""
    return f"message:{channel}:{ts}"


def value_of(says: str, by: Sequence[str]) -> str:
    """What a button carries."""
    return json.dumps({"says": says, "by": list(by)}, ensure_ascii=False, separators=(",", ":"))


def by_slack(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime
) -> Parcel:
    """What Slack sent itself, without a doorbell between. Raises `Unproved`, `Unreadable`."""
    stamp, given = (
        headers.get("x-slack-request-timestamp", ""),
        headers.get("x-slack-signature", ""),
    )
    fresh(stamp, now)
    if not re.fullmatch(rf"{VERSION}=[0-9a-f]{{64}}", given):
        raise Unproved("expected X-Slack-Signature: v0=…")
    signed = f"{VERSION}:{stamp}:".encode() + body
    proved([secret.encode() for secret in secrets], signed, [bytes.fromhex(given[3:])])
    # An interaction has no id of its own: the same signed bytes are the same one.
    return Parcel(id=given, type="", payload=body)


def payload_of(parcel: Parcel) -> Mapping[str, Any]:
    """The interaction in a parcel: Slack sends it as a form. Raises `Unreadable`."""
    if isinstance(parcel.payload, dict):
        return parcel.payload
    if not isinstance(parcel.payload, bytes):
        raise Unreadable("expected an interaction of Slack, as a form or as an object")
    form = parse_qs(parcel.payload.decode("utf-8", "replace"))
    return decoded((form.get("payload") or [""])[0].encode())


def callback(parcel: Parcel) -> Callback | None:
    """Whose an interaction is, and what it tells. Raises `Unreadable`."""
    payload = payload_of(parcel)
    if payload.get("type") != PRESSED:
        return None
    try:
        action = payload["actions"][0]
        if not str(action.get("action_id", "")).startswith(ACTION):
            return None
        keys = [token_key(str(action["block_id"]))]
        message = payload.get("message") or {}
        if message.get("ts"):
            keys.append(message_key(payload["channel"]["id"], message["ts"]))
        return Callback(id=_id(payload, action), keys=keys, told=_told(payload["user"], action))
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise Unreadable(f"expected the fields of a pressed button: {error!r}") from None


def _id(payload: Mapping[str, Any], action: Mapping[str, Any]) -> str:
    return f"{payload['user']['id']} {action.get('action_ts')} {payload.get('trigger_id')}"


def _told(user: Mapping[str, Any], action: Mapping[str, Any]) -> Told:
    carried = decoded(str(action["value"]).encode())
    id_, name = str(user["id"]), str(user.get("username") or user.get("name") or user["id"])
    if carried["by"] and id_ not in carried["by"]:
        return Working(message=f"{name} pressed {carried['says']!r} but is not one of those asked")
    answered = {"answer": carried["says"], "user": id_, "name": name}
    return said(f"{name} ({id_}) answered: {carried['says']}", structured=answered)
