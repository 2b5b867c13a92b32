"""A dispatcher as a process of its own, with short patience, for tests that kill it; it opens no door.

It works over whatever the environment names, as `doorbell serve` would. While the file named by HOLD exists, it stops
once at the instant named by HOLD_AT: `leased` (a decision is its own, nothing was sent) or `delivered` (Temporal has
it, the inbox doesn't know yet), and leaves a file HOLD.held there.
"""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from typing_extensions import override

from orchestrator import temporal
from orchestrator.dispatch import delivering, dispatcher, reconciling
from orchestrator.dispatch.dispatcher import Dispatcher
from orchestrator.dispatch.runs import TemporalRuns
from orchestrator.inbox.inbox import Decision
from orchestrator.secrets import Secret
from orchestrator.settings import Settings, environment
from orchestrator.sources.operator import operator_source
from orchestrator.sources.source import OPERATOR
from orchestrator.state import StateDirectory
from orchestrator.stores import Stores, configuration_reader

LEASE = timedelta(seconds=3)
LOOK = 1.0


@dataclass(frozen=True, slots=True)
class HeldRuns(TemporalRuns):
    """Runs, between which and the inbox it can be held."""

    hold: Path | None = None
    instant: str = ""

    @override
    async def deliver(self, decision: Decision, source: str) -> None:
        await self._at("leased")
        await TemporalRuns.deliver(self, decision, source)
        await self._at("delivered")

    async def _at(self, instant: str) -> None:
        if self.hold is not None and self.instant == instant and self.hold.exists():
            self.hold.with_suffix(".held").touch()
            while self.hold.exists():  # noqa: ASYNC110 - another process can't set an Event
                await asyncio.sleep(0.02)


def dispatch() -> None:
    """Dispatch until killed; what another one had leased is taken over after 3 s instead of 30."""
    delivering.LEASE = LEASE
    reconciling.OVERDUE = LEASE
    dispatcher.RECONCILE_EVERY = LOOK
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    asyncio.run(_work(Settings(), environment()))


async def _work(settings: Settings, around: Mapping[str, str]) -> None:
    state = StateDirectory(settings.state)
    stores = Stores.open(state, settings.database)
    if settings.database is None:
        await stores.inbox.free_leases()
    client = await temporal.connect(settings.temporal or "", settings.namespace)
    read = configuration_reader(settings.config, around)
    operator = operator_source(Secret("file:operator.secret", state.operator_secret()))
    hold = Path(around["HOLD"]) if "HOLD" in around else None
    one = Dispatcher(
        inbox=stores.inbox,
        ledger=stores.ledger,
        runs=HeldRuns(client, settings.task_queue, hold, around.get("HOLD_AT", "")),
        configuration=read,
        sources=lambda: {**read().sources, OPERATOR: operator},
        now=lambda: datetime.now(UTC),
        log=structlog.get_logger(pid=os.getpid()),
    )
    await one.work()
