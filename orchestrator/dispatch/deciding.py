"""Phase 1: write all decisions of an event in one transaction, in the order of the inbox; it delivers nothing."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from orchestrator.dispatch.means import Means
from orchestrator.dispatch.obeying import followed
from orchestrator.dispatch.skips import skipped
from orchestrator.inbox.inbox import Action, Decision, Entry

BATCH: Final = 64


async def decide_some(means: Means) -> int:
    """Decide about the oldest undecided entries; returns how many."""
    entries = await means.inbox.undecided(BATCH)
    for entry in entries:
        began = means.now()
        found = await followed(means, entry)
        written = await means.inbox.decide(entry.id, found.decisions, means.now(), found.order)
        # Nothing was written where another doorbell has decided about it in the meantime.
        if written or not found.decisions:
            _tell(means, entry, written)
            _count(means, entry, found.source or entry.source, written, began)
    return len(entries)


def _count(
    means: Means, entry: Entry, named_in: str, decisions: Sequence[Decision], began: datetime
) -> None:
    for decision in decisions:
        named = decision.rule or decision.cause
        # What is redelivered is its own source's event; only the word is the person's.
        source = entry.source if decision.event_id == entry.id else named_in
        means.counts.decided(source, named, decision.action)
        why = skipped(decision)
        if why is not None:
            means.counts.skipped(source, named, why)
    acted = sum(decision.action is not Action.IGNORE for decision in decisions)
    about = {"doorbell.decisions": len(decisions), "doorbell.acted": acted}
    means.tracing.decided(entry.id, began, (means.now() - began).total_seconds(), about)


def _tell(means: Means, entry: Entry, decisions: Sequence[Decision]) -> None:
    acted = [d for d in decisions if d.action is not Action.IGNORE]
    means.log.info(
        "event.decided",
        event_id=entry.id,
        source=entry.source,
        type=entry.type,
        actions=[f"{d.action}:{d.rule or d.cause}" for d in acted],
        reason=None if acted else [d.reason for d in decisions][-1:],
    )
