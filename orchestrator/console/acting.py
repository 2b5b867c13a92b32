"""Does what a person does to the stores themselves: forget what is old, accept a Temporal server; it wakes no run."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from orchestrator.configuration.configuration import Configuration
from orchestrator.console.questions import AcceptNamespace, Act, Prune, Shown
from orchestrator.errors import AskerError, Fault
from orchestrator.ledger import installation
from orchestrator.stores import Stores
from orchestrator.tending import retention
from orchestrator.tending.retention import Keep, Pruned

PATIENCE: Final = 25.0
"""Seconds for an act: whoever asks over HTTP waits for not much longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """The Temporal namespace that is looked at: its name, and whoever asks for its identity (raises OperatorError)."""

    name: str
    identity: Callable[[], Awaitable[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Acting:
    """What acts are done to."""

    stores: Stores
    configuration: Callable[[], Configuration]
    namespace: Namespace
    now: Callable[[], datetime]
    patience: float | None = PATIENCE

    async def act(self, act: Act) -> Shown:
        """What was done. Raises AskerError, or OperatorError."""
        match act:
            case Prune():
                return await self._prune(act)
            case AcceptNamespace():
                return await self._accept()

    async def _prune(self, act: Prune) -> Shown:
        keep = self._policy() if act.keep is None else (lambda _source: act.keep)
        referred = retention.referred_in(self.stores.ledger)
        try:
            async with asyncio.timeout(self.patience):
                pruned = await retention.prune(
                    self.stores.inbox, referred, keep, self.now(), dry_run=act.dry_run
                )
        except TimeoutError:
            # Each batch is a transaction of its own: what was pruned until now is.
            said = (
                f"it takes longer than {self.patience:g} s: say it again, and it goes on from there"
            )
            raise AskerError(Fault.BUSY, said) from None
        return {"pruned": [_told(one) for one in pruned], "dry_run": act.dry_run}

    def _policy(self) -> Keep:
        sources = self.configuration().sources
        return lambda name: sources[name].keep if name in sources else retention.DEFAULT_KEEP

    async def _accept(self) -> Shown:
        found, ledger = await self.namespace.identity(), self.stores.ledger
        before = await ledger.read(installation.namespace)
        await ledger.write(installation.accept, found, self.now().timestamp())
        return {
            "namespace": self.namespace.name,
            "identity": found,
            "before": before,
            "changed": before not in {None, found},
        }


def _told(done: Pruned) -> Shown:
    return {
        "source": done.source,
        "before": done.before.isoformat(),
        "pruned": done.pruned,
        "referred": done.referred,
    }
