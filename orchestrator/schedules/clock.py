"""The clock of a service: two loops, one that keeps Temporal's schedules as the rules say, one that hears them tick.

Nothing waits for it: a service without Temporal opens its door all the same, and there is no tick until it is back.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from typing import Any, Final, Never, Protocol

from temporalio.client import Client
from temporalio.service import RPCError

from orchestrator.inbox.orders import Pausable, Pause
from orchestrator.loops import forever
from orchestrator.rules.rule import Rule
from orchestrator.schedules.keeping import Changes, Schedules, Wanted
from orchestrator.schedules.ringing import Ringing

LOOK_EVERY: Final = timedelta(seconds=5)
"""So soon a changed rule or a pause reaches Temporal."""

LOOK_AFRESH: Final = timedelta(minutes=10)
"""So often Temporal is asked although nothing changed here: somebody may have deleted a schedule there."""

REFUSED: Final = "this rule rings as it did before, or not at all; name another zone, or a Temporal that knows it"
HEARING: Final = "orchestrator.schedules.hearing"


class Pauses(Protocol):
    """The one thing asked of the inbox."""

    async def pauses(self) -> list[Pause]:
        """What is paused now."""


Connect = Callable[[], Awaitable[Client]]
"""A connection of its own: a worker can't use one that is made only when it is needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a clock is made of; `rules` answers with those in force now."""

    schedules: Schedules
    connect: Connect
    ringing: Ringing
    rules: Callable[[], Sequence[Rule]]
    inbox: Pauses
    log: Any


class Clock:
    """One for each service."""

    def __init__(self, means: Means, *, look_every: timedelta = LOOK_EVERY) -> None:
        self._means = means
        self._look_every = look_every.total_seconds()
        self._looks = 0
        self._kept: Mapping[str, Wanted] | None = None
        self._ticks = asyncio.Event()
        self._away = False

    async def keep(self) -> Never:
        """Look every few seconds until cancelled; a failure is logged and the next look comes."""
        await forever("schedules", self.look, self._rest, self._means.log)

    async def hear(self) -> Never:
        """Hear ticks until cancelled, from the first schedule on."""
        await forever("ticks", self._hear, self._rest, self._means.log)

    async def look(self) -> int:
        """Look once; says how much was to be changed at Temporal."""
        wanted = await self._wanted()
        self._looks += 1
        afresh = self._looks * self._look_every > LOOK_AFRESH.total_seconds()
        if wanted == self._kept and not afresh:
            return 0
        try:
            changes = await self._means.schedules.keep(wanted)
        except (RPCError, RuntimeError) as error:
            self._tell_away(error)
            return 0
        self._kept, self._looks, self._away = wanted, 0, False
        if wanted:
            self._ticks.set()
        return self._tell(changes)

    async def _wanted(self) -> dict[str, Wanted]:
        rules = [(rule, rule.schedule) for rule in self._means.rules()]
        if not any(schedule for _, schedule in rules):
            return {}
        paused = await self._means.inbox.pauses()
        held = {one.name for one in paused if one.what is Pausable.RULE}
        return {
            rule.id: Wanted(schedule=schedule, paused=rule.name in held)
            for rule, schedule in rules
            if schedule is not None
        }

    async def _hear(self) -> int:
        await self._ticks.wait()
        means = self._means
        try:
            client = await means.connect()
        except RuntimeError as error:
            self._tell_away(error)
            return 0
        # A service without schedules needs none of it, and opens its door the sooner.
        hearing = await asyncio.to_thread(import_module, HEARING)
        await hearing.worker_of(client, means.schedules.clock_queue, means.ringing).run()
        return 1

    def _tell(self, changes: Changes) -> int:
        did = {"made": changes.made, "changed": changes.changed, "deleted": changes.deleted}
        if any(did.values()):
            self._means.log.info("schedules.kept", **did)
        for rule_id, why in changes.refused:
            self._means.log.error("schedule.refused", rule=rule_id, error=why, todo=REFUSED)
        return sum(map(len, did.values()))

    def _tell_away(self, error: Exception) -> None:
        if not self._away:
            self._means.log.warning("schedules.unreachable", error=str(error))
        self._away = True

    async def _rest(self, _changed: int) -> None:
        await asyncio.sleep(self._look_every)
