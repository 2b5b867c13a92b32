"""What the worker counts of runs as they go (promise O3); it writes nothing and decides nothing."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from typing_extensions import override

from orchestrator.agent import prices
from orchestrator.agent.means import Means, Model
from orchestrator.agent.reply import Rejected, Request, Said, Unavailable
from orchestrator.ledger import conversations, shortfalls
from orchestrator.rules.caps import Price
from orchestrator.telemetry.instruments import RunInstruments
from orchestrator.telemetry.words import Parked, Turn, Waited
from workflows.messages import Record, RunState, WaitEnd

BUDGET = "budget"


def undeclared(_model: str) -> Price | None:
    """No price is declared."""
    return None


@dataclass(frozen=True, slots=True)
class CountedModel(Model):
    """Another model, each of its turns counted as it really was asked; a recorded reply is not asked again."""

    model: Model
    counts: RunInstruments
    declared: Callable[[str], Price | None] = undeclared

    @override
    async def say(self, request: Request) -> Said:
        began = time.perf_counter()
        try:
            said = await self.model.say(request)
        except (Rejected, Unavailable) as error:
            outcome = Turn.REJECTED if isinstance(error, Rejected) else Turn.UNAVAILABLE
            self.counts.model_turn(request.model, outcome, time.perf_counter() - began)
            raise
        took = time.perf_counter() - began
        read, written = prices.counted(said.usage)
        usd = prices.charged(request.model, said.usage, self.declared(request.model))
        self.counts.model_turn(request.model, Turn.ANSWERED, took, read, written, usd)
        return said

    @override
    async def close(self) -> None:
        await self.model.close()


async def recorded(means: Means, record: Record) -> None:
    """A conversation ended or stopped working."""
    match record.state:
        case RunState.ENDED:
            found = await means.ledger.read(conversations.find, record.run_id)
            means.counts.run_ended(found.playbook if found else "", str(record.outcome))
        case RunState.WAITING:
            means.counts.run_parked(Parked.WAITING)
        case RunState.PARKED:
            spent = BUDGET in record.reason or await means.ledger.read(
                shortfalls.holds, record.run_id
            )
            means.counts.run_parked(Parked.BUDGET if spent else Parked.PERSON)
        case RunState.RUNNING:
            pass


def wait_ended(means: Means, end: WaitEnd) -> None:
    """A wait ended in this way first."""
    ways = {
        WaitEnd.RESOLVED: Waited.WOKEN,
        WaitEnd.EXPIRED: Waited.EXPIRED,
        WaitEnd.INTERRUPTED: Waited.CANCELLED,
    }
    means.counts.wait_ended(ways[end])
