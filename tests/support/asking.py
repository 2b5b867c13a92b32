"""One open conversation in a ledger, and turns of it asked for over real HTTP; it knows no Temporal."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from orchestrator.agent.asking import turning
from orchestrator.agent.conversation import frozen
from orchestrator.agent.conversation.frozen import Frozen
from orchestrator.agent.means import Means
from orchestrator.agent.model import Claude
from orchestrator.database import Database
from orchestrator.demo.messages import messages_app
from orchestrator.ledger import artifacts, calls, conversations, shortfalls, turns
from orchestrator.ledger.calls import Call, Result
from tests.support.asgi import serving
from tests.support.builders import AT, NOW, configuration, ledger_at, opening, payer
from tests.support.scripts import Turns
from workflows.messages import Ask, CallState, Reply
from workflows.playbook import Budget

RICH = Budget(usd=Decimal(100), tokens=10**9)


async def begin(database: Database, pin: Frozen, number: int = 1) -> str:
    """A conversation with this pin, that has heard one event; its run's id."""
    begun = await database.write(
        conversations.begin, opening(f"dec_{number}", workflow_id=f"work-{number}"), AT
    )
    digest = await database.write(artifacts.put, frozen.dump(pin), "application/json", AT)
    await database.write(conversations.freeze, begun.run_id, digest, pin.model)
    await database.write(turns.note, begun.run_id, 1, 0, "An event.")
    await database.write(shortfalls.pays, payer(run_id=begun.run_id))
    return begun.run_id


@dataclass(kw_only=True)
class Talk:
    """A conversation and whoever answers it."""

    ledger: Database
    means: Means
    script: Turns
    run_id: str

    async def ask(self, turn: int = 1, budget: Budget = RICH, attempt: int = 1) -> Reply:
        """One turn."""
        return await turning.ask(
            self.means, Ask(run_id=self.run_id, turn=turn, budget=budget), attempt
        )

    async def calls(self) -> list[Call]:
        """Every call of the conversation."""
        return await self.ledger.read(calls.of_run, self.run_id)

    async def answered(self, turn: int, text: str, state: CallState = CallState.DONE) -> None:
        """Every call of that turn came to this."""
        content = [{"type": "text", "text": text}]
        artifact = await self.ledger.write(artifacts.put, text.encode(), "text/plain", AT)
        result = Result(
            state=state, content=content, is_error=False, artifact=artifact, size=len(text)
        )
        for call in await self.calls():
            if call.turn == turn:
                await self.ledger.write(calls.finish, self.run_id, call.call_id, result, AT)

    async def hears(self, turn: int, text: str) -> None:
        """Something is said before that turn."""
        await self.ledger.write(turns.note, self.run_id, turn, 0, text)

    def sent(self) -> Any:
        """The messages of the newest request."""
        return self.script.asked[-1]["messages"]


@asynccontextmanager
async def talk(
    directory: Path,
    pin: Frozen,
    *replies: Any,
    window: int = 1_000_000,
    now: Callable[[], float] = lambda: AT,
    **changes: Any,
) -> AsyncIterator[Talk]:
    """A conversation with a scripted model behind the real SDK."""
    script = Turns(replies)
    app = messages_app(script, now=lambda: NOW, window=window)
    with ledger_at(directory) as database:
        async with serving(app) as url:
            model = Claude("scripted", url)
            given: dict[str, Any] = {"inbox": None, "hands": None, "configuration": configuration}
            means = Means(ledger=database, model=model, now=now, scripted=True, **given | changes)
            try:
                run_id = await begin(database, pin)
                yield Talk(ledger=database, means=means, script=script, run_id=run_id)
            finally:
                await model.close()
