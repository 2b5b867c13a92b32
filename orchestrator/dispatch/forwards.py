"""What the dispatcher asks of the places events are forwarded to, and how that can fail; it knows no HTTP.

`Unreachable` (nothing is wrong with it, it waits until `until` and no attempt is burnt) and `Undeliverable` (an
attempt is burnt; not before `retry_after`, where the destination said so) are those of `runs`.
"""

from typing import Protocol

from orchestrator.errors import OperatorError
from orchestrator.inbox.inbox import Decision, Entry


class Finished(OperatorError):
    """It will never be taken there: the text says why, and it is buried now."""


class Forwards(Protocol):
    """Where decisions with the action `forward` go."""

    async def forward(self, decision: Decision, entry: Entry) -> None:
        """Send the event on; returning means that the destination has it.

        Raises:
            Unreachable: It waits, without an attempt, until `until` where that is given.
            Undeliverable: This attempt failed; the next isn't due before `retry_after` where that is given.
            Finished: No attempt can succeed.
        """
