"""The canonical line of a delivery, as a value; it writes nothing.

Its fields are a promise to whoever searches the log, as the names of metrics are to whoever draws them.
"""

from typing import Final

import msgspec

from orchestrator.errors import Reason
from orchestrator.telemetry.words import Outcome

LONGEST: Final = 200
"""Characters of a stranger's word that are shown."""


class DeliveryLine(msgspec.Struct, omit_defaults=True, kw_only=True, rename={"from_": "from"}):
    """What the one line of a delivery says, in this order; fields that were left alone are left out.

    `outcome` and `reason` are the words of the counters and `ms` is the time to the answer; `events` and `kept`
    count a batch; `from` is the peer; `trace_id` leads to the run. `unrecorded`: this line is a refusal's only record.
    """

    source: str
    outcome: Outcome
    reason: Reason | None = None
    status: int = 0
    ms: float = 0.0
    bytes: int = 0
    event_id: str | None = None
    duplicate_of: str | None = None
    delivery_id: str | None = None
    type: str | None = None
    events: int | None = None
    kept: int | None = None
    from_: str | None = None
    detail: str | None = None
    trace_id: str | None = None
    unrecorded: bool = False


def clipped(line: DeliveryLine) -> DeliveryLine:
    """The line with every word at a length that can be shown, and as text that can be written."""
    said = msgspec.structs.asdict(line)
    shown = {name: _word(value) for name, value in said.items() if isinstance(value, str)}
    return msgspec.structs.replace(line, **shown)


def _word(text: str) -> str:
    shown = text.encode("utf-8", "replace").decode()
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}…"
