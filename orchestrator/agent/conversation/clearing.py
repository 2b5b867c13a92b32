"""Which old results a long conversation is shown no more, so that it still fits its model; pure, it reads no row.

Results are cleared in one batch, the oldest first, because every clearing writes the provider's cache anew. What is
cleared stays in the ledger and among the artifacts; the model is told what it was, and how to get it again.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.agent.conversation.weighing import Weight, weight
from orchestrator.ledger.calls import Call
from workflows.messages import CallState
from workflows.own_tools import ASK, EVENT, SLEEP, WAIT
from workflows.playbook import Effect

SMALL: Final = 800
"""Characters of a result or a note that stays whatever happens; words of ours are no longer."""

KEPT: Final = 3
"""The newest turns, whose results stay while there is another way."""

LAST: Final = 1
"""The newest turns, whose results stay whatever happens."""

SHARE: Final = 0.6
"""Of the model's window: a conversation beyond it is cleared."""

AIM: Final = 0.5
"""Of that limit: so much may be left of it then."""

WORTH: Final = 0.1
"""Of that limit: clearing less than this isn't worth a new cache."""

# https://docs.anthropic.com/en/api/overview
MOST_BYTES: Final = 24_000_000
"""Of a request, whose limit is 32 MB."""

MOST_ATTACHED: Final = 90
"""Images and documents in a request, whose limit is 100."""

OPENING: Final = 1
"""The turn before which the event stands that opened the conversation; what it is about stays."""

_NAMED: Final = re.compile(r'\n<event>\n\{"id":"([^"\\]+)"')
"""How an event is named at the head of its block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What one request may weigh; `tokens` None where nobody knows the model's window."""

    tokens: float | None
    size: float = MOST_BYTES
    attached: float = MOST_ATTACHED

    def holds(self, found: Weight, share: float = 1.0) -> bool:
        """Whether it fits into this share of the limit."""
        fits = found.size <= self.size * share and found.attached <= self.attached * share
        return fits and (self.tokens is None or found.tokens <= self.tokens * share)


def limit(window: int | None, output: int) -> Limit:
    """What a request to a model may weigh whose window must hold so much output beside it."""
    if window is None:
        return Limit(tokens=None)
    return Limit(tokens=max(min(window * SHARE, window * (1 - WORTH) - output), 0.0))


def enough(total: Weight, gains: Mapping[int, Weight], most: Limit) -> int | None:
    """The turn up to which results are to be cleared; None when all of them would gain too little."""
    left, gained = total, Weight()
    for turn in sorted(gains):
        left, gained = left - gains[turn], gained + gains[turn]
        if most.holds(left, AIM):
            return turn
    # Less than was aimed at is better than nothing, unless it is next to nothing.
    return None if most.holds(gained, WORTH) else max(gains)


def halved(total: Weight, gains: Mapping[int, Weight]) -> int | None:
    """The same for a conversation of this weight that its provider wouldn't take."""
    most = Limit(tokens=total.tokens, size=total.size, attached=total.attached)
    return enough(total, gains, most)


def gains(
    notes: Mapping[int, Sequence[str]], calls: Sequence[Call], cleared: int, upto: int
) -> dict[int, Weight]:
    """What clearing each turn after `cleared` would gain, up to the turn `upto`."""
    found: dict[int, Weight] = {}
    for call in calls:
        if cleared < call.turn <= upto and call.content is not None and is_clearable(call):
            found[call.turn] = found.get(call.turn, Weight()) + weight(call.content)
    for turn, texts in notes.items():
        if cleared < turn <= upto and turn > OPENING:
            found[turn] = found.get(turn, Weight()) + weight([t for t in texts if len(t) > SMALL])
    return {turn: gain for turn, gain in found.items() if gain.size > SMALL}


def is_clearable(call: Call) -> bool:
    """Whether a result may go: a long one of a call that was done, for what became of any other must be known.

    What a person answered stays: nobody else knows it, and nobody is asked a second time.
    """
    done = call.state is CallState.DONE and call.alias != ASK
    return done and len(json.dumps(call.content, ensure_ascii=False)) > SMALL


def is_cleared(call: Call, cleared: int) -> bool:
    """Whether a result is shown no more; a long one need not have been read for that."""
    if call.turn > cleared or call.done_at is None:
        return False
    return call.content is None or is_clearable(call)


def instead(call: Call, event_id: str | None = None) -> list[dict[str, Any]]:
    """What stands in the place of a cleared result; a wait names the event that ended it."""
    kept = f" The whole result is kept as artifact {call.artifact}." if call.artifact else ""
    size = f": {call.size} bytes" if call.size else ""
    return [
        {"type": "text", "text": f"[cleared to make room{size}.{kept} {_advice(call, event_id)}]"}
    ]


def note_instead(text: str) -> str:
    """What stands in the place of a cleared note."""
    named = _NAMED.search(text)
    again = f" {EVENT} reads {named[1]} again." if named else ""
    return f"[cleared to make room: {len(text)} characters that were said here, an event or words about it.{again}]"


def _advice(call: Call, event_id: str | None) -> str:
    if call.alias in {WAIT, SLEEP}:
        return f"It came and the wait is over; don't repeat it. {EVENT} reads {event_id or 'the event'} again."
    if call.effect is Effect.READ:
        return "Call the tool again if you still need it."
    answered = f" {EVENT} reads {event_id}, which answered it, again." if event_id else ""
    return f"The call was made and it was done; don't repeat it.{answered}"
