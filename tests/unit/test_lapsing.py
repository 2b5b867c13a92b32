"""A5: a timeout is a result also beyond the turn that waited: the call says so, or the open conversation is told."""

from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from orchestrator.agent.waiting import registering
from orchestrator.agent.waiting.coming import COMMITTED
from orchestrator.dispatch.dispatcher import Dispatcher
from orchestrator.inbox.inbox import Action
from orchestrator.ledger import calls, conversations, turns
from orchestrator.ledger.calls import APPLIED
from orchestrator.sources.source import OPERATOR
from orchestrator.tending import lapsing, resuming
from tests.support.builders import (
    AT,
    NOW,
    OPERATOR_SOURCE,
    RUN,
    Log,
    configuration,
    intent,
    source,
)
from tests.support.roads import RecordingRuns
from tests.support.waits import CALL, CALLBACK, DEPLOYED, Awaiting, awaiting
from workflows.messages import CallState, EndWait, Note, Outcome, RunState, WaitEnd, WaitRequest

SPAN = CALLBACK.timeout
UP = SPAN + COMMITTED + 1
WORDS = "did not come within 2:00:00"


@dataclass
class Left:
    """A wait that no turn waits for, and those who look after it."""

    there: Awaiting
    dispatcher: Dispatcher
    log: Log

    async def lapse(self, after: float = UP) -> int:
        now = NOW + timedelta(seconds=after)
        self.there.clock.time = AT + after
        return await lapsing.lapse_some(
            self.there.inbox, self.there.ledger, now, lambda: None, self.log
        )

    async def decided(self) -> list[Any]:
        """What is decided about our own rows."""
        await self.dispatcher.decide_some()
        rows = [one.id for one in await self.there.inbox.entries(9) if one.source == OPERATOR]
        found = await self.there.inbox.decisions(rows)
        return [decision for row in rows for decision in found[row]]

    async def note(self, event_id: str, turn: int = 2) -> bool:
        wait_id = (await self.there.wait()).wait_id
        noted = Note(run_id=RUN, turn=turn, ordinal=0, event_id=event_id, wait_id=wait_id)
        return (await registering.note(self.there.means, noted)).said

    async def noted(self) -> dict[int, list[str]]:
        return await self.there.ledger.read(turns.noted, RUN)

    async def state(self) -> str:
        return (await self.there.wait()).state

    async def end_conversation(self) -> None:
        ended = (RUN, RunState.ENDED, "", Outcome.COMPLETED, AT)
        await self.there.ledger.write(conversations.record, *ended)


@asynccontextmanager
async def left(directory, *, applied=False):
    async with awaiting(directory) as there:
        await (_apply(there) if applied else _interrupt(there))
        await there.looked()
        assert (await there.wait()).state == "left"
        log = Log()
        dispatcher = Dispatcher(
            inbox=there.inbox,
            ledger=there.ledger,
            runs=RecordingRuns(),
            configuration=configuration,
            sources=lambda: {"github": source(), OPERATOR: OPERATOR_SOURCE},
            now=lambda: NOW,
            log=log,
        )
        yield Left(there, dispatcher, log)


async def _interrupt(there):
    await there.sent()
    await there.end(WaitEnd.INTERRUPTED)


async def _apply(there):
    """A person applies the call, which was proposed: no turn asked for it."""
    call_id = f"{CALL}{APPLIED}"
    asked = replace(intent(call_id, alias="github__deploy", tool="deploy"), arguments={})
    await there.ledger.write(calls.intend, RUN, 0, asked, AT)
    request = WaitRequest(run_id=RUN, call_id=call_id)
    await registering.expect(there.means, request)
    content = [{"type": "text", "text": DEPLOYED}]
    result = calls.Result(state=CallState.DONE, content=content, is_error=False)
    await there.ledger.write(calls.finish, RUN, call_id, result, AT)
    await registering.open_wait(there.means, request)


async def applied_texts(there):
    found = await there.ledger.read(calls.one, RUN, f"{CALL}{APPLIED}")
    return [block["text"] for block in found.content]


