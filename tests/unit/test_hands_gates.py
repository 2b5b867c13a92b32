"""How many calls go to a server at once and how often."""

import asyncio
import re

import pytest

from orchestrator.agent.hands.gates import Crowded, Gate, Gates
from orchestrator.servers import CallLimits, Pace, StdioServer


def gate(**limits) -> Gate:
    return Gate("server 'lab'", CallLimits(**limits))


async def held(gate: Gate, until: asyncio.Event, order: list[int], number: int) -> None:
    async with gate.entered():
        order.append(number)
        await until.wait()


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_h3_no_more_than_so_many_calls_at_once_and_the_others_in_their_order():
    one, order, over = gate(concurrent=2), [], asyncio.Event()
    calls = [asyncio.create_task(held(one, over, order, number)) for number in range(5)]
    await settled()
    assert order == [0, 1]
    over.set()
    await asyncio.gather(*calls)
    assert order == [0, 1, 2, 3, 4]


async def test_h3_who_waited_as_long_as_it_may_is_told_the_limit_and_where_it_stands():
    one = gate(concurrent=1, pace=Pace(most=10, window=1.0, said="10/s"), wait=0.05)
    async with one.entered():
        with pytest.raises(
            Crowded, match=re.escape("'lab' may get 1 calls at once and 10/s (`limits:`")
        ):
            async with one.entered():
                pass


async def test_h3_who_waited_in_vain_is_told_which_limit_it_was_and_when_it_may_go():
    pace = Pace(most=1, window=100.0, said="1/m")
    slow, quick = gate(concurrent=1, wait=0.05), gate(concurrent=9, pace=pace, wait=0.05)
    async with slow.entered(), quick.entered():
        with pytest.raises(Crowded, match="1 are under way: try again when one of them has ended"):
            async with slow.entered():
                pass
        with pytest.raises(Crowded, match=r"1/m are used up: try again in (100|\d\d) s at the ear"):
            async with quick.entered():
                pass


async def test_h3_a_place_is_free_again_after_its_call_failed_was_cancelled_or_gave_up_waiting():
    one, over = gate(concurrent=1, wait=0.05), asyncio.Event()
    with pytest.raises(ZeroDivisionError):
        async with one.entered():
            raise ZeroDivisionError
    call = asyncio.create_task(held(one, over, [], 1))
    await settled()
    with pytest.raises(Crowded):
        async with one.entered():
            pass
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    async with one.entered():
        pass


async def test_h3_no_more_than_so_many_calls_in_any_window():
    one, loop = gate(pace=Pace(most=3, window=0.6, said="3/s")), asyncio.get_running_loop()
    went = []
    for _ in range(7):
        async with one.entered():
            went.append(loop.time())

    # The loop's clock may wake a sleeper up to its resolution too early.
    assert all(later - earlier > 0.59 for earlier, later in zip(went, went[3:], strict=False))
    assert went[2] - went[0] < 0.5


async def test_h3_one_who_gives_up_waiting_for_the_pace_leaves_no_place_too_many():
    one = gate(pace=Pace(most=1, window=1.0, said="1/s"), wait=0.05)
    loop = asyncio.get_running_loop()
    async with one.entered():
        began = loop.time()
    with pytest.raises(Crowded):
        async with one.entered():
            pass
    later = gate(pace=one.limits.pace)
    later._went = one._went
    async with later.entered():
        assert loop.time() - began > 0.99


async def test_h3_a_tools_limit_does_not_hold_up_the_servers_other_tools():
    server = StdioServer(
        name="lab",
        command=("x",),
        limits=CallLimits(concurrent=2),
        tool_limits={"slow": CallLimits(concurrent=1, wait=0.05)},
    )
    gates = Gates(server)
    async with gates.entered("slow"):
        with pytest.raises(Crowded, match=r"lab\.slow may get 1 calls at once"):
            async with gates.entered("slow"):
                pass
        async with gates.entered("quick"):
            pass


async def test_h3_without_limits_nobody_waits():
    gates = Gates(StdioServer(name="lab", command=("x",)))
    async with gates.entered("a"), gates.entered("a"), gates.entered("b"):
        pass
