"""Which deliveries were missed, and what may be done about one whose bytes are lost; pure.

GitHub tries a delivery once and lists what it tried, newest first, for three days; a redelivery is another attempt
under the same guid. https://docs.github.com/webhooks/using-webhooks/handling-failed-webhook-deliveries
"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby
from typing import Final, Self

STILL: Final = timedelta(minutes=1)
"""An attempt younger than this may still be on its way to us."""

LISTED: Final = timedelta(days=3)
"""For so long GitHub shows a delivery and makes it again when asked."""

ASK_EVERY: Final = timedelta(minutes=30)
MAX_REDELIVERIES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try of GitHub's. `guid` is the delivery's, `id` the try's; `acknowledged`: it was answered with 2xx."""

    id: int
    guid: str
    event: str
    at: datetime
    acknowledged: bool
    redelivery: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A delivery that the inbox doesn't have. `attempt` is its newest; `cut`: its first one isn't listed."""

    guid: str
    attempt: Attempt
    first_at: datetime
    last_at: datetime
    redeliveries: int
    cut: bool


class Outcome(StrEnum):
    """What became of a gap. `known`: the same bytes were there already; `waits`: GitHub was asked a while ago."""

    REINJECTED = "reinjected"
    TOO_OLD = "too_old"
    ASKED_AGAIN = "asked_again"
    FAILED = "failed"
    KNOWN = "known"
    WAITS = "waits"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What one pass, or all of them, did about `found` gaps.

    `too_old` were kept too, or could only have been asked for again, but rules no longer act on them.
    """

    found: int = 0
    reinjected: int = 0
    asked_again: int = 0
    too_old: int = 0
    failed: int = 0

    @classmethod
    def of(cls, outcomes: Iterable[Outcome]) -> Self:
        """Counted."""
        all_ = [outcome for outcome in outcomes if outcome is not Outcome.KNOWN]
        return cls(
            found=len(all_),
            reinjected=all_.count(Outcome.REINJECTED),
            asked_again=all_.count(Outcome.ASKED_AGAIN),
            too_old=all_.count(Outcome.TOO_OLD),
            failed=all_.count(Outcome.FAILED),
        )

    def plus(self, other: "Recovered") -> "Recovered":
        """Both together."""
        return Recovered(
            found=self.found + other.found,
            reinjected=self.reinjected + other.reinjected,
            asked_again=self.asked_again + other.asked_again,
            too_old=self.too_old + other.too_old,
            failed=self.failed + other.failed,
        )


def gaps(
    attempts: Iterable[Attempt],
    seen: AbstractSet[str],
    oldest: datetime | None,
    now: datetime,
) -> list[Gap]:
    """What was missed, oldest first.

    `seen` are the guids that the inbox has, and `oldest` is when its first delivery of this source came. What somebody
    acknowledged before that is another inbox's; what GitHub may still be delivering is left alone.
    """
    listed = sorted(attempts, key=lambda attempt: (attempt.guid, attempt.at, attempt.id))
    tried = [list(group) for _, group in groupby(listed, key=lambda attempt: attempt.guid)]
    missed = [
        group
        for group in tried
        if group[0].guid not in seen
        and group[-1].at <= now - STILL
        and not _elsewhere(group, oldest)
    ]
    # Their times are whole seconds, their ids grow.
    return [_gap(group) for group in sorted(missed, key=lambda group: (group[0].at, group[0].id))]


def remedy(gap: Gap, catch_up: timedelta, asked_at: datetime | None, now: datetime) -> Outcome:
    """What to do about a gap whose bytes can't be rebuilt; `asked_at` is when we last asked for it."""
    if now - gap.first_at > catch_up:
        # What GitHub sends again comes without its age, so rules would act on it.
        return Outcome.TOO_OLD
    if gap.redeliveries >= MAX_REDELIVERIES or now - gap.first_at > LISTED:
        return Outcome.FAILED
    asked = [at for at in (asked_at, gap.last_at if gap.redeliveries else None) if at is not None]
    return Outcome.WAITS if asked and now - max(asked) < ASK_EVERY else Outcome.ASKED_AGAIN


def _gap(group: list[Attempt]) -> Gap:
    first, last = group[0], group[-1]
    return Gap(
        guid=first.guid,
        attempt=last,
        first_at=first.at,
        last_at=last.at,
        redeliveries=sum(attempt.redelivery for attempt in group),
        cut=first.redelivery,
    )


def _elsewhere(group: list[Attempt], oldest: datetime | None) -> bool:
    acknowledged = [attempt.at for attempt in group if attempt.acknowledged]
    return bool(acknowledged) and (oldest is None or min(acknowledged) < oldest)
