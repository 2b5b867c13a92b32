"""Why an event was left alone, as one of a closed set that is counted; pure, it has no words for people."""

from collections.abc import Mapping
from typing import Final

from orchestrator.dispatch.decide import BROKEN, OURSELVES
from orchestrator.dispatch.limits import UNSURE
from orchestrator.inbox.inbox import Action, Decision
from orchestrator.inbox.tallies import Tallied
from orchestrator.telemetry.words import Skipped

FAULTS: Final = (BROKEN, UNSURE)
"""How the reason begins where it is the files' fault that an event is left alone."""

FAILED: Final[Mapping[str, Skipped]] = {
    Tallied.ACTOR: Skipped.PER_ACTOR,
    Tallied.KEY: Skipped.PER_KEY,
    Tallied.COOLDOWN: Skipped.COOLDOWN,
    Tallied.DEDUPE: Skipped.DEDUPE,
    "backstop": Skipped.BACKSTOP,
}
"""What it was left alone for, by the place in the rule's file that decided."""

GROUPS: Final = (
    ("trust.max_hops", Skipped.LOOP),
    ("trust.", Skipped.TRUST),
    ("when", Skipped.NO_MATCH),
    ("on", Skipped.NO_MATCH),
)
"""The same by how the place begins that failed first, where none of those did."""


def skipped(decision: Decision) -> Skipped | None:
    """Why the event was left alone; None where it was not."""
    if decision.action is not Action.IGNORE:
        return None
    if decision.cause == OURSELVES:
        return Skipped.TRUST
    if decision.reason.startswith(FAULTS):
        return Skipped.BROKEN
    failed = [finding.path for finding in decision.trace if not finding.held]
    if not failed:
        return Skipped.OTHER
    known = FAILED.get(failed[-1])
    begun = (word for group, word in GROUPS if failed[0].startswith(group))
    return known or next(begun, Skipped.OTHER)
