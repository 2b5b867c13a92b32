"""A conversation with a call that an event answers later, in a ledger and an inbox of their own, by a stopped clock."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sqlalchemy import update

from orchestrator.agent.conversation import frozen as pins
from orchestrator.agent.means import Means
from orchestrator.agent.waiting import registering
from orchestrator.database import Database, Transaction
from orchestrator.dispatch.awaited import Weighed
from orchestrator.dispatch.decide import about_a_wait
from orchestrator.dispatch.wanting import as_wanted
from orchestrator.inbox.inbox import event_of
from orchestrator.inbox.memory import MemoryInbox
from orchestrator.ledger import artifacts, calls, conversations, waits
from orchestrator.ledger.calls import Result
from orchestrator.ledger.schema import conversations as table
from orchestrator.ledger.waits import Wait
from tests.support.builders import (
    AT,
    NOW,
    RUN,
    comment,
    configuration,
    frozen,
    github,
    intent,
    ledger_at,
    opening,
    source,
    tool,
)
from workflows.messages import CallState, EndWait, WaitEnd, Waiting, WaitRequest
from workflows.playbook import Callback

CALL = "1.0"
DEPLOYED = '{"id": 42, "sha": "abc"}'
CALLBACK = Callback(
    events=("github/deployment_status.*",), key="deployment:{{ result.id }}", timeout=7200.0
)


@dataclass
class Awaiting:
    """The run, and what a test does with it."""

    inbox: MemoryInbox
    ledger: Database
    means: Means
    clock: Any

    async def expect(self) -> None:
        await registering.expect(self.means, WaitRequest(run_id=RUN, call_id=CALL))

    async def answered(self, text: str = DEPLOYED, state: CallState = CallState.DONE) -> None:
        content = [{"type": "text", "text": text}]
        result = Result(state=state, content=content, is_error=False)
        await self.ledger.write(calls.finish, RUN, CALL, result, AT)

    async def opened(self, seconds: float | None = None) -> Waiting:
        request = WaitRequest(run_id=RUN, call_id=CALL, seconds=seconds)
        return await registering.open_wait(self.means, request)

    async def sent(self, **given: Any) -> Waiting:
        """The whole way to an open wait."""
        await self.expect()
        await self.answered(**given)
        return await self.opened()

    async def end(self, how: WaitEnd, event_id: str | None = None) -> bool:
        wait_id = (await self.wait()).wait_id
        ending = EndWait(run_id=RUN, wait_id=wait_id, end=how, event_id=event_id)
        return (await registering.end_wait(self.means, ending)).first

    async def status(self, receipt: str, word: str, number: int = 42) -> None:
        """Whoever deploys says how it goes."""
        data = {"action": "created", "deployment": {"id": number}}
        data["deployment_status"] = {"state": word, "description": receipt}
        await self.inbox.keep([github(receipt, "deployment_status", data)])

    async def passes(self, receipt: str, why: str = "not yet") -> None:
        """What the dispatcher decides about an event that does not end the wait."""
        entry = await self.inbox.entry(receipt)
        assert entry is not None
        wanted = await self.ledger.read(as_wanted, await self.wait(), ())
        decision = about_a_wait(event_of(entry, {}), Weighed(wanted, why))
        await self.inbox.decide(receipt, [decision], NOW)

    async def looked(self) -> None:
        """The dispatcher has looked back."""
        await self.ledger.write(waits.looked, [(await self.wait()).wait_id])

    async def wait(self) -> Wait:
        (found,) = await self.ledger.read(waits.of_run, RUN)
        return found

    async def pin(self, **changes: Any) -> None:
        """What its tool is from now on."""
        row = await self.ledger.read(conversations.one, RUN)
        before = await self.ledger.read(artifacts.get, row.frozen or "")
        assert before is not None
        waits_for = pins.load(before.body).waits
        pinned = frozen(tool("deploy", **changes), waits=waits_for, inputs={"name": "api"})
        await self.ledger.write(_pinned_anew, pins.dump(pinned))

    async def texts(self) -> list[str]:
        """The blocks of the call's result."""
        found = await self.ledger.read(calls.one, RUN, CALL)
        return [str(block["text"]) for block in found.content or ()]


@asynccontextmanager
async def awaiting(directory: Path, callback: Callback = CALLBACK) -> AsyncIterator[Awaiting]:
    """A run whose first turn calls `github.deploy`, which this callback answers later."""
    clock = SimpleNamespace(time=AT)
    inbox = MemoryInbox()
    with ledger_at(directory) as ledger:
        means = Means(
            inbox=inbox,
            ledger=ledger,
            model=None,
            hands=None,
            configuration=lambda: replace(configuration(), sources={"github": source()}),
            now=lambda: clock.time,
            scripted=True,
        )
        made = Awaiting(inbox, ledger, means, clock)
        await inbox.keep([comment("e1")])
        await inbox.decide("e1", [], NOW)
        await ledger.write(conversations.begin, opening(event_id="e1", position=1), AT)
        deploy = tool("deploy")
        pinned = frozen(deploy, waits={"github.deploy": callback}, inputs={"name": "api"})
        await ledger.write(_pinned, pins.dump(pinned))
        asked = intent(CALL, alias=deploy.alias, tool="deploy", arguments={})
        await ledger.write(calls.intend, RUN, 1, asked, AT)
        yield made


def _pinned(connection: Transaction, body: bytes) -> None:
    digest = artifacts.put(connection, body, "application/json", AT)
    conversations.freeze(connection, RUN, digest, "m")


def _pinned_anew(connection: Transaction, body: bytes) -> None:
    digest = artifacts.put(connection, body, "application/json", AT)
    mine = table.c.run_id == RUN
    connection.execute(update(table).where(mine).values(frozen=digest))
