"""What may happen to one tool call: a decision, never an act. It knows cards and counts, no arguments.

The decisions: `Send` it, record it as a proposal (`Propose`), `Refuse` it in words the model can use, or
`Park` the run on it (`WaitFor`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from workflows.messages import WAIT, ToolCall, ToolCard
from workflows.playbook import Budget, Effect, Stage


@dataclass(frozen=True, slots=True)
class Send:
    """Make the call."""

    call: ToolCall
    card: ToolCard


@dataclass(frozen=True, slots=True)
class Propose:
    """Record it with every field; a person may apply it later."""

    call: ToolCall
    card: ToolCard


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer it with words. `denied` says whether policy forbade it (the outcome tells)."""

    call: ToolCall
    text: str
    denied: bool


@dataclass(frozen=True, slots=True)
class WaitFor:
    """Park on it, after the other calls of the turn."""

    call: ToolCall


Verdict = Send | Propose | Refuse | WaitFor


def judge(
    call: ToolCall,
    cards: Mapping[str, ToolCard],
    *,
    stage: Stage,
    budget: Budget,
    tool_calls: int,
    writes: Mapping[str, int],
    waiting: bool,
) -> Verdict:
    """Decide about one call.

    `tool_calls` and `writes` (by alias) count what was allowed before it; `waiting` says that the turn
    already holds a wait.
    """
    card = cards.get(call.alias)
    if not call.usable:
        return Refuse(call, "Its arguments can't be used.", denied=False)
    if call.alias == WAIT:
        return _one_wait(call, waiting=waiting)
    if card is None:
        return Refuse(
            call,
            f"There is no tool {call.alias!r}; use one of the tools you were given.",
            denied=False,
        )
    return _limited(
        call,
        card,
        stage=stage,
        budget=budget,
        tool_calls=tool_calls,
        written=writes.get(call.alias, 0),
    )


def _one_wait(call: ToolCall, *, waiting: bool) -> Verdict:
    if waiting:
        return Refuse(call, "Only one wait at a time; name all events in one call.", denied=False)
    return WaitFor(call)


def _limited(
    call: ToolCall, card: ToolCard, *, stage: Stage, budget: Budget, tool_calls: int, written: int
) -> Verdict:
    if tool_calls >= budget.tool_calls:
        text = (
            f"The budget of {budget.tool_calls} tool calls is used up; finish with what you know."
        )
        return Refuse(call, text, denied=True)
    if card.effect is Effect.READ:
        return Send(call, card)
    if card.max is not None and written >= card.max:
        text = f"{card.server}.{card.name} may be used {card.max} time(s) in this run, and has been; do not try again."
        return Refuse(call, text, denied=True)
    return Propose(call, card) if stage is Stage.PREVIEW else Send(call, card)
