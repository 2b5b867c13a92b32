"""At the door: what an MCP server says of a subscription is noted before it is kept; it asks no server.

Noted first, because a server that got its 2xx never says it again. Killed between the two, the server says it once
more, and asking once more for what we have does no harm.
"""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from orchestrator.database import Database
from orchestrator.doorbell.receive import Keeps
from orchestrator.inbox import subscriptions
from orchestrator.inbox.inbox import Arrival, Receipt
from orchestrator.sources.mcp_events import GAP, TERMINATED, marks_of
from orchestrator.subscribing.pace import after_end
from orchestrator.telemetry.words import Subscription

Tell = Callable[[str, Subscription, str], None]
"""Counts: the source, what became of a subscription, and why."""

LONGEST_SAID: Final = 300


class Heeding:
    """Keeps deliveries as another does; `poke` hears of every word that asks for something to be done."""

    def __init__(
        self,
        keeps: Keeps,
        database: Database,
        now: Callable[[], datetime],
        jitter: Callable[[], float],
        log: Any,
        tell: Tell,
        poke: Callable[[], None],
    ) -> None:
        self._keeps, self._database = keeps, database
        self._now, self._jitter = now, jitter
        self._log, self._tell, self._poke = log, tell, poke

    async def keep(self, arrival: Arrival) -> Receipt:
        """See `Keeps.keep`."""
        if arrival.type in {GAP, TERMINATED}:
            for mark in marks_of(arrival.keys):
                await self._note(arrival, mark)
        return await self._keeps.keep(arrival)

    async def _note(self, arrival: Arrival, mark: str) -> None:
        said, now = _said(arrival.body), self._now()
        about = {"source": arrival.source, "type": arrival.subject, "mark": mark}
        if arrival.type == GAP:
            await self._database.write(subscriptions.skipped, mark, _cursor(said), now)
            self._log.warning("subscription.gap", why="its server skipped events", **about)
            self._tell(arrival.source, Subscription.GAP, "")
            return
        error = _error(said)

        def due(troubles: int) -> datetime:
            return after_end(troubles, now, self._jitter)

        await self._database.write(subscriptions.ended, mark, error, now, due)
        self._log.warning("subscription.terminated", error=error, **about)
        self._tell(arrival.source, Subscription.TERMINATED, "")
        self._poke()


def _said(body: bytes) -> dict[str, Any]:
    said = json.loads(body)
    return said if isinstance(said, dict) else {}


def _cursor(said: dict[str, Any]) -> str | None:
    cursor = said.get("cursor")
    return cursor if isinstance(cursor, str) else None


def _error(said: dict[str, Any]) -> str:
    error = said.get("error")
    found = error if isinstance(error, dict) else {}
    words = f"{found.get('message', 'its server ended it')} ({found.get('code', 'without a code')})"
    return words.replace("\n", " ")[:LONGEST_SAID]
