"""One tick of one rule's schedule: Temporal's clock starts it, it rings once, durably; it knows no rule and no door.

It lives until the service has the tick on disk, however often the service dies on the way, or for a day.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from temporalio import activity, workflow
from temporalio.common import RetryPolicy, SearchAttributeKey

LIFE = timedelta(days=1)
"""As long as a tick waits for a service that is away."""

ATTEMPT = timedelta(seconds=20)
RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    backoff_coefficient=2,
    maximum_interval=timedelta(seconds=30),
)
DUE = SearchAttributeKey.for_datetime("TemporalScheduledStartTime")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Whose clock it is, and how it is set; `form` is the version of what else we ask of Temporal for it."""

    rule: str
    cron: str
    zone: str
    form: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A tick: `scheduled_for` is the time the schedule names, `rang_at` when Temporal kept it; both ISO 8601 in UTC."""

    clock: Clock
    scheduled_for: str
    rang_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What came of it: the event in the inbox, and `kept`, `duplicate` or `quarantined`."""

    event: str
    status: str


@activity.defn(name="ring")
async def ring(due: Due) -> Kept:
    """Put the tick into the inbox; the same one twice is a duplicate. Implemented by the service."""
    raise NotImplementedError


@workflow.defn(name="Tick")
class Tick:
    """Ring once."""

    @workflow.run
    async def run(self, clock: Clock) -> Kept:
        """Until it is in the inbox."""
        info = workflow.info()
        due = Due(
            clock=clock,
            scheduled_for=_said(info.typed_search_attributes.get(DUE) or info.start_time),
            rang_at=_said(info.start_time),
        )
        return await workflow.execute_activity(
            ring, due, start_to_close_timeout=ATTEMPT, retry_policy=RETRY
        )


def _said(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
