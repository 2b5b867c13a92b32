"""A4: a conversation that outgrows its model goes on without its oldest results. Over real HTTP."""

import json
from itertools import pairwise

import pytest

from orchestrator.demo.wire import Fault, Reply, Text, ToolUse
from orchestrator.ledger import artifacts, calls, clearings
from tests.support.asking import talk
from tests.support.builders import frozen, tool
from tests.support.scripts import Once, says
from workflows.messages import CallState, Stop
from workflows.playbook import Effect

LOOK = ToolUse("github__comment", {"body": "look"})
LOOKS = Reply(blocks=(LOOK,), stop_reason="tool_use")
FULL = Reply(blocks=(Text("I was about to"),), stop_reason="model_context_window_exceeded")
PIN = frozen(tool(effect=Effect.READ), max_tokens=500, model="scripted-1")
RESULT = "x" * 20_000
OVERFLOWS = [
    Fault(status=413, type="request_too_large", message="Request exceeds the maximum size"),
    Fault(
        status=400, type="invalid_request_error", message="prompt is too long: 9 tokens > 8 maximum"
    ),
    Fault(
        status=400,
        type="invalid_request_error",
        message="input length and `max_tokens` exceed context limit: 199759 + 8192 > 200000",
    ),
    Fault(
        status=400,
        type="exceed_context_size_error",
        message="the request exceeds the available context size, try increasing it",
    ),
]


def cleared(messages):
    """Which results a request shows no more, in their order."""
    blocks = [block for message in messages for block in message["content"]]
    results = [block for block in blocks if block["type"] == "tool_result"]
    return ["[cleared" in result["content"][0]["text"] for result in results]


async def grow(subject, turns, first=1):
    for turn in range(first, first + turns):
        assert (await subject.ask(turn)).stop is Stop.TOOL_USE
        await subject.answered(turn, RESULT)


async def test_a4_what_no_longer_fits_is_cleared_in_one_batch_and_the_run_goes_on(tmp_path):
    """The provider refuses what is too long, as the real one does; nobody told us its window."""
    async with talk(tmp_path, PIN, LOOKS, window=40_000) as subject:
        await grow(subject, 16)
        refused = [request for request in subject.script.asked if len(str(request)) > 160_000]
        made = await subject.ledger.read(calls.of_run, subject.run_id)
        kept = await subject.ledger.read(artifacts.get, made[0].artifact)
        through = await subject.ledger.read(clearings.cleared, subject.run_id)

    assert refused == []
    shown = cleared(subject.sent())
    assert shown == [True] * through + [False] * (15 - through)
    assert through >= 4
    assert kept.body == RESULT.encode()
    batches = {tuple(cleared(request["messages"]))[:4] for request in subject.script.asked}
    assert len(batches) <= 6


async def test_a4_a_known_window_is_never_asked_to_hold_too_much(tmp_path):
    pin = frozen(tool(effect=Effect.READ), max_tokens=500, model="claude-haiku-4-5")
    async with talk(tmp_path, pin, LOOKS, window=200_000) as subject:
        await grow(subject, 22)

    assert len(subject.script.asked) == 22
    assert 2 <= sum(cleared(subject.sent())) < 19
    first = [json.dumps(request["messages"])[:5_000] for request in subject.script.asked]
    assert len(set(first[1:])) <= 3


@pytest.mark.parametrize("overflow", OVERFLOWS, ids=["413", "400", "limit", "llama.cpp"])
async def test_a4_whatever_says_that_it_is_too_long_is_understood(tmp_path, overflow):
    async with talk(tmp_path, PIN, *[LOOKS] * 6, Once(overflow, says())) as subject:
        await grow(subject, 6)
        reply = await subject.ask(7)

    assert reply.stop is Stop.END_TURN
    assert len(subject.script.asked) == 8
    assert 0 < sum(cleared(subject.sent())) < 6
    assert (reply.spent.assumed, reply.spent.unpriced) == (0, 7)


async def test_a4_a_reply_that_found_no_room_is_asked_for_again_with_more(tmp_path):
    async with talk(tmp_path, PIN, *[LOOKS] * 4, Once(FULL, says())) as subject:
        await grow(subject, 4)
        reply = await subject.ask(5)

    assert reply.stop is Stop.END_TURN
    assert any(cleared(subject.sent()))


async def test_a8_a_conversation_that_can_not_be_made_shorter_ends_and_says_so(tmp_path):
    """Resuming it could never help, so it doesn't park."""
    async with talk(tmp_path, PIN, Once(OVERFLOWS[1], OVERFLOWS[1])) as subject:
        reply = await subject.ask()

    assert (reply.stop, len(subject.script.asked)) == (Stop.CONTEXT_EXCEEDED, 1)


async def test_a4_it_is_halved_until_nothing_is_left_to_clear(tmp_path):
    async with talk(tmp_path, PIN, *[LOOKS] * 8, OVERFLOWS[0]) as subject:
        await grow(subject, 8)
        reply = await subject.ask(9)

    assert reply.stop is Stop.CONTEXT_EXCEEDED
    assert cleared(subject.sent()) == [True] * 7 + [False]
    assert len(subject.script.asked) < 8 + 6


async def test_a2_what_nobody_knows_is_never_cleared(tmp_path):
    async with talk(tmp_path, PIN, *[LOOKS] * 5, Once(OVERFLOWS[0], says())) as subject:
        assert (await subject.ask()).stop is Stop.TOOL_USE
        await subject.answered(1, RESULT, CallState.UNKNOWN)
        await grow(subject, 4, first=2)
        await subject.ask(6)

    shown = cleared(subject.sent())
    assert not shown[0]
    assert any(shown)


async def test_r5_the_conversation_is_read_from_the_cache_however_many_calls_a_turn_makes(tmp_path):
    """The API looks 20 blocks back from a breakpoint for what it knows; thirty calls are sixty blocks."""
    many = Reply(blocks=(LOOK,) * 30, stop_reason="tool_use")
    async with talk(tmp_path, PIN, many) as subject:
        cached = []
        for turn in (1, 2, 3, 4):
            cached.append((await subject.ask(turn)).spent.cached_tokens)
            await subject.answered(turn, "x" * 1_000)

    grown = [after - before for before, after in pairwise(cached[1:])]
    assert grown[0] > 8_000
    assert grown[1] > 2 * 8_000
