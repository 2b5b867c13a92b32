"""What becomes of a decision once it is known how often its like acted; pure, it counts nothing itself."""

from msgspec.structs import replace

from orchestrator.inbox.inbox import Action, Decision, DecisionState
from orchestrator.inbox.tallies import Found, Over, Tally, over
from orchestrator.rules.rule import Finding


def counts(decision: Decision) -> bool:
    """Whether it acts under a limit; what is folded doesn't, unless it is unfolded one day."""
    acts = decision.action is not Action.IGNORE and decision.state is not DecisionState.FOLDED
    return bool(decision.tallies) and acts


def judged(decision: Decision, found: Found) -> Decision:
    """The decision, or one that leaves the event alone because a limit has no room for it."""
    full = over(decision.tallies, found) if counts(decision) else None
    return decision if full is None else _left_alone(decision, full)


def _left_alone(decision: Decision, full: Over) -> Decision:
    return replace(
        decision,
        action=Action.IGNORE,
        reason=full.reason,
        trace=(*decision.trace, _finding(full)),
        state=DecisionState.SETTLED,
        workflow_id=None,
        lane=None,
        tallies=(),
    )


def _finding(full: Over) -> Finding:
    tally = full.tally
    return Finding(
        path=tally.what,
        operator="at most",
        expected=f"{_limit(tally)} for {tally.who}",
        actual=full.nth,
        held=False,
    )


def _limit(tally: Tally) -> str:
    """The limit in the file's own words: 5/h, or 1 in 24h."""
    return tally.said if "/" in tally.said else f"{tally.most} in {tally.said}"
