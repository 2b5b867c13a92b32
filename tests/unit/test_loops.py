"""D6: a loop goes on whatever one of its rounds stumbles over, and ends when it is cancelled."""

import asyncio

import pytest

from orchestrator.loops import forever, tried
from tests.support.builders import Log


class Rounds:
    """Plays one act for each round: a number, or an error; the rest after the last one never ends."""

    def __init__(self, *acts):
        self.acts, self.rested = list(acts), []

    async def step(self):
        act = self.acts.pop(0)
        if isinstance(act, BaseException):
            raise act
        return act

    async def rest(self, did):
        self.rested.append(did)
        if not self.acts:
            raise asyncio.CancelledError


async def test_a_round_that_fails_is_told_with_its_loop_and_the_next_one_comes():
    rounds, log = Rounds(3, RuntimeError("gone"), 2), Log()

    with pytest.raises(asyncio.CancelledError):
        await forever("decide", rounds.step, rounds.rest, log)

    assert rounds.rested == [3, 0, 2]
    assert log.said == ["loop.failed"]


async def test_s2_a_round_that_is_cancelled_is_the_last_and_nothing_is_logged():
    rounds, log = Rounds(asyncio.CancelledError(), 1), Log()

    with pytest.raises(asyncio.CancelledError):
        await forever("decide", rounds.step, rounds.rest, log)

    assert (rounds.rested, log.said) == ([], [])


async def test_one_round_may_be_tried_alone():
    log = Log()

    assert await tried("decide", Rounds(7).step, log) == 7
    assert await tried("decide", Rounds(ValueError()).step, log) == 0
    assert log.said == ["loop.failed"]
