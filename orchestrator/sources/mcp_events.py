"""How an MCP server speaks of the events we subscribed to: an envelope for each, and two words about the subscription.

https://modelcontextprotocol.io/seps/3415-events-extension
`event` is the whole envelope, as with `scheme: mcp-events`: `{{ event.data.ticket.id }}`, `{{ event.timestamp }}`. That
events were skipped (`mcp/gap`), or that there will be none any more (`mcp/terminated`), is an event too; its key names
the subscription. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec

from orchestrator.errors import Malformed, Reason
from orchestrator.events import Actor
from orchestrator.signatures.standard_webhooks import ID
from orchestrator.signatures.subscribed import signed_by_any
from orchestrator.sources.declared import Renders, rendered
from orchestrator.sources.payload import bounded, json_object, word
from orchestrator.sources.source import Reading, Wanted

OURS: Final = "mcp/"
"""So begin the types that are about a subscription; no event of a server's may."""

GAP: Final = f"{OURS}gap"
TERMINATED: Final = f"{OURS}terminated"
KEY: Final = "subscription"

_MOVING: Final = "cursor"
"""What may differ when the same event is sent again, and nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class McpEventsDialect:
    """The dialect of a source with `mcp:`; `events` are its subscriptions, by whose secrets they are told apart."""

    events: tuple[Wanted, ...] = ()
    subject: Renders | None = None
    actor: Renders | None = None
    keys: tuple[Renders, ...] = ()
    publishes: tuple[str, ...] = (KEY,)

    def read(self, headers: Mapping[str, str], body: bytes) -> Reading:
        """What the verified bytes say. Raises `Malformed`."""
        data = json_object(body)
        if "type" in data and "eventId" not in data:
            # A word that is newer than we are is kept like the others.
            control = OURS + word(data["type"], "what it is about in 'type'")
            return bounded(self._control(control, headers, body, data))
        return bounded(self._event(headers, data))

    def _event(self, headers: Mapping[str, str], data: dict[str, Any]) -> Reading:
        name = word(data.get("name"), "the event's name in 'name'")
        if name.startswith(OURS):
            raise Malformed(
                Reason.MALFORMED, f"expected an event's name, {name!r} is a word of ours"
            )
        scope = {"event": data, "headers": dict(headers)}
        actor = rendered(self.actor, scope)
        keys = [rendered(template, scope) for template in self.keys]
        same = {said: value for said, value in data.items() if said != _MOVING}
        return Reading(
            delivery_id=word(data.get("eventId"), "the event's id in 'eventId'"),
            type=name,
            subject=rendered(self.subject, scope),
            actor=None if actor is None else Actor(id=actor),
            keys=tuple(key for key in keys if key is not None),
            data=data,
            lasting=msgspec.json.encode(same, order="sorted"),
        )

    def _control(
        self, control: str, headers: Mapping[str, str], body: bytes, data: dict[str, Any]
    ) -> Reading:
        about = self._signer(headers, body)
        delivery_id = word(headers.get(ID), f"the header {ID!r}")
        reading = Reading(
            delivery_id=delivery_id,
            type=control,
            subject=None,
            actor=None,
            keys=(),
            data=data,
            # Said again it may say when, and is the same word.
            lasting=delivery_id.encode(),
        )
        if about is None:
            return reading
        return replace(reading, subject=about.event, keys=(f"{KEY}:{about.mark}",))

    def _signer(self, headers: Mapping[str, str], body: bytes) -> Wanted | None:
        """The subscription whose secret signed it."""
        for wanted in self.events:
            secrets = [secret.reveal().encode() for secret in wanted.secrets]
            if signed_by_any(headers, body, secrets):
                return wanted
        return None


def marks_of(keys: tuple[str, ...]) -> list[str]:
    """The subscriptions that an event's correlation keys name."""
    begins = f"{KEY}:"
    return [key.removeprefix(begins) for key in keys if key.startswith(begins)]
