"""What the worker counts of runs as they go (promise O3); it writes nothing and decides nothing."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from typing_extensions import override

from orchestrator.agent import prices
from orchestrator.agent.means import Means, Model
from orchestrator.agent.reply import Rejected, Request, Said, Unavailable
from orchestrator.database import Transaction
from orchestrator.ledger import conversations, shortfalls, standstills
from orchestrator.ledger.conversations import Conversation
from orchestrator.rules.caps import Price
from orchestrator.telemetry.instruments import RunInstruments
from orchestrator.telemetry.words import Parked, Turn, Unmade, Waited
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
        used = prices.counted(said.usage)
        tokens = (0, 0) if used is None else (used.read, used.said)
        usd = prices.charged(request.model, said.usage, self.declared(request.model))
        self.counts.model_turn(request.model, Turn.ANSWERED, took, *tokens, usd)
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
            means.counts.run_parked(await means.ledger.read(_why, record))
        case RunState.RUNNING:
            pass


def reopened(means: Means, ended: Conversation) -> None:
    """An end that was counted is none."""
    means.counts.run_reopened(ended.playbook, str(ended.outcome))


def _why(connection: Transaction, record: Record) -> Parked:
    if BUDGET in record.reason or shortfalls.holds(connection, record.run_id):
        return Parked.BUDGET
    paused = standstills.holds(connection, record.run_id)
    return Parked.PAUSED if paused else Parked.PERSON


def refused(means: Means, why: str) -> None:
    """A call was answered without being made; a word of a newer version's run is another."""
    means.counts.call_refused(Unmade(why) if why in frozenset(Unmade) else Unmade.OTHER)


def wait_ended(means: Means, end: WaitEnd) -> None:
    """A wait ended in this way first."""
    ways = {
        WaitEnd.RESOLVED: Waited.WOKEN,
        WaitEnd.EXPIRED: Waited.EXPIRED,
        WaitEnd.INTERRUPTED: Waited.CANCELLED,
    }
    means.counts.wait_ended(ways[end])
