"""How a Standard Webhooks sender speaks: the signed id in a header, `type` in the body; pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.signatures.standard_webhooks import ID
from orchestrator.sources.payload import bounded, json_object, word
from orchestrator.sources.source import Reading


@dataclass(frozen=True, slots=True)
class StandardWebhooksDialect:
    """The `standard-webhooks` preset's dialect; the payload is the event's data, whole."""

    publishes: tuple[str, ...] = ()

    def read(self, headers: Mapping[str, str], body: bytes) -> Reading:
        """What the verified bytes say. Raises `Malformed`."""
        data = json_object(body)
        reading = Reading(
            delivery_id=word(headers.get(ID), f"the header {ID!r}"),
            type=word(data.get("type"), "the payload's own `type`"),
            subject=None,
            actor=None,
            keys=(),
            data=data,
        )
        return bounded(reading)
