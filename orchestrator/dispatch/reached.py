"""Which run a decision reached, by what is known of the runs its event reached; it looks nothing up."""

from collections.abc import Mapping, Sequence

from orchestrator.inbox.inbox import Action, Decision, DecisionState


def run_reached(
    mine: Decision,
    event_id: str,
    decided: Sequence[Decision],
    reached: Mapping[tuple[str, str], str],
) -> str | None:
    """The run that this sending of the event woke, opened or joined: none that a later sending opened.

    `reached` says the run by (event id or the decision that opened it, workflow id).
    """
    named: str | None = None
    if mine.action in {Action.RESUME, Action.CONTROL}:
        named = mine.with_.get("run")
    if named or mine.action is Action.IGNORE:
        return named
    into = mine.workflow_id or ""
    opened = reached.get((mine.id, into))
    if opened or (mine.again and mine.state is DecisionState.READY):
        # One that is sent again and waits has reached nobody yet; what its event reached was the first one's doing.
        return opened
    later = (one for one in decided if (one.again or 0) > (mine.again or 0))
    found = reached.get((event_id, into))
    return None if found in {reached.get((one.id, into)) for one in later} else found
