"""How a sender speaks whose words stand in `sources.yaml`: templates over its payload and headers; pure.

The id and the type must be there, or the delivery is malformed. Subject, actor and keys are there for the
events that have them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from orchestrator.errors import Malformed, OperatorError, Reason
from orchestrator.events import Actor
from orchestrator.sources.payload import bounded, form_field, is_form, json_value
from orchestrator.sources.source import Reading


class Renders(Protocol):
    """A parsed template."""

    def render(self, scope: Mapping[str, Any]) -> Any:
        """The value it gives. Raises `OperatorError` where something is null or missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredDialect:
    """The templates of one source; `publishes` are the kinds of the keys it can give."""

    id: Renders | None
    type: Renders
    subject: Renders | None = None
    actor: Renders | None = None
    keys: tuple[Renders, ...] = ()
    publishes: tuple[str, ...] = ()

    def read(self, headers: Mapping[str, str], body: bytes) -> Reading:
        """What the verified bytes say. Raises `Malformed`."""
        data = json_value(form_field(body, "payload") if is_form(headers) else body)
        scope = {"event": data, "headers": dict(headers)}
        actor = rendered(self.actor, scope)
        keys = [rendered(template, scope) for template in self.keys]
        reading = Reading(
            delivery_id=None if self.id is None else _surely(self.id, scope, "id"),
            type=_surely(self.type, scope, "type"),
            subject=rendered(self.subject, scope),
            actor=None if actor is None else Actor(id=actor),
            keys=tuple(key for key in keys if key is not None),
            data=data,
        )
        return bounded(reading)


def _surely(template: Renders, scope: Mapping[str, Any], what: str) -> str:
    text = rendered(template, scope)
    if text is None:
        raise Malformed(
            Reason.MALFORMED, f"expected a payload that has what this source declares as its {what}"
        )
    return text


def rendered(template: Renders | None, scope: Mapping[str, Any]) -> str | None:
    """The word or number that it gives as text; None where it gives none."""
    if template is None:
        return None
    try:
        value = template.render(scope)
    except OperatorError:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value) or None