async def test_a5_an_open_conversation_is_told_once_by_a_row_that_nothing_came_in_time(tmp_path):
    async with left(tmp_path) as it:
        assert await it.lapse() == 1
        assert await it.lapse() == 0
        [resume] = await it.decided()
        assert await it.lapse() == 0

        wait = await it.there.wait()
        assert (resume.action, resume.wait_id) == (Action.RESUME, wait.wait_id)
        assert (resume.workflow_id, resume.lane) == (wait.workflow_id, wait.workflow_id)
        before = await it.there.texts()
        assert await it.note(resume.event_id)
        assert await it.note(resume.event_id), "its repeat stands there"
        assert await it.there.texts() == before, "the model has read that answer already"
        ((text,),) = (await it.noted()).values()
        assert (await it.there.wait()).ended_at == AT + UP
    assert text.startswith("Call 1.0, github.deploy: ")
    assert WORDS in text


async def test_a5_nothing_lapses_before_its_time_and_a_moment(tmp_path):
    async with left(tmp_path) as it:
        for after in (0, SPAN, SPAN + COMMITTED - 0.1):
            assert await it.lapse(after) == 0
        assert await it.decided() == []


async def test_a5_what_came_in_time_is_waited_for_however_long_it_is_on_its_way(tmp_path):
    async with left(tmp_path) as it:
        await it.there.status("e2", "success")
        assert await it.lapse(10 * UP) == 0
        await it.dispatcher.decide_some()
        assert await it.lapse(10 * UP) == 0
        assert await it.note("e2")
        assert await it.lapse(10 * UP) == 0
        assert await it.state() == "resolved"


async def test_a5_an_event_that_the_run_hears_before_the_row_is_not_contradicted(tmp_path):
    async with left(tmp_path) as it:
        await it.lapse()
        [resume] = await it.decided()
        await it.there.status("e2", "success")
        assert await it.note("e2")
        assert not await it.note(resume.event_id, turn=3)
        assert await it.state() == "resolved"
        assert list(await it.noted()) == [2]


async def test_a5_a_call_that_a_person_applied_says_so_where_its_conversation_has_ended(tmp_path):
    async with left(tmp_path, applied=True) as it:
        await it.end_conversation()
        assert await it.lapse() == 1
        assert await it.lapse() == 0
        assert await it.decided() == []
        assert await it.state() == "expired"
        texts = await applied_texts(it.there)
    assert [WORDS in text for text in texts] == [False, False, True]


async def test_a5_a_call_that_was_applied_says_so_too_where_its_conversation_is_told(tmp_path):
    async with left(tmp_path, applied=True) as it:
        await it.lapse()
        [resume] = await it.decided()
        assert await it.note(resume.event_id)
        texts = await applied_texts(it.there)
    assert [WORDS in text for text in texts] == [False, False, True]


async def test_a5_a_conversation_that_ends_before_it_is_told_leaves_it_to_its_call(tmp_path):
    async with left(tmp_path, applied=True) as it:
        await it.lapse()
        [resume] = await it.decided()
        await it.end_conversation()
        late = EndWait(
            run_id=RUN,
            wait_id=resume.wait_id,
            end=WaitEnd.RESOLVED,
            event_id=resume.event_id,
        )
        assert not (await registering.hear_late(it.there.means, late)).first
        assert await it.state() == "left"

        assert await it.lapse() == 1
        assert await it.state() == "expired"
        assert len(await applied_texts(it.there)) == 3


async def test_a5_a_row_about_a_wait_that_is_not_beyond_its_time_is_ignored_with_the_reason(
    tmp_path,
):
    async with left(tmp_path) as it:
        wait_id = (await it.there.wait()).wait_id
        for name, about in (("w1", wait_id), ("w2", "wait_of_nobody")):
            await it.there.inbox.keep([resuming.row(name, RUN, "ann", NOW, wait=about)])
        both = await it.decided()
    assert [one.action for one in both] == [Action.IGNORE, Action.IGNORE]
    assert {one.reason for one in both} == {"no run listens for that any more"}
