"""Tasks of 2025-11-25 are begun, looked at and called off in the words of today's."""

import sys
from contextlib import asynccontextmanager

import pytest

from orchestrator.agent.hands.definitions import Answered, Begun
from orchestrator.agent.hands.sights import Seen, Status, Unseen
from orchestrator.servers import StdioServer
from tests.support.lab import SUPPORT, reaching

NAME, DEADLINE = "former", 30.0


@asynccontextmanager
async def house(refuses="coded"):
    command = (sys.executable, str(SUPPORT / "former_server.py"), refuses)
    async with reaching(StdioServer(name=NAME, command=command)) as hands:
        yield hands


async def begun(hands, how):
    outcome = await hands.call(NAME, "research", {"how": how}, deadline=DEADLINE, key=how)
    assert isinstance(outcome, Begun), outcome
    return outcome


async def look(hands, task_id):
    return await hands.look(NAME, "research", task_id, deadline=DEADLINE)


@pytest.mark.parametrize("refuses", ["coded", "told"])
async def test_h4_a_tool_that_is_only_called_as_a_task_is_called_as_one(refuses):
    async with house(refuses) as hands:
        handle = await begun(hands, "completed")
        working, done = [await look(hands, handle.task_id) for _ in range(2)]

    assert (handle.status, handle.said, handle.ttl, handle.poll) == (
        Status.WORKING,
        "looked at 0 times",
        60.0,
        0.5,
    )
    assert working == Seen(status=Status.WORKING, said="looked at 1 times", ttl=60.0, poll=0.5)
    assert isinstance(done, Seen)
    assert isinstance(done.answer, Answered)
    assert (done.status, done.answer.is_error) == (Status.COMPLETED, False)
    assert done.answer.content[0]["text"] == "found it"


async def test_h4_a_former_task_that_failed_is_a_result_that_is_an_error():
    async with house() as hands:
        handle = await begun(hands, "failed")
        await look(hands, handle.task_id)
        done = await look(hands, handle.task_id)

    assert isinstance(done, Seen)
    assert isinstance(done.answer, Answered)
    assert (done.status, done.answer.is_error) == (Status.COMPLETED, True)
    assert done.answer.content[0]["text"] == "there is no ink"


async def test_h4_a_former_task_is_called_off_and_an_unknown_one_is_gone():
    async with house() as hands:
        handle = await begun(hands, "completed")
        off = await hands.call_off(NAME, "research", handle.task_id, deadline=DEADLINE)
        nobody = await look(hands, "task-99")

    assert isinstance(off, Seen)
    assert off.status is Status.CANCELLED
    assert isinstance(nobody, Unseen)
    assert nobody.gone


async def test_h4_what_a_former_task_asks_is_declined_while_its_result_is_asked_for():
    async with house() as hands:
        handle = await begun(hands, "input_required")
        done = await look(hands, handle.task_id)

    assert isinstance(done, Seen)
    assert isinstance(done.answer, Answered)
    assert (done.status, done.answer.content[0]["text"]) == (Status.COMPLETED, "found it")


async def test_a2_words_that_only_look_like_a_refusal_call_nothing_again():
    async with house("told") as hands:
        outcome = await hands.call(NAME, "plain", {}, deadline=DEADLINE, key="plain")

    assert isinstance(outcome, Answered)
    assert outcome.is_error
    assert outcome.content[0]["text"].endswith("that is only what it says")
