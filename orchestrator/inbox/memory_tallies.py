"""What acted under a limit, in memory; it knows buckets and moments, and no rule."""

from collections.abc import Sequence
from datetime import datetime

from orchestrator.inbox.inbox import Decision
from orchestrator.inbox.judging import counts, judged
from orchestrator.inbox.tallies import Counted, Tally


class Tallies:
    """What was counted, by bucket, with the moment from which it is of no use."""

    def __init__(self) -> None:
        self._counted: dict[str, dict[Counted, datetime]] = {}

    def judged(self, decisions: Sequence[Decision], now: datetime) -> list[Decision]:
        """The decisions as they must be written; what acts under a limit is counted."""
        found = {
            tally.bucket: self._near(tally) for decision in decisions for tally in decision.tallies
        }
        written = [judged(decision, found) for decision in decisions]
        for decision in filter(counts, written):
            for tally in decision.tallies:
                self._count(tally, decision.event_id, now)
        return written

    def _near(self, tally: Tally) -> list[Counted]:
        counted = self._counted.get(tally.bucket, {})
        return [one for one in counted if abs(one.at - tally.at) < tally.window]

    def _count(self, tally: Tally, event_id: str, now: datetime) -> None:
        counted = self._counted.setdefault(tally.bucket, {})
        for one in [one for one, until in counted.items() if until < now]:
            del counted[one]
        counted[Counted(at=tally.at, event_id=event_id)] = tally.until
