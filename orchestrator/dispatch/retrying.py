"""What a person's `run.retry` means: a new conversation of the same decision, or why there is none; pure.

The rules are not asked again (`event.redeliver` does that): playbook, inputs, key and stage stay what they were. A run
that may have written is only retried by somebody who says that they know it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from msgspec.structs import replace

from orchestrator.dispatch.decide import PERSON, decision_id
from orchestrator.dispatch.words import answer, by
from orchestrator.events import Event
from orchestrator.inbox.inbox import Action, Decision, DecisionState, Entry, EntryState
from orchestrator.ledger.calls import Call
from orchestrator.ledger.conversations import Conversation
from workflows.messages import CallState, RunState
from workflows.playbook import Effect

RETRY: Final = "run.retry"
ONE_BY_ONE: Final = 5
MAY_HAVE_WRITTEN: Final = frozenset({CallState.SENT, CallState.DONE, CallState.UNKNOWN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What is there of the run: its conversation, the decision and the event that opened it, what it called.

    `there` is the open run of its key.
    """

    conversation: Conversation | None = None
    decision: Decision | None = None
    entry: Entry | None = None
    calls: Sequence[Call] = ()
    there: str | None = None


def retried(word: Event, past: Past, position: int, configuration: str) -> list[Decision]:
    """The decision about the word, and the start it brings; `position` is the word's, so that each brings one."""
    why_not = refused(word, past)
    decision = past.decision
    if why_not is not None or decision is None:
        return [answer(word, why_not or "")]
    anew = _anew(word, decision, position, configuration)
    return [_obeyed(word, anew), anew]


def refused(word: Event, past: Past) -> str | None:
    """Why the run can't be retried; None when it can."""
    run_id, found = _run_id(word), past.conversation
    if found is None:
        return f"there is no run {run_id!r}"
    if found.state is not RunState.ENDED:
        first = "resume it, or cancel it" if found.state is RunState.PARKED else "cancel it"
        return f"run {run_id} is {found.state}: {first} first"
    if past.there is not None:
        return f"run {past.there} of its key is open: it is told what comes; cancel it first"
    return _gone(past) or _written(word, past.calls)


def _gone(past: Past) -> str | None:
    decision, entry = past.decision, past.entry
    if decision is None or entry is None or entry.state is EntryState.PRUNED:
        return "the event that opened it is pruned: its body is gone"
    if decision.action is not Action.START:
        return f"{decision.id} is no start: say again what woke it"
    return None


def _written(word: Event, made: Sequence[Call]) -> str | None:
    written = [call for call in made if _may_have_written(call)]
    if not written or word.data.get("again") is True:
        return None
    named = [f"{call.server}.{call.tool} ({call.state})" for call in written[:ONE_BY_ONE]]
    more = f" and {len(written) - len(named)} more" if len(written) > len(named) else ""
    return (
        f"it may have written: {', '.join(named)}{more}; look what became of it, and say --again"
        " to have it done again all the same"
    )


def _may_have_written(call: Call) -> bool:
    return call.effect is not Effect.READ and call.state in MAY_HAVE_WRITTEN


def _anew(word: Event, decision: Decision, position: int, configuration: str) -> Decision:
    return replace(
        decision,
        id=decision_id(decision.event_id, decision.cause, position),
        again=position,
        reason=f"{RETRY} by {by(word)}: once more what run {_run_id(word)} was opened for",
        configuration=configuration,
        state=DecisionState.READY,
        attempts=0,
        decided_at=None,
        delivered_at=None,
        due_at=None,
        note=None,
        tallies=(),
        place=0,
    )


def _obeyed(word: Event, anew: Decision) -> Decision:
    told: dict[str, Any] = {"run": _run_id(word), "decision": anew.id}
    return Decision(
        id=decision_id(word.id, PERSON),
        event_id=word.id,
        cause=PERSON,
        rule="",
        action=Action.CONTROL,
        reason=f"{RETRY} by {by(word)}",
        with_=told,
        state=DecisionState.SETTLED,
    )


def _run_id(word: Event) -> str:
    return str(word.data.get("run", ""))
