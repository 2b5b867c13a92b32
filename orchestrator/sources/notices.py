"""The built-in source of what our own runs have to tell people: what they ask, what came of it, that they stand still.

Pure, it tells nobody. So a notification is an ordinary rule, `on: doorbell/approval.asked`, with all that a `call:` and
a `forward:` promise.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.errors import Malformed, Reason
from orchestrator.secrets import Secret
from orchestrator.signatures.standard_webhooks import ID, StandardWebhooksScheme
from orchestrator.sources.payload import bounded, json_object, word
from orchestrator.sources.source import DOORBELL, Reading, Source

ASKED: Final = "approval.asked"
ANSWERED: Final = "approval.answered"
EXECUTED: Final = "approval.executed"
PARKED: Final = "run.parked"
TYPES: Final = (ASKED, ANSWERED, EXECUTED, PARKED)
"""Somebody is asked for consent or for an answer; somebody said a word about that; the call that was consented to came
to its end; a run stands still until somebody does something."""

MAX_BODY: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class NoticeDialect:
    """Bodies of `{"type": "approval.asked", "run": RUN_ID, "code": CODE, "text": WORDS, ...}`."""

    publishes: tuple[str, ...] = ("run", "approval")

    def read(self, headers: Mapping[str, str], body: bytes) -> Reading:
        """What the verified bytes say. Raises `Malformed`."""
        data = json_object(body)
        said = data.get("type")
        if said not in TYPES:
            raise Malformed(Reason.MALFORMED, f"expected a type of {', '.join(TYPES)}")
        run = word(data.get("run"), "whose notice it is, in 'run'")
        asks = [] if said == PARKED else [f"approval:{word(data.get('code'), 'a code')}"]
        delivery_id = word(headers.get(ID), f"the header {ID!r}")
        return bounded(
            Reading(
                delivery_id=delivery_id,
                type=str(said),
                subject=run,
                actor=None,
                keys=(f"run:{run}", *asks),
                data=data,
                # Written again after a crash it may say a little more, and is the same notice.
                lasting=delivery_id.encode(),
            )
        )


def notices_source(*secrets: Secret) -> Source:
    """The source `doorbell`; without a secret it can be read, and not rung."""
    return Source(
        name=DOORBELL,
        scheme=StandardWebhooksScheme(),
        secrets=secrets,
        dialect=NoticeDialect(),
        max_body=MAX_BODY,
        dedupe_body=False,
    )


def written(identity: str, said: Mapping[str, Any]) -> tuple[dict[str, str], bytes]:
    """Headers and body of a notice; the identity names what it is about, so that it comes once."""
    headers = {"content-type": "application/json", ID: identity}
    return headers, json.dumps(said, ensure_ascii=False).encode()
