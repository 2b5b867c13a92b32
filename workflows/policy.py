"""What may happen to one tool call: a decision, never an act. It knows cards and counts, no arguments.

The decisions: `Send` it, record it as a proposal (`Propose`), ask a person first (`AskPerson`), `Refuse` it in words
the model can use, `Park` the run on it (`WaitFor`), or end the conversation with it (`Finish`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from workflows.messages import ToolCall, ToolCard
from workflows.own_tools import ASK, FINISH, SLEEP, WAIT
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
    """Answer it with words. `denied` says whether policy forbade it (the outcome tells).

    `why` is one of few words, for it is counted; empty where that was done when it was found unusable.
    """

    call: ToolCall
    text: str
    denied: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class WaitFor:
    """Park on it, after the other calls of the turn."""

    call: ToolCall


@dataclass(frozen=True, slots=True)
class AskPerson:
    """Make the call when a person consents; without a card it is a question, and the answer is all."""

    call: ToolCall
    card: ToolCard | None


@dataclass(frozen=True, slots=True)
class Finish:
    """Answer it, and end the conversation with the outcome that it claims."""

    call: ToolCall


Verdict = Send | Propose | Refuse | WaitFor | AskPerson | Finish


def judge(
    call: ToolCall,
    cards: Mapping[str, ToolCard],
    *,
    stage: Stage,
    budget: Budget,
    tool_calls: int,
    writes: Mapping[str, int],
    waiting: bool,
    alone: bool = True,
) -> Verdict:
    """Decide about one call.

    `tool_calls` and `writes` (by alias) count what was allowed before it; `waiting` says that the turn
    already holds a wait, `alone` that it holds no other call.
    """
    card = cards.get(call.alias)
    if not call.usable:
        return Refuse(call, "Its arguments can't be used.", denied=False)
    if call.alias in {WAIT, SLEEP}:
        return _one_wait(call, waiting=waiting)
    if call.alias == FINISH:
        return _last(call, alone=alone)
    if call.alias == ASK:
        return AskPerson(call, None)
    if card is None:
        return Refuse(
            call,
            f"There is no tool {call.alias!r}; use one of the tools you were given.",
            denied=False,
            why="unknown_tool",
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
        text = "Only one wait at a time; name all events in one call."
        return Refuse(call, text, denied=False, why="one_wait")
    return WaitFor(call)


def _last(call: ToolCall, *, alone: bool) -> Verdict:
    if not alone:
        text = f"Call {call.alias} alone, when you have seen the results of all other calls."
        return Refuse(call, text, denied=False, why="not_last")
    return Finish(call)


def _limited(
    call: ToolCall, card: ToolCard, *, stage: Stage, budget: Budget, tool_calls: int, written: int
) -> Verdict:
    if tool_calls >= budget.tool_calls:
        text = (
            f"The budget of {budget.tool_calls} tool calls is used up; finish with what you know."
        )
        return Refuse(call, text, denied=True, why="tool_calls")
    consented = AskPerson(call, card) if call.approve else Send(call, card)
    if card.effect is Effect.READ:
        return consented
    if card.max is not None and written >= card.max:
        text = f"{card.server}.{card.name} may be used {card.max} time(s) in this run, and has been; do not try again."
        return Refuse(call, text, denied=True, why="max")
    return Propose(call, card) if stage is Stage.PREVIEW else consented


def using(verdict: Verdict) -> ToolCard | None:
    """The tool that a call uses up once it is allowed; None where it uses none."""
    match verdict:
        case Send(_, card) | Propose(_, card) | AskPerson(_, card):
            return card
        case Refuse() | WaitFor() | Finish():
            return None
