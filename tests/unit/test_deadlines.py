"""One timer holds the deadlines of all requests."""

import asyncio

import pytest

from orchestrator.doorbell.deadlines import Deadlines


async def test_d7_who_is_inside_too_long_is_cancelled():
    with pytest.raises(TimeoutError), Deadlines().within(0.02):
        await asyncio.Event().wait()

    assert asyncio.current_task().cancelling() == 0


async def test_who_is_done_in_time_is_left_alone():
    deadlines = Deadlines()
    with deadlines.within(0.02):
        await asyncio.sleep(0)

    with deadlines.within(10):
        await asyncio.sleep(0.05)


async def test_a_deadline_may_be_moved_while_it_runs():
    with Deadlines().within(0.02) as deadline:
        deadline.at += 10
        await asyncio.sleep(0.05)


async def test_each_task_has_its_own():
    deadlines, ended = Deadlines(), []

    async def wait(seconds):
        try:
            with deadlines.within(seconds):
                await asyncio.sleep(1)
        except TimeoutError:
            ended.append(seconds)

    await asyncio.gather(wait(0.01), wait(10), wait(0.02))

    assert ended == [0.01, 0.02]


async def test_somebody_elses_cancellation_stays_a_cancellation():
    async def inside():
        with Deadlines().within(10):
            await asyncio.Event().wait()

    task = asyncio.create_task(inside())
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_another_error_of_one_who_was_late_stays_what_it_is():
    async def inside():
        with Deadlines().within(0.01):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise ValueError("on the way out") from None

    with pytest.raises(ValueError, match="on the way out"):
        await inside()


def test_a_deadline_needs_somebody_to_cancel():
    with pytest.raises(RuntimeError):
        Deadlines().within(1)
