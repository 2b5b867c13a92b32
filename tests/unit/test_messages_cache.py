"""The prompt cache of the scripted Messages server, seen through the real SDK over real HTTP."""

from datetime import timedelta
from typing import Any

import pytest

from tests.support.messages_client import CACHED, DONE, HOUR, TOOL, Clock, body, client, stream


def growing(length: int) -> list[dict[str, Any]]:
    """A conversation of so many rounds, with its breakpoint on the last block."""
    messages: list[dict[str, Any]] = []
    for n in range(length):
        messages.append(
            {"role": "user", "content": [{"type": "text", "text": f"{n} " + "x" * 3600}]}
        )
        messages.append({"role": "assistant", "content": [{"type": "text", "text": f"answer {n}"}]})
    messages.pop()
    last = messages[-1]["content"][-1]
    return [*messages[:-1], {"role": "user", "content": [{**last, "cache_control": CACHED}]}]


async def test_a_growing_conversation_reads_what_the_call_before_wrote():
    system = [{"type": "text", "text": "y" * 3600, "cache_control": HOUR}]
    async with client() as sdk:
        first = (await stream(sdk, system=system, messages=growing(1))).usage
        second = (await stream(sdk, system=system, messages=growing(2))).usage

    assert (first.input_tokens, first.cache_read_input_tokens) == (0, 0)
    assert first.cache_creation.ephemeral_1h_input_tokens >= 1000
    assert first.cache_creation.ephemeral_5m_input_tokens >= 1000
    assert second.cache_read_input_tokens == first.cache_creation_input_tokens
    assert 1000 <= second.cache_creation_input_tokens < 1060
    assert second.cache_creation.ephemeral_1h_input_tokens == 0
    assert second.input_tokens == 0


async def test_without_breakpoints_nothing_is_cached():
    async with client() as sdk:
        usages = [(await sdk.messages.create(**body(system="y" * 9000))).usage for _ in range(2)]

    assert [u.cache_read_input_tokens for u in usages] == [0, 0]
    assert [u.cache_creation_input_tokens for u in usages] == [0, 0]
    assert usages[0].input_tokens == usages[1].input_tokens > 2500


async def test_a_prefix_below_the_minimum_is_silently_not_cached():
    async with client() as sdk:
        usages = [(await sdk.messages.create(**body(cache_control=CACHED))).usage for _ in range(2)]

    assert [u.cache_creation_input_tokens for u in usages] == [0, 0]
    assert usages[1].cache_read_input_tokens == 0


async def test_a_top_level_breakpoint_stands_on_the_last_block():
    async with client() as sdk:
        asked = body(cache_control=CACHED, system="y" * 9000)
        first = (await sdk.messages.create(**asked)).usage
        second = (await sdk.messages.create(**asked)).usage

    assert first.cache_creation_input_tokens > 2500
    assert second.cache_read_input_tokens == first.cache_creation_input_tokens


@pytest.mark.parametrize(("control", "alive"), [(CACHED, 300), (HOUR, 3600)])
async def test_a_written_prefix_lives_as_long_as_its_ttl_and_a_read_prolongs_it(control, alive):
    clock = Clock()
    asked = body(system=[{"type": "text", "text": "y" * 3600, "cache_control": control}])
    async with client(DONE, clock) as sdk:
        reads = []
        for wait in (0, alive - 1, alive - 1, alive + 1):
            clock.time += timedelta(seconds=wait)
            reads.append((await sdk.messages.create(**asked)).usage.cache_read_input_tokens > 0)

    assert reads == [False, True, True, False]


async def test_a_changed_tool_makes_the_whole_prefix_new():
    system = [{"type": "text", "text": "y" * 3600, "cache_control": HOUR}]
    other = {**TOOL, "description": "drifted"}
    async with client() as sdk:
        await sdk.messages.create(**body(system=system, tools=[TOOL]))
        kept = (await sdk.messages.create(**body(system=system, tools=[TOOL]))).usage
        lost = (await sdk.messages.create(**body(system=system, tools=[other]))).usage

    assert kept.cache_read_input_tokens > 1000
    assert lost.cache_read_input_tokens == 0


async def test_a_changed_tool_choice_loses_the_messages_and_keeps_the_system():
    asked = body(
        system=[{"type": "text", "text": "y" * 3600, "cache_control": HOUR}],
        tools=[TOOL],
        messages=growing(1),
    )
    async with client() as sdk:
        await sdk.messages.create(**asked)
        usage = (await sdk.messages.create(**asked, tool_choice={"type": "none"})).usage

    assert 1000 < usage.cache_read_input_tokens < 1100
    assert usage.cache_creation.ephemeral_5m_input_tokens > 1000
