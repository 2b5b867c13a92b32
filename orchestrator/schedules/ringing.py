"""Ring our own door for a tick; it knows neither rules nor when one is due.

A tick goes the ordinary way of a delivery, signed like any other, so one table holds this cause too. Killed after
the commit and before the word of it reached Temporal, it rings again, and the door calls that a duplicate.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from temporalio import activity

from orchestrator.errors import OperatorError
from orchestrator.recovery.indoors import Late, Ring
from orchestrator.rules.cron import Cron
from orchestrator.sources.schedule import tick
from orchestrator.sources.source import SCHEDULE
from workflows.tick import Due, Kept


@dataclass(frozen=True, slots=True)
class Ringing:
    """The activity of the service; `door` is how to ring it, `secret` what it knows us by."""

    door: Ring
    secret: str
    now: Callable[[], datetime]

    @activity.defn(name="ring")
    async def ring(self, due: Due) -> Kept:
        """See `workflows.tick.ring`. Raises `OperatorError` while the door defers; Temporal tries again."""
        clock, scheduled_for = due.clock, datetime.fromisoformat(due.scheduled_for)
        signed = tick(
            self.secret,
            self.now(),
            rule=clock.rule,
            cron=clock.cron,
            zone=clock.zone,
            scheduled_for=scheduled_for,
            previous=next(Cron.parse(clock.cron).before(scheduled_for, clock.zone)),
        )
        rung = await self.door(
            Late(
                source=SCHEDULE,
                headers=signed.headers,
                body=signed.body,
                sent_at=datetime.fromisoformat(due.rang_at),
            )
        )
        if rung.status != HTTPStatus.ACCEPTED:
            said = rung.told.get("detail", "nothing")
            raise OperatorError(
                f"the door answered {rung.status} to a tick of ours, and said: {said}"
            )
        told = rung.told
        return Kept(event=told["duplicate_of"] or told["event"], status=told["status"])
