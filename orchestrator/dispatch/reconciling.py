"""Compare what was delivered with what runs have taken: settle it, or send it again when its run is gone."""

from dataclasses import dataclass, field
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
MOST_ASKED: Final = 100
"""Runs that one round asks Temporal for: thousands wait when it is busiest, and nearly all of them are well."""


@dataclass(slots=True, kw_only=True)
class Round:
    """One look at everything overdue; it asks for runs of decisions after `after`, and `last` is the last of them.

    `running` is what it was told, by workflow id.
    """

    after: Decision | None = None
    running: dict[str, bool] = field(default_factory=dict)
    last: Decision | None = None

    def asks(self, decision: Decision) -> bool:
        """Whether it is this decision's turn."""
        known = decision.workflow_id in self.running
        return known or (len(self.running) < MOST_ASKED and self._passed(decision))

    def _passed(self, decision: Decision) -> bool:
        return self.after is None or _place(decision) > _place(self.after)

    @property
    def next(self) -> Decision | None:
        """Where the next round begins; None for the beginning."""
        return self.last if len(self.running) >= MOST_ASKED else None


async def reconcile(means: Means, after: Decision | None = None) -> Round:
    """Go through everything overdue, page by page, and settle what was taken."""
    looking, before, last = Round(after=after), means.now() - OVERDUE, None
    while page := await means.inbox.delivered(before, PAGE, after=last):
        taken = await means.ledger.read(claims.claimed, [decision.id for decision in page])
        for decision in page:
            await _reconciled(means, decision, taken.get(decision.id), looking)
        await means.inbox.close([decision.id for decision in page if decision.id in taken])
        last = page[-1]
    return looking


async def _reconciled(means: Means, decision: Decision, how: str | None, looking: Round) -> None:
    workflow_id = decision.workflow_id or ""
    if how is not None:
        if how == Claim.LATE and decision.action is Action.RESUME:
            # Its run was gone when it woke: the rule that was folded into it acts after all.
            await means.inbox.unfold(decision.event_id, workflow_id, decision.again)
        return
    if not looking.asks(decision):
        return
    if workflow_id not in looking.running:
        looking.running[workflow_id] = await _is_running(means, workflow_id)
        looking.last = decision
    if looking.running[workflow_id]:
        return
    # Asked after its end was seen: what it claimed before is not sent again.
    claimed_since = await means.ledger.read(claims.claimed, [decision.id])
    if claimed_since:
        return
    means.log.warning("dispatch.sent_again", decision=decision.id, run=workflow_id)
    means.counts.retried(decision.action, Retried.RUN_GONE)
    await means.inbox.reopen(decision.id)


def _place(decision: Decision) -> tuple[float, str]:
    at = decision.delivered_at
    return 0.0 if at is None else at.timestamp(), decision.id


async def _is_running(means: Means, workflow_id: str) -> bool:
    try:
        return await means.runs.running(workflow_id)
    except (Unreachable, Undeliverable):
        return True
