"""A run that asks people, without Temporal: a real dispatcher, inbox and ledger, and the run's part played by hand."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from orchestrator.agent.conversation import frozen as pins
from orchestrator.agent.means import Means
from orchestrator.agent.waiting import approving
from orchestrator.configuration.configuration import Configuration
from orchestrator.configuration.people import Person
from orchestrator.database import Database
from orchestrator.dispatch.asking import asked
from orchestrator.dispatch.dispatcher import Dispatcher
from orchestrator.dispatch.runs import entry_of
from orchestrator.inbox.inbox import Arrival, Decision
from orchestrator.inbox.sql import SqlInbox
from orchestrator.ledger import approvals, artifacts, calls, claims, conversations
from orchestrator.ledger.approvals import Approval, Said
from orchestrator.ledger.calls import Call
from orchestrator.servers import HttpServer
from orchestrator.sources.source import OPERATOR
from tests.support.builders import (
    AT,
    OPERATOR_SOURCE,
    RUN,
    WORKFLOW,
    Log,
    arrival,
    comment,
    configuration,
    frozen,
    inbox_at,
    intent,
    ledger_at,
    opening,
    order,
    source,
    tool,
)
from tests.support.roads import Clock, RecordingRuns
from workflows.approvals import Asked, Asking, Expired, Expiring, Heeded, Word
from workflows.messages import Claim
from workflows.playbook import Approve

CALL = "1.0"
HOUR = 3600.0
ANN = Person(name="ann", accounts={"github": "3"}, roles=frozenset({"maintainer"}))
ZOE_Q = Person(name="zoe-q", accounts={"github": "5", "operator": "zoe"})
POLICY = Approve(by=("role:maintainer", "operator"), ttl=HOUR)


@dataclass
class Office:
    """Everything; `files` is the configuration in force."""

    inbox: SqlInbox
    ledger: Database
    clock: Clock
    files: Configuration
    dispatcher: Dispatcher
    means: Means
    runs: RecordingRuns
    rung: int = 0
    taken: set[str] = field(default_factory=set)

    async def ask(self, call_id: str = CALL, seconds: float | None = None) -> Asked:
        return await approving.ask(self.means, Asking(run_id=RUN, call_id=call_id, seconds=seconds))

    async def request(self, call_id: str = CALL) -> Approval:
        found = await self.ledger.read(approvals.of_call, RUN, call_id)
        assert found is not None
        return found

    async def call(self, call_id: str = CALL) -> Call:
        return await self.ledger.read(calls.one, RUN, call_id)

    async def words(self) -> list[Said]:
        return await self.ledger.read(approvals.words_of, (await self.request()).approval_id)

    async def keep(self, arrival_: Arrival) -> str:
        """Ring now; nobody has decided about it yet."""
        await self.inbox.keep([replace(arrival_, received_at=self.clock.now())])
        return arrival_.id

    async def hand(self, kind: str, code: str, by: str = "root", **more: Any) -> str:
        """A word on the command line, kept."""
        self.rung += 1
        data = {"type": f"run.{kind}", "code": code, "by": by, **more}
        receipt = f"hand{self.rung}"
        return await self.keep(
            arrival(receipt, OPERATOR_SOURCE, {"webhook-id": f"d-{receipt}"}, data)
        )

    async def comment(self, text: str, login: str = "ann", **more: Any) -> str:
        """A comment, kept."""
        self.rung += 1
        return await self.keep(comment(f"comment{self.rung}", login=login, text=text, **more))

    async def decided(self, receipt: str) -> list[Decision]:
        """What was decided about an event, deciding now."""
        await self.dispatcher.decide_some()
        return (await self.inbox.decisions([receipt]))[receipt]

    async def heard(self, receipt: str) -> Heeded:
        """Decide about a word, and let its run take it."""
        (decision,) = await self.decided(receipt)
        return await self.take(decision)

    async def take(self, decision: Decision) -> Heeded:
        """The run takes a word, as the workflow does: claimed, then heeded."""
        entry = entry_of(decision)
        given = (decision.id, f"token of {decision.id}", Claim.CONSUMED, WORKFLOW, AT)
        await self.ledger.write(claims.claim, *given)
        return await approving.heed(self.means, Word(run_id=entry.run_id or "", entry=entry))

    async def expire(self) -> Expired:
        approval = await self.request()
        ref = Expiring(run_id=RUN, approval_id=approval.approval_id)
        return await approving.expire(self.means, ref)

    async def intend(self, call_id: str, **changes: Any) -> None:
        await self.ledger.write(calls.intend, RUN, 1, intent(call_id, **changes), AT)

    async def redeliver(self, receipt: str) -> None:
        """Somebody has an event delivered again, and it is decided about anew."""
        await self.keep(order(f"again-{receipt}", "event.redeliver", receipt))
        await self.dispatcher.decide_some()

    async def dies_deciding(self, receipt: str) -> list[Said]:
        """What stands written down about a word when the dispatcher dies before its decision does."""
        entry = await self.inbox.entry(receipt)
        assert entry is not None
        await asked(self.dispatcher, entry)
        return await self.words()

    def pass_by(self, seconds: float) -> None:
        self.clock.time += timedelta(seconds=seconds)

    def configure(self, **changes: Any) -> None:
        self.files = replace(self.files, **changes)


@contextmanager
def office_at(
    directory: Path,
    policy: Approve = POLICY,
    people: Sequence[Person] = (ANN, ZOE_Q),
    servers: Mapping[str, HttpServer] | None = None,
    **offered: Any,
) -> Iterator[Office]:
    """One whose run was opened and intends one call, `github.comment`, which people must consent to.

    `offered` is what else is said of that tool.
    """
    clock, runs = Clock(), RecordingRuns()
    files = replace(
        configuration(),
        people={one.name: one for one in people},
        sources={"github": source()},
        servers=servers or {"github": HttpServer(name="github", url="https://hands.example/mcp")},
    )
    sources = {"github": source(own_actors=frozenset({"our-bot"})), OPERATOR: OPERATOR_SOURCE}
    with inbox_at(directory) as inbox, ledger_at(directory) as ledger:
        dispatcher = Dispatcher(
            inbox=inbox,
            ledger=ledger,
            runs=runs,
            configuration=lambda: office.files,
            sources=lambda: sources,
            now=clock.now,
            log=Log(),
        )
        means = Means(
            inbox=inbox,
            ledger=ledger,
            model=None,
            hands=None,
            configuration=lambda: office.files,
            now=lambda: clock.now().timestamp(),
            scripted=True,
        )
        office = Office(inbox, ledger, clock, files, dispatcher, means, runs)
        with ledger.engine.begin() as connection:
            conversations.begin(connection, opening(), AT)
            pin = pins.dump(frozen(tool(approve=policy, bound={"owner": "acme"}, **offered)))
            digest = artifacts.put(connection, pin, "application/json", AT)
            conversations.freeze(connection, RUN, digest, "m")
            given = intent(CALL, arguments={"body": "Hello", "owner": "acme"})
            calls.intend(connection, RUN, 1, given, AT)
        yield office
