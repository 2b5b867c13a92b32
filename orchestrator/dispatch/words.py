"""What a person's word about the inbox itself means, or why it is refused; pure, it carries out nothing.

`event.redeliver`, `decision.retry`, `decision.discard`, and `pause` and `unpause` of a rule or a source. Words to
runs are a delivery like others: `decide` has them.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from orchestrator.dispatch.decide import PERSON, decision_id
from orchestrator.events import Event
from orchestrator.inbox.inbox import Action, Decision, DecisionState, Entry, EntryState
from orchestrator.inbox.orders import Discard, Drain, Hold, Order, Pausable, Retry
from orchestrator.sources.source import OPERATOR

REDELIVER: Final = "event.redeliver"
OVER: Final = frozenset({DecisionState.DELIVERED, DecisionState.SETTLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is there to be ordered about: the named decision with those beside it, and the names that are known."""

    decision: Decision | None = None
    beside: Sequence[Decision] = ()
    rules: Collection[str] = ()
    sources: Collection[str] = ()


def named(event: Event, what: str) -> str:
    """The id or name that stands under `what` in a word."""
    return str(event.data.get(what, ""))


def ordered(event: Event, found: Found) -> Order | str:
    """What the word orders, or why it is refused."""
    match event.type:
        case "decision.retry":
            return _retry(event, found)
        case "decision.discard":
            return _discard(event, found)
        case "rule.pause" | "source.pause":
            return _pause(event, found)
        case "rule.unpause" | "source.unpause":
            what = _pausable(event)
            return Drain(what=what, name=named(event, what))
        case _:
            return f"nobody knows what {event.type!r} means"


def refused(entry: Entry | None, event_id: str) -> str | None:
    """Why an event can't be redelivered; None when it can."""
    if entry is None:
        return f"there is no event {event_id!r}"
    if entry.source == OPERATOR:
        return f"{entry.id} is what a person said: say it again instead"
    match entry.state:
        case EntryState.DECIDED:
            return None
        case EntryState.RECEIVED:
            return f"{entry.id} has not been decided about yet: it still acts by itself"
        case EntryState.QUARANTINED:
            return f"{entry.id} is quarantined: it came under the id of {entry.duplicate_of} with other bytes"
        case EntryState.PRUNED:
            return f"{entry.id} is pruned: its body is gone"


def answer(event: Event, said: Order | str, follows: str = "") -> Decision:
    """The decision about the word itself: obeyed, with what follows from it, or ignored with the reason."""
    if isinstance(said, str):
        return _decision(event, Action.IGNORE, said)
    obeyed = f"{event.type} by {by(event)}"
    return _decision(event, Action.CONTROL, f"{obeyed}: {follows}" if follows else obeyed)


def redelivered(event: Event, decisions: Sequence[Decision]) -> Decision:
    """The decision about a word that redelivers, which says what came of it."""
    acting = sum(decision.action is not Action.IGNORE for decision in decisions)
    said = f"{event.type} by {by(event)}: {len(decisions)} decided anew, {acting} of them act"
    return _decision(event, Action.CONTROL, said)


def by(event: Event) -> str:
    """Who says it."""
    return str(event.data.get("by", "a person"))


def _retry(event: Event, found: Found) -> Order | str:
    dead = _dead(event, found)
    if isinstance(dead, str):
        return dead
    instead = _acted_instead(dead, found.beside)
    if instead is not None:
        return f"the rule has acted in place of {dead.id}: see {instead.id}"
    return Retry(dead.id)


def _discard(event: Event, found: Found) -> Order | str:
    dead = _dead(event, found)
    if isinstance(dead, str):
        return dead
    return Discard(dead.id, f"discarded by {by(event)}; it was dead: {dead.note}")


def _dead(event: Event, found: Found) -> Decision | str:
    decision = found.decision
    if decision is None:
        return f"there is no decision {named(event, 'decision')!r}"
    if decision.state is not DecisionState.DEAD:
        return f"{decision.id} is not a dead letter: it is {decision.state}"
    return decision


def _acted_instead(dead: Decision, beside: Sequence[Decision]) -> Decision | None:
    """The start that a resume had outranked, if it was delivered when the resume was buried."""
    if dead.action is not Action.RESUME:
        return None
    run = (dead.workflow_id, dead.again)
    starts = (one for one in beside if one.action is Action.START and one.state in OVER)
    return next((one for one in starts if (one.workflow_id, one.again) == run), None)


def _pause(event: Event, found: Found) -> Order | str:
    what = _pausable(event)
    name = named(event, what)
    known = found.rules if what is Pausable.RULE else found.sources
    if name == OPERATOR and what is Pausable.SOURCE:
        return "what a person says can't be paused: nobody could unpause it"
    if name not in known:
        return f"there is no {what} {name!r}; expected one of {', '.join(sorted(known)) or 'none'}"
    return Hold(what=what, name=name, by=by(event))


def _pausable(event: Event) -> Pausable:
    return Pausable(event.type.partition(".")[0])


def _decision(event: Event, action: Action, reason: str) -> Decision:
    return Decision(
        id=decision_id(event.id, PERSON),
        event_id=event.id,
        cause=PERSON,
        rule="",
        action=action,
        reason=reason,
        state=DecisionState.SETTLED,
    )
