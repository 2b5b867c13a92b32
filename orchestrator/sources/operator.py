"""The built-in source of what a person does through the CLI: resume, apply or cancel a run; pure.

So the Approve button and the CLI are rows in the same inbox as everything else that wakes a run.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from orchestrator.errors import Malformed, Reason
from orchestrator.events import Actor
from orchestrator.secrets import Secret
from orchestrator.signatures.standard_webhooks import ID, StandardWebhooksScheme
from orchestrator.sources.payload import bounded, json_object, word
from orchestrator.sources.source import OPERATOR, Reading, Source

TYPES: Final = ("run.resume", "run.apply", "run.cancel")
MAX_BODY: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class OperatorDialect:
    """Bodies of `{"type": "run.resume", "run": WORKFLOW_ID, "by": NAME}`."""

    publishes: tuple[str, ...] = ("run",)

    def read(self, headers: Mapping[str, str], body: bytes) -> Reading:
        """What the verified bytes say. Raises `Malformed`."""
        data = json_object(body)
        if data.get("type") not in TYPES:
            raise Malformed(Reason.MALFORMED, f"expected a type of {TYPES}")
        run = word(data.get("run"), "the run's id")
        reading = Reading(
            delivery_id=word(headers.get(ID), f"the header {ID!r}"),
            type=data["type"],
            subject=run,
            actor=Actor(login=word(data.get("by"), "who asks, in `by`")),
            keys=(f"run:{run}",),
            data=data,
        )
        return bounded(reading)


def operator_source(secret: Secret) -> Source:
    """The source `operator`, signed with the state directory's secret."""
    return Source(
        name=OPERATOR,
        scheme=StandardWebhooksScheme(),
        secrets=(secret,),
        dialect=OperatorDialect(),
        max_body=MAX_BODY,
        dedupe_body=False,
    )
