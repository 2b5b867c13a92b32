"""How this worker's servers fare: in its log, its counters and the ledger, for `doorbell hands list`; it tries none."""

import asyncio
from collections.abc import Callable
from typing import Any

from orchestrator.agent.hands.definitions import Standing
from orchestrator.database import Database, DatabaseError
from orchestrator.ledger import standings
from orchestrator.ledger.standings import CLOSED, Fared
from orchestrator.telemetry.instruments import RunInstruments


class Faring:
    """One for each worker; `heard` is called by the hands, and what it hears is written by `work`."""

    def __init__(
        self,
        ledger: Database,
        worker: str,
        now: Callable[[], float],
        log: Any,
        counts: RunInstruments,
    ) -> None:
        self._ledger, self._worker, self._now, self._log = ledger, worker, now, log
        self._counts = counts
        self._news: asyncio.Queue[Fared] = asyncio.Queue()

    def heard(self, standing: Standing) -> None:
        """A server begins to be left alone, is tried again, or is well again."""
        now = self._now()
        fared = Fared(
            server=standing.server,
            worker=self._worker,
            state=standing.state,
            failures=standing.failures,
            error=standing.error,
            until=now + standing.again_in,
            at=now,
        )
        self._counts.hands_stood(fared.server, fared.state)
        self._tell(fared, standing.again_in)
        self._news.put_nowait(fared)

    async def work(self) -> None:
        """Write down what is heard, until cancelled."""
        while True:
            fared = await self._news.get()
            try:
                await self._ledger.write(standings.put, fared)
            except DatabaseError as error:
                # It is for people to look at; nothing is decided by it.
                self._log.warning("hands.untold", server=fared.server, reason=str(error))

    def _tell(self, fared: Fared, again_in: float) -> None:
        if fared.state == CLOSED:
            self._log.info("hands.well", server=fared.server)
            return
        self._log.warning(
            f"hands.{fared.state.replace(' ', '_')}",
            server=fared.server,
            failures=fared.failures,
            again_in=round(again_in, 1),
            reason=fared.error,
        )
