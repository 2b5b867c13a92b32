"""The built-in source of what a person does through the CLI: a word to a run, or about the inbox itself; pure.

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

NAMES: Final[Mapping[str, str]] = {
    "run.start": "playbook",
    "run.resume": "run",
    "run.retry": "run",
    "run.apply": "run",
    "run.cancel": "run",
    "run.approve": "code",
    "run.deny": "code",
    "run.answer": "code",
    "event.redeliver": "event",
    "decision.retry": "decision",
    "decision.discard": "decision",
    "rule.pause": "rule",
    "rule.unpause": "rule",
    "source.pause": "source",
    "source.unpause": "source",
}
"""What a person may say -> the field of the body that says of what."""

MAX_BODY: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class OperatorDialect:
    """Bodies of `{"type": "run.resume", "run": RUN_ID, "by": NAME}`, or with another type what `NAMES` says.

    A `run.start` also has the inputs `with`, and may have a `key` and a `stage`; a `run.retry` of a run that may have
    written has `again`. A `run.approve` may have the `args` that are to be others, a `run.deny` its `why`, and a
    `run.answer` has the `answer`.
    """

    publishes: tuple[str, ...] = tuple(dict.fromkeys(NAMES.values()))

    def read(self, headers: Mapping[str, str], body: bytes) -> Reading:
        """What the verified bytes say. Raises `Malformed`."""
        data = json_object(body)
        said = data.get("type")
        what = NAMES.get(said) if isinstance(said, str) else None
        if what is None:
            raise Malformed(Reason.MALFORMED, f"expected a type of {', '.join(NAMES)}")
        named = word(data.get(what), f"whose id or name it is, in {what!r}")
        reading = Reading(
            delivery_id=word(headers.get(ID), f"the header {ID!r}"),
            type=str(said),
            subject=named,
            actor=Actor(login=word(data.get("by"), "who asks, in `by`")),
            keys=(f"{what}:{named}",),
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
