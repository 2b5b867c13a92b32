"""Pauses that name no rule in force, as of one that was renamed: told in the log when files come into force.

What the rule decides under another name acts. It ends no pause, and begins none.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Never

from orchestrator.configuration.reloading import Reloading
from orchestrator.inbox.inbox import Inbox
from orchestrator.inbox.orders import Pausable, Pause
from orchestrator.loops import forever


def of_no_rule(pauses: Sequence[Pause], rules: Collection[str]) -> list[Pause]:
    """Those of rules that aren't among these names."""
    return [one for one in pauses if one.what is Pausable.RULE and one.name not in rules]


@dataclass(kw_only=True, slots=True)
class Unheld:
    """One for the service: `work` tells of them at the start, and again whenever other files are in force."""

    reloading: Reloading
    inbox: Inbox
    log: Any
    _number: int = 0

    async def work(self) -> Never:
        """Tell until cancelled."""
        await forever("pauses", self.step, self._rest, self.log)

    async def step(self) -> int:
        """Tell of what is in force now; says how many pauses name no rule of it."""
        loaded = self.reloading.loaded
        # First: where the inbox can't be read, the next files are soon enough.
        self._number = loaded.number
        names = {rule.name for rule in loaded.configuration.rules}
        found = of_no_rule(await self.inbox.pauses(), names)
        for pause in found:
            self.log.warning(
                "pause.of_no_rule", rule=pause.name, by=pause.by, ends_with=pause.ends_with
            )
        return len(found)

    async def _rest(self, _told: int) -> None:
        await self.reloading.newer(self._number)
