"""A5: what an applied call was to hear is settled once its run is gone; applied again, it is heard anew."""

from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from orchestrator.agent.waiting import registering
from orchestrator.dispatch.runs import Found, Unreachable
from orchestrator.ledger import calls, waits
from orchestrator.ledger.calls import APPLIED, Result
from orchestrator.tending import stranded
from tests.support.builders import AT, RUN, WORKFLOW, Log, intent
from tests.support.waits import CALL, CALLBACK, DEPLOYED, Awaiting, awaiting
from workflows.messages import CallState, Waiting, WaitRequest

MINE = f"{CALL}{APPLIED}"
KNOWN = replace(CALLBACK, key="api:{{ with.name }}")
LATER = AT + 60.0
REQUEST = WaitRequest(run_id=RUN, call_id=MINE)


@dataclass
class Applied:
    """A call that a person applied, its wait begun, and what Temporal says of the run that makes it."""

    there: Awaiting
    found: Found = Found.GONE
    away: bool = False

    async def sweep(self, before: float = LATER) -> int:
        async def found(workflow_id: str) -> Found:
            assert workflow_id == WORKFLOW
            if self.away:
                raise Unreachable("Temporal is away")
            return self.found

        return await stranded.settle_some(self.there.ledger, found, before, LATER, Log())

    async def ends(self, state: CallState) -> None:
        content = [{"type": "text", "text": DEPLOYED}]
        result = Result(state=state, content=content, is_error=False)
        await self.there.ledger.write(calls.finish, RUN, MINE, result, AT)

    async def sent(self) -> None:
        await self.there.ledger.write(calls.take, RUN, MINE, 1, again=False)
        await self.there.ledger.write(calls.send, RUN, MINE, 1, AT, AT + 60)

    async def expect(self) -> None:
        await registering.expect(self.there.means, REQUEST)

    async def opened(self) -> Waiting:
        return await registering.open_wait(self.there.means, REQUEST)

    async def state(self) -> str:
        return (await self.there.wait()).state


@asynccontextmanager
async def applied(directory, callback=CALLBACK):
    async with awaiting(directory, callback) as there:
        asked = replace(intent(MINE, alias="github__deploy", tool="deploy"), arguments={})
        await there.ledger.write(calls.intend, RUN, 0, asked, AT)
        made = Applied(there)
        await made.expect()
        yield made


@pytest.mark.parametrize("callback", [CALLBACK, KNOWN], ids=["prepared", "open"])
@pytest.mark.parametrize(
    "state", [None, CallState.REFUSED, CallState.FAILED, CallState.DENIED], ids=str
)
async def test_a5_of_a_call_that_was_not_made_nothing_is_heard_once_its_run_is_gone(
    tmp_path, callback, state
):
    async with applied(tmp_path, callback) as it:
        if state is not None:
            await it.ends(state)
        assert await it.sweep() == 1
        assert await it.sweep() == 0
        assert await it.state() == "closed"
        assert await it.there.ledger.read(waits.wanting, ["api:api"]) == []


@pytest.mark.parametrize("state", [CallState.DONE, CallState.UNKNOWN])
async def test_a5_of_a_call_that_was_made_the_event_is_heard_whose_key_is_known(tmp_path, state):
    async with applied(tmp_path, KNOWN) as it:
        await it.ends(state)
        assert await it.sweep() == 1
        assert await it.sweep() == 0
        assert await it.state() == "left"
        assert [one.call_id for one in await it.there.ledger.read(waits.wanting, ["api:api"])] == [
            MINE
        ]


async def test_a5_without_a_key_nothing_can_be_heard_of_what_was_made(tmp_path):
    async with applied(tmp_path) as it:
        await it.ends(CallState.DONE)
        await it.sweep()
        assert await it.state() == "closed"


async def test_a5_while_its_run_is_there_or_young_or_nobody_knows_it_stays(tmp_path):
    async with applied(tmp_path, KNOWN) as it:
        it.found = Found.RUNNING
        assert await it.sweep() == 0
        it.found = Found.GONE
        assert await it.sweep(before=AT) == 0
        it.away = True
        with pytest.raises(Unreachable):
            await it.sweep()
        assert await it.state() == "open"


async def test_a5_what_a_turn_of_its_run_waits_for_is_no_business_of_this(tmp_path):
    async with awaiting(tmp_path, KNOWN) as there:
        await there.expect()
        it = Applied(there)
        assert await it.sweep() == 0
        assert await it.state() == "open"


async def test_a5_what_is_expected_anew_meanwhile_is_left_alone(tmp_path):
    async with applied(tmp_path, KNOWN) as it:
        seen = await it.there.wait()
        it.there.clock.time = AT + 30
        await it.expect()
        assert not await it.there.ledger.write(waits.strand, seen, waits.CLOSED, LATER)
        assert await it.state() == "open"


@pytest.mark.parametrize("callback", [CALLBACK, KNOWN], ids=["prepared", "open"])
async def test_a5_applied_again_it_is_heard_anew_and_nothing_of_before_is_its_answer(
    tmp_path, callback
):
    async with applied(tmp_path, callback) as it:
        before = await it.there.wait()
        await it.there.status("e2", "success")
        await it.sweep()
        it.there.clock.time = LATER
        await it.expect()
        again = await it.there.wait()
        assert (again.state, again.ended_at) == (before.state, None)
        assert again.since > before.since
        assert again.deadline_at == LATER + callback.timeout

        await it.ends(CallState.DONE)
        await it.opened()
        assert await it.state() == "left"


async def test_a5_one_that_was_sent_before_keeps_what_it_listens_for(tmp_path):
    async with applied(tmp_path, KNOWN) as it:
        before = await it.there.wait()
        await it.sent()
        it.there.clock.time = LATER
        await it.expect()
        assert await it.there.wait() == before
