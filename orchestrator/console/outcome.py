"""What has come of a person's word so far, read from the inbox and the ledger; it waits for nothing."""

from dataclasses import dataclass, replace
from typing import Any, Final

from orchestrator import asked
from orchestrator.console.questions import Shown
from orchestrator.database import Transaction
from orchestrator.dispatch.decide import PERSON
from orchestrator.dispatch.retrying import RETRY
from orchestrator.dispatch.starting import START
from orchestrator.inbox.inbox import Action, Decision
from orchestrator.ledger import approvals, conversations
from orchestrator.stores import Stores
from workflows.approvals import Standing

ANSWERS: Final = frozenset({"run.approve", "run.deny", "run.answer"})
BEGINS: Final = frozenset({START, RETRY})
ABOUT_A_RUN: Final = frozenset({"run.resume", "run.apply", "run.cancel"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A word, the event that records it, what was decided, the run it reached, the request as it stands after it."""

    kind: str
    event: str
    named: str
    decision: Decision | None = None
    run: str | None = None
    opened: bool | None = None
    request: Shown | None = None

    @property
    def became(self) -> str | None:
        """What came of an answer, as its run wrote it down."""
        words = [] if self.request is None else self.request["words"]
        return next((one["became"] for one in words if one["event"] == self.event), None)

    @property
    def refused_at_once(self) -> bool:
        """Whether the service would not do it."""
        return self.decision is not None and self.decision.action is Action.IGNORE

    @property
    def refused(self) -> bool:
        """Whether it changed nothing."""
        return self.refused_at_once or (self.became or "").startswith(("refused", "too late"))

    @property
    def over(self) -> bool:
        """Whether nothing more is to be waited for."""
        if self.refused:
            # What an answer came to may stand in the ledger before its decision does.
            return self.decision is not None
        if self.kind in ANSWERS:
            return self._answered()
        return self.decision is not None and (self.kind not in BEGINS or self.run is not None)

    @property
    def reason(self) -> str | None:
        """What came of it, in words."""
        decision = self.decision
        if decision is not None and (self.kind not in ANSWERS or self.refused_at_once):
            return decision.reason
        if self.kind not in ANSWERS:
            return None
        if self.became is None:
            return "recorded; its run has not taken it yet"
        if self.became != Standing.APPROVED or self.request is None:
            return self.became
        made = self.request["became"]
        return "approved; not executed yet" if made == Standing.APPROVED else f"approved, {made}"

    def told(self) -> Shown:
        """For programs."""
        return {
            "event": self.event,
            "named": self.named,
            "accepted": None if self.decision is None else not self.refused,
            "done": None if not self.over else not self.refused,
            "reason": self.reason,
            "run": self.run,
            "opened": self.opened,
            "workflow": None if self.decision is None else self.decision.workflow_id,
            "became": self.became,
            "request": self.request,
        }

    def _answered(self) -> bool:
        if self.became in {"denied", "answered"}:
            return True
        settled = self.request is not None and self.request["became"] != Standing.APPROVED
        return self.became is not None and settled


async def looked(stores: Stores, outcome: Outcome) -> Outcome:
    """The same, as it is now."""
    decided = (await stores.inbox.decisions([outcome.event])).get(outcome.event, [])
    decision = next((one for one in decided if one.cause == PERSON), None)
    found = replace(outcome, decision=decision)
    if outcome.kind in ANSWERS:
        request = await stores.ledger.read(_request, outcome.named)
        return replace(found, request=request, run=None if request is None else request["run"])
    if outcome.kind in ABOUT_A_RUN:
        return replace(found, run=outcome.named)
    if outcome.kind in BEGINS and decision is not None:
        run, opened = await stores.ledger.read(_reached, decision)
        return replace(found, run=run, opened=opened)
    return found


def _request(connection: Transaction, code: str) -> Shown | None:
    found = approvals.by_code(connection, code)
    return None if found is None else asked.whole(connection, found)


def _reached(connection: Transaction, decision: Decision) -> tuple[str | None, bool]:
    anew: Any = decision.with_.get("decision")
    opened = conversations.by_decision(connection, str(anew) if anew else decision.id)
    if opened is not None:
        return opened.run_id, True
    reached = conversations.by_events(connection, [decision.event_id])
    return reached.get((decision.event_id, decision.workflow_id or "")), False
