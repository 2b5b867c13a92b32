"""The recoveries of the sources that are configured now, begun and ended as those change; it asks nobody itself."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Never

from orchestrator.configuration.reloading import Loaded
from orchestrator.recovery.recovering import Recovering, Standing
from orchestrator.sources.source import Source

Make = Callable[[Mapping[str, Source]], list[Recovering]]
Newer = Callable[[int], Awaitable[Loaded]]


class Recoveries:
    """One for each service; `make` gives the recovery of every source that has one."""

    def __init__(self, make: Make) -> None:
        self._make = make
        self._working: dict[str, tuple[Recovering, asyncio.Task[Never]]] = {}

    def standing(self) -> list[Standing]:
        """How each stands, in the order of the sources' names."""
        return [one.standing() for _, (one, _task) in sorted(self._working.items())]

    async def work(self, newer: Newer) -> Never:
        """Follow what is in force until cancelled."""
        number = 0
        try:
            while True:
                loaded = await newer(number)
                number = loaded.number
                self.renew(loaded.sources)
        finally:
            tasks = [task for _, task in self._working.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def renew(self, sources: Mapping[str, Source]) -> None:
        """Work for these sources from now on; one that did not change goes on undisturbed."""
        wanted = {one.source.name: one for one in self._make(sources)}
        for name, (one, task) in list(self._working.items()):
            if name not in wanted or wanted[name].source != one.source:
                # Cut off anywhere it begins anew: what was rung is in the inbox.
                task.cancel()
                del self._working[name]
        for name, one in wanted.items():
            if name not in self._working:
                self._working[name] = (one, asyncio.create_task(one.work()))
