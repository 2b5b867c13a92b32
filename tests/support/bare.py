"""The least that Temporal can do with an event: one signal, one local activity; what our own runs are held against."""

import time
from datetime import timedelta

from temporalio import activity, workflow


@activity.defn
async def touch() -> float:
    """When it ran."""
    return time.time()


@workflow.defn
class Bare:
    """One local activity, after one signal."""

    def __init__(self) -> None:
        self.heard = False

    @workflow.signal
    def ring(self) -> None:
        """The event."""
        self.heard = True

    @workflow.run
    async def run(self) -> float:
        """Seconds since 1970 at which the activity ran."""
        await workflow.wait_condition(lambda: self.heard)
        return await workflow.execute_local_activity(
            touch, start_to_close_timeout=timedelta(seconds=5)
        )
