"""Many servers are asked a few at a time, and answer in the order of their names."""

import asyncio

from orchestrator.agent.hands.probing import AT_ONCE, each


async def test_no_more_than_a_few_servers_are_asked_at_a_time():
    begun, most = set(), []
    crowded = asyncio.Event()

    async def ask(name):
        begun.add(name)
        most.append(len(begun))
        if len(begun) == AT_ONCE:
            crowded.set()
        await crowded.wait()
        begun.discard(name)
        return name.upper()

    names = [f"server{number}" for number in range(5 * AT_ONCE)]
    answers = await each(names, ask)

    assert answers == [name.upper() for name in names]
    assert max(most) == AT_ONCE


async def test_nobody_asked_is_nothing_told():
    async def ask(name):
        raise AssertionError(name)

    assert await each((), ask) == []
