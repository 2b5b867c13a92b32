"""The loop that notices when a source falls silent and when it is heard again; it knows no clock and no vendor."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Never, Protocol

from orchestrator.loops import forever
from orchestrator.recovery.silence import Silence, silence
from orchestrator.sources.source import Source

LOOK_EVERY: Final = timedelta(minutes=1)


class Newest(Protocol):
    """The one thing asked of the inbox."""

    async def newest(self, source: str) -> datetime | None:
        """When its newest delivery came."""


class Tell(Protocol):
    """Where the standing of a source is counted."""

    def __call__(self, source: str, *, is_silent: bool) -> None:
        """As it is now."""


class Hearing:
    """One for each service. `sources` answers with what is in force now; silence is told once, and its end once."""

    def __init__(
        self,
        sources: Callable[[], Mapping[str, Source]],
        inbox: Newest,
        now: Callable[[], datetime],
        log: Any,
        *,
        tell: Tell | None = None,
        look_every: timedelta = LOOK_EVERY,
    ) -> None:
        self._sources = sources
        self._inbox = inbox
        self._now = now
        self._log = log
        self._counted = tell
        self._started_at = now()
        self._look_every = look_every
        self._standing: dict[str, Silence] = {}

    def standing(self) -> list[Silence]:
        """Every source of which something is expected, by name, as it was at the last look."""
        return [found for _, found in sorted(self._standing.items())]

    async def work(self) -> Never:
        """Look every minute until cancelled; a failure is logged and the next look comes."""
        await forever("silence", self.look, self._rest, self._log)

    async def look(self) -> int:
        """Look once at each; says how many are silent."""
        expected = {
            name: source.expect
            for name, source in self._sources().items()
            if source.expect is not None
        }
        found = {name: await self._heard(name, expect) for name, expect in expected.items()}
        for name, one in found.items():
            self._tell(self._standing.get(name), one)
        self._standing = found
        return sum(one.silent for one in found.values())

    async def _heard(self, name: str, expect: timedelta) -> Silence:
        before = self._standing.get(name)
        # What was pruned since was heard all the same.
        heard_at = await self._inbox.newest(name) or (None if before is None else before.heard_at)
        return silence(name, expect, heard_at, self._started_at, self._now())

    def _tell(self, before: Silence | None, after: Silence) -> None:
        if self._counted is not None:
            self._counted(after.source, is_silent=after.silent)
        if after.silent == (before is not None and before.silent):
            return
        heard_at = None if after.heard_at is None else after.heard_at.isoformat()
        seconds = int(after.expect.total_seconds())
        said = {"source": after.source, "expect_seconds": seconds, "heard_at": heard_at}
        if after.silent:
            self._log.warning("source.silent", **said)
        else:
            self._log.info("source.heard", **said)

    async def _rest(self, _silent: int) -> None:
        await asyncio.sleep(self._look_every.total_seconds())
