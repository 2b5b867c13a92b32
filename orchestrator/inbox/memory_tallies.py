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
        """The decisions as they must be written; what acts under a limit is counted, and what is past its use goes."""
        written = self.held_against(decisions)
        for decision in filter(counts, written):
            for tally in decision.tallies:
                self._sweep(tally.bucket, now)
        return written

    def held_against(self, decisions: Sequence[Decision]) -> list[Decision]:
        """The decisions as they must be written; what acts under a limit is counted."""
        found = {
            tally.bucket: self._near(tally) for decision in decisions for tally in decision.tallies
        }
        written = [judged(decision, found) for decision in decisions]
        for decision in filter(counts, written):
            for tally in decision.tallies:
                self._count(tally, decision.event_id)
        return written

    def _near(self, tally: Tally) -> list[Counted]:
        counted = self._counted.get(tally.bucket, {})
        return [one for one in counted if abs(one.at - tally.at) < tally.window]

    def _sweep(self, bucket: str, now: datetime) -> None:
        counted = self._counted[bucket]
        for one in [one for one, until in counted.items() if until < now]:
            del counted[one]

    def _count(self, tally: Tally, event_id: str) -> None:
        counted = self._counted.setdefault(tally.bucket, {})
        counted[Counted(at=tally.at, event_id=event_id)] = tally.until
