"""A run whose call its server answers later, or asks about first; and people's answers, as they stand in the ledger."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from orchestrator.agent.calling import once
from orchestrator.agent.waiting import handles
from orchestrator.database import Transaction
from orchestrator.ledger import approvals, calls, inputs
from orchestrator.ledger.approvals import Approval, Said
from orchestrator.ledger.calls import Call
from orchestrator.ledger.inputs import Input
from tests.support.builders import AT, RUN
from tests.support.following import Followed
from tests.support.waits import CALL, CALLBACK, Awaiting, awaiting
from workflows.approvals import Standing
from workflows.looks import Look, Looked
from workflows.messages import CallOutcome, CallRequest, CallState
from workflows.playbook import Callback

REQUEST = CallRequest(run_id=RUN, call_id=CALL)
DAY = 86_400.0
NEVER = replace(CALLBACK, key="deployment:{{ with.name }}", timeout=60 * DAY)


class Hands:
    """Answers each call with the next of these; `made` are the responses that went along."""

    def __init__(self, *outcomes: Any) -> None:
        self.outcomes = list(outcomes)
        self.made: list[Any] = []
        self.keys: set[str] = set()

    async def call(
        self, *_what: Any, before_send: Any, key: str, responses: Any = None, **_how: Any
    ) -> Any:
        """The next outcome, if it may leave."""
        assert await before_send()
        self.made.append(responses)
        self.keys.add(key)
        return self.outcomes.pop(0)


@dataclass
class Asking:
    """What a test does with it."""

    there: Awaiting
    hands: Hands
    server: Followed

    async def made(self, attempt: int = 1) -> CallOutcome:
        """One attempt of the call."""
        return await once.call(self.there.means, REQUEST, attempt)

    async def looked(self, **changes: Any) -> Looked:
        """One look at its task."""
        look = replace(Look(run_id=RUN, call_id=CALL), **changes)
        return await handles.look(self.there.means, look)

    async def call(self) -> Call:
        """The call, as it stands."""
        return await self.there.ledger.read(calls.one, RUN, CALL)

    async def wanted(self) -> dict[str, Input]:
        """What the server wants, by key."""
        found = await self.there.ledger.read(inputs.of_call, RUN, CALL)
        return {one.key: one for one in found}

    async def requests(self) -> list[Approval]:
        """What people are asked."""
        return await self.there.ledger.read(approvals.of_run, RUN)

    async def says(self, key: str, standing: Standing, answer: Any = None, why: str = "") -> None:
        """Ann settles a question so."""
        await self.there.ledger.write(_settled, (await self.wanted())[key], standing, answer, why)


@asynccontextmanager
async def asking(
    directory: Path, *outcomes: Any, callback: Callback = NEVER, **changes: Any
) -> AsyncIterator[Asking]:
    """A run that is about to make its call; without outcomes it becomes a task."""
    async with awaiting(directory, callback) as there:
        server = Followed(**changes)
        hands = Hands(*(outcomes or (server.begin(),)))
        there.means = replace(there.means, hands=hands, tasks=server)
        await there.expect()
        yield Asking(there, hands, server)


def _settled(
    connection: Transaction, wanted: Input, standing: Standing, answer: Any, why: str
) -> None:
    request = inputs.request_about(connection, wanted)
    assert request is not None
    said: Mapping[str, Any] = {"decision_id": "d", "word": "answer", "person": "ann", "at": AT}
    by = Said(approval_id=request.approval_id, event_id="e9", **said)
    approvals.settle(connection, request, standing, AT, by, why)
    if standing is Standing.ANSWERED:
        inputs.answered(connection, RUN, wanted.question_id, answer)
    result = once.answer_words(CallState.DONE, "said")
    calls.finish(connection, RUN, wanted.question_id, result, AT)
