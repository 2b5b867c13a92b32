"""What was said in a conversation, as the ledger keeps it, and what of it is shown no more; it asks no model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from orchestrator.agent.conversation import clearing, prompt, withholding
from orchestrator.agent.conversation.weighing import Weight
from orchestrator.agent.means import Means
from orchestrator.database import Transaction
from orchestrator.ledger import calls, clearings, turns, waits
from orchestrator.ledger.calls import Call
from orchestrator.ledger.turns import Turn
from workflows.messages import CallState
from workflows.own_tools import BUILTIN

MADE: Final = frozenset({CallState.DONE, CallState.FAILED, CallState.UNKNOWN, CallState.PROPOSED})
"""How a call stands that left, or was recorded as if it had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """All rows of a conversation; what is long up to the turn `cleared` is not shown, nor read.

    `ended_by` names the event that ended a wait, by the id of its call.
    """

    turns: Sequence[Turn]
    notes: Mapping[int, Sequence[str]]
    calls: Sequence[Call]
    cleared: int
    ended_by: Mapping[str, str] = field(default_factory=dict)

    @property
    def messages(self) -> list[prompt.Message]:
        """As the model is shown it. Raises Bug when a call has no answer."""
        told = prompt.conversation(self.notes, self.turns, self.calls, self.cleared, self.ended_by)
        return withholding.fitting(told)

    @property
    def used(self) -> int:
        """How many calls were made of the tools of servers."""
        return sum(
            call.server != BUILTIN and call.state in MADE for call in self.calls if call.turn
        )

    def gains(self, kept: int) -> dict[int, Weight]:
        """What clearing each turn would gain, but for the newest ones that are to be kept."""
        upto = len(self.turns) - kept
        return clearing.gains(self.notes, self.calls, self.cleared, upto)

    @property
    def attached(self) -> int:
        """The newest turn whose results hold a picture or a document; 0 where none does."""
        return withholding.newest(self.calls)

    def without(self, turn: int) -> "Transcript":
        """The same with words in the place of what is attached to that turn's results."""
        shown = [withholding.withheld(call) if call.turn == turn else call for call in self.calls]
        return replace(self, calls=shown)


async def of_run(means: Means, run_id: str) -> Transcript:
    """The conversation so far."""
    return await means.ledger.read(_read, run_id)


async def cleared(means: Means, run_id: str, turn: int, through: int) -> Transcript:
    """The conversation as it is shown from this turn on, without what is long up to the turn `through`."""
    await means.ledger.write(clearings.clear, run_id, turn, through, means.now())
    return await of_run(means, run_id)


def _read(connection: Transaction, run_id: str) -> Transcript:
    through = clearings.cleared(connection, run_id)
    return Transcript(
        turns=turns.replied(connection, run_id),
        notes=turns.noted(connection, run_id),
        calls=calls.of_run(connection, run_id, through, clearing.SMALL),
        cleared=through,
        ended_by={
            wait.call_id: wait.event_id
            for wait in waits.of_run(connection, run_id)
            if wait.event_id
        },
    )
