"""CloudEvents over HTTP: binary, structured and batched, read as one and the same envelope; pure.

https://github.com/cloudevents/spec/blob/main/cloudevents/bindings/http-protocol-binding.md
`event` is always the structured form (`event.type`, `event.data`), so that a rule doesn't depend on the mode.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final
from urllib.parse import unquote

from orchestrator.errors import Malformed, Reason
from orchestrator.sources.payload import MAX_WORD, bounded, json_value, word
from orchestrator.sources.source import Reading

STRUCTURED: Final = "application/cloudevents"
PREFIX: Final = "ce-"
VERSIONS: Final = ("1.0",)


@dataclass(frozen=True, slots=True)
class CloudEventsDialect:
    """The `cloudevents` preset's dialect; an event is identified by its source and id together."""

    publishes: tuple[str, ...] = ("subject",)

    def read(self, headers: Mapping[str, str], body: bytes) -> Reading:
        """What the verified bytes say. Raises `Malformed`."""
        event = _envelope(headers, body)
        if event.get("specversion") not in VERSIONS:
            raise Malformed(Reason.MALFORMED, f"expected a CloudEvent of version {VERSIONS[0]}")
        subject = event.get("subject")
        named = subject if isinstance(subject, str) and subject else None
        reading = Reading(
            delivery_id=_identity(event),
            type=word(event.get("type"), "the event's type"),
            subject=named,
            actor=None,
            keys=() if named is None else (f"subject:{named}",),
            data=event,
        )
        return bounded(reading)


def _identity(event: Mapping[str, Any]) -> str:
    source, id_ = word(event.get("source"), "the source"), word(event.get("id"), "the id")
    both = f"{source}#{id_}"
    return both if len(both) <= MAX_WORD else sha256(both.encode()).hexdigest()


def _envelope(headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    if _media_type(headers).startswith(STRUCTURED):
        value = json_value(body)
        if not isinstance(value, dict):
            raise Malformed(Reason.MALFORMED, "expected a CloudEvent as a JSON object")
        return value
    names = {name: value for name, value in headers.items() if name.startswith(PREFIX)}
    event: dict[str, Any] = {
        name.removeprefix(PREFIX): unquote(value) for name, value in names.items()
    }
    return {**event, "data": json_value(body)} if body else event


def _media_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()
