"""`schedule:` of a rule: when the clock rings for it; a value, and no clock."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from orchestrator.rules.cron import Cron


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Five fields of cron in a time zone of the IANA database."""

    cron: Cron
    zone: str

    def after(self, moment: datetime) -> Iterator[datetime]:
        """The times it names after a moment, in UTC; see `Cron.after`."""
        return self.cron.after(moment, self.zone)

    @property
    def said(self) -> str:
        """In a line, as people write it."""
        return f"{self.cron.text} {self.zone}"
