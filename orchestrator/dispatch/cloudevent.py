"""A kept event as a CloudEvent 1.0 in structured JSON, signed as Standard Webhooks; pure, and it sends nothing.

https://github.com/cloudevents/spec/blob/main/cloudevents/spec.md and formats/json-format.md. `source` is
`doorbell/SOURCE`, `type` is `SOURCE/TYPE`, the words a rule's `on:` uses. The payload stands in it byte for byte.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from orchestrator.errors import Malformed
from orchestrator.inbox.inbox import Decision, Entry
from orchestrator.signatures import standard_webhooks
from orchestrator.sources.payload import json_value

CONTENT_TYPE: Final = "application/cloudevents+json"
JSON: Final = "application/json"
UNKNOWN: Final = "application/octet-stream"

HOPS: Final = "x-doorbell-hops"
"""Counts the doorbells an event went through, so that two that forward to each other end."""

UNFIT: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
"""What no attribute may have; the noncharacters of the other planes are let through by every reader we know."""


def body_of(decision: Decision, entry: Entry) -> bytes:
    """The request's body: the attributes, then the payload as `data`, or as `data_base64` where it isn't JSON."""
    attributes = dict(_attributes(decision, entry))
    if not entry.body:
        return _encoded(attributes)
    if _is_json(entry.body):
        head = _encoded({**attributes, "datacontenttype": JSON})
        return head[:-1] + b',"data":' + entry.body.strip(b" \t\r\n") + b"}"
    declared = _fit(entry.headers.get("content-type", "")) or UNKNOWN
    # A payload under this name that isn't JSON would be a lie that the next reader stumbles over.
    kind = UNKNOWN if _media_type(declared).endswith("json") else declared
    return _encoded({**attributes, "datacontenttype": kind, "data_base64": entry.body})


def headers_of(
    body: bytes, decision: Decision, entry: Entry, secrets: Sequence[str], now: datetime
) -> dict[str, str]:
    """The headers that go with this body: what it is, and one signature for each secret over id, time and body.

    The id is the decision's, so that it stays the same however often the event is sent. Raises `ValueError` where
    a secret is none.
    """
    if not secrets:
        raise ValueError("expected a secret to sign with, got none")
    signed = [standard_webhooks.sign(secret, decision.id, body, now) for secret in secrets]
    together = " ".join(one[standard_webhooks.SIGNATURE] for one in signed)
    return {
        "content-type": CONTENT_TYPE,
        HOPS: str(hops(entry.headers) + 1),
        **signed[0],
        standard_webhooks.SIGNATURE: together,
    }


def hops(headers: Mapping[str, str]) -> int:
    """How many doorbells an event went through before this one."""
    text = headers.get(HOPS, "")
    return int(text) if re.fullmatch("[0-9]{1,3}", text) else 0


def _attributes(decision: Decision, entry: Entry) -> Iterator[tuple[str, str]]:
    actor = entry.actor
    told: dict[str, str | None] = {
        "specversion": "1.0",
        "id": entry.id,
        "source": f"doorbell/{entry.source}",
        "type": f"{entry.source}/{entry.type}",
        "subject": entry.subject,
        "time": _iso(entry.received_at),
        "rule": decision.rule,
        "deliveryid": entry.delivery_id,
        "actor": None if actor is None else actor.login or actor.id,
        "actorid": None if actor is None else actor.id,
        "keys": _list(entry.keys) if entry.keys else None,
        "partitionkey": decision.key,
    }
    for name, value in told.items():
        fit = _fit(value or "")
        if fit:
            yield name, fit


def _is_json(body: bytes) -> bool:
    try:
        json_value(body)
        body.decode()
    except (Malformed, UnicodeDecodeError):
        return False
    return True


def _encoded(attributes: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode(attributes)


def _media_type(declared: str) -> str:
    return declared.partition(";")[0].strip().lower()


def _fit(text: str) -> str:
    return UNFIT.sub("", text)


def _list(texts: Sequence[str]) -> str:
    """A list as JSON in a text: an attribute can't be a list."""
    plain = json.dumps(texts, ensure_ascii=False)
    return UNFIT.sub(lambda found: f"\\u{ord(found[0]):04x}", plain)


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
