"""Whether a decided event reaches a run that waits by another way than its wait; pure, it asks and decides nothing.

An event that came before the wait may be on its way into the run already, by a rule or by another wait. What a run
has turned away, and what will not be delivered, reaches it by no way; of the rest it isn't known before it is taken.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

from orchestrator.inbox.inbox import Action, Decision, DecisionState
from workflows.flow import Mode
from workflows.messages import Claim


class Reach(StrEnum):
    """Whether it does; `unknown` is to be asked again."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


TAKEN: Final = frozenset({Claim.CONSUMED, Claim.COALESCED})
"""How a run claims what it hears; the other words say that it doesn't."""

TURNED_AWAY: Final = frozenset({Mode.SINGLE, Mode.SUPERSEDE})
"""Modes whose events an open run may turn away; those of the others it hears, sooner or later."""


def reach(
    decided: Sequence[Decision], taken: Mapping[str, str], workflow_id: str, wait_id: str
) -> Reach:
    """Whether an event goes into this workflow otherwise, by its decisions and how runs have claimed them."""
    if any(one.wait_id == wait_id for one in decided):
        return Reach.NO
    ways = {
        _way(one, taken.get(one.id))
        for one in decided
        if one.action in {Action.START, Action.RESUME} and one.workflow_id == workflow_id
    }
    if Reach.YES in ways:
        return Reach.YES
    return Reach.UNKNOWN if Reach.UNKNOWN in ways else Reach.NO


def _way(decision: Decision, how: str | None) -> Reach:
    match decision.state:
        case DecisionState.READY | DecisionState.FOLDED:
            # Undelivered it may be buried yet; a folded one acts if what folded it comes too late.
            return Reach.UNKNOWN
        case DecisionState.DEAD:
            return Reach.NO
        case DecisionState.DELIVERED | DecisionState.SETTLED if how is not None:
            return Reach.YES if how in TAKEN else Reach.NO
        case DecisionState.DELIVERED:
            return _in_the_mailbox(decision)
        case DecisionState.SETTLED:
            # Nobody claimed it: a person has discarded it.
            return Reach.NO


def _in_the_mailbox(decision: Decision) -> Reach:
    turned_away = decision.action is Action.RESUME or decision.flow.mode in TURNED_AWAY
    return Reach.UNKNOWN if turned_away else Reach.YES
