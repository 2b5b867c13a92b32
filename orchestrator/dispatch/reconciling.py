"""Compare what was delivered with what runs have taken: settle it, or send it again when its run is gone."""

from datetime import timedelta
from typing import Final

from orchestrator.dispatch.means import Means
from orchestrator.dispatch.runs import Undeliverable, Unreachable
from orchestrator.inbox.inbox import Action, Decision
from orchestrator.ledger import claims
from orchestrator.telemetry.words import Retried
from workflows.messages import Claim

OVERDUE: Final = timedelta(seconds=30)
"""A delivery that no run has taken for so long is looked at."""

PAGE: Final = 64


async def reconcile(means: Means) -> int:
    """Go through everything overdue, page by page; returns how many runs were asked for."""
    before, last = means.now() - OVERDUE, None
    running: dict[str, bool] = {}
    while page := await means.inbox.delivered(before, PAGE, after=last):
        taken = await means.ledger.read(claims.claimed, [decision.id for decision in page])
        for decision in page:
            await _reconciled(means, decision, taken.get(decision.id), running)
        await means.inbox.close([decision.id for decision in page if decision.id in taken])
        last = page[-1]
    return len(running)


async def _reconciled(
    means: Means, decision: Decision, how: str | None, running: dict[str, bool]
) -> None:
    workflow_id = decision.workflow_id or ""
    if how is not None:
        if how == Claim.LATE and decision.action is Action.RESUME:
            # Its run was gone when it woke: the rule that was folded into it acts after all.
            await means.inbox.unfold(decision.event_id, workflow_id, decision.again)
        return
    if workflow_id not in running:
        running[workflow_id] = await _is_running(means, workflow_id)
    claimed_since = await means.ledger.read(claims.claimed, [decision.id])
    if not running[workflow_id] and not claimed_since:
        means.log.warning("dispatch.sent_again", decision=decision.id, run=workflow_id)
        means.counts.retried(decision.action, Retried.RUN_GONE)
        await means.inbox.reopen(decision.id)


async def _is_running(means: Means, workflow_id: str) -> bool:
    try:
        return await means.runs.running(workflow_id)
    except (Unreachable, Undeliverable):
        return True
