"""Why an event was left alone, as one of a closed set that is counted; pure, it has no words for people."""

from collections.abc import Mapping
from typing import Final

from orchestrator.dispatch.decide import BROKEN, OURSELVES
from orchestrator.inbox.inbox import Action, Decision
from orchestrator.inbox.tallies import Tallied
from orchestrator.telemetry.words import Skipped

FAILED: Final[Mapping[str, Skipped]] = {
    Tallied.ACTOR: Skipped.PER_ACTOR,
    Tallied.KEY: Skipped.PER_KEY,
    Tallied.COOLDOWN: Skipped.COOLDOWN,
    Tallied.DEDUPE: Skipped.DEDUPE,
    "backstop": Skipped.BACKSTOP,
}
"""What it was left alone for, by the place in the rule's file that decided."""

GROUPS: Final = (("trust", Skipped.TRUST), ("when", Skipped.NO_MATCH), ("on", Skipped.NO_MATCH))


def skipped(decision: Decision) -> Skipped | None:
    """Why the event was left alone; None where it was not."""
    if decision.action is not Action.IGNORE:
        return None
    if decision.cause == OURSELVES:
        return Skipped.TRUST
    if decision.reason.startswith(BROKEN):
        return Skipped.BROKEN
    failed = [finding.path for finding in decision.trace if not finding.held]
    if not failed:
        return Skipped.OTHER
    known = FAILED.get(failed[-1])
    first = failed[0].partition(".")[0]
    return known or next((word for group, word in GROUPS if first == group), Skipped.OTHER)
