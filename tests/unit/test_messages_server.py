"""The scripted Messages server, seen through the real SDK over real HTTP."""

import json

import pytest

from orchestrator.demo.wire import Reply, Text, ToolUse
from tests.support.messages_client import DONE, HELLO, Clock, body, client, post, stream

NOTE = "A long note about a failing deployment, with every detail. 🔔 " * 5
WRITE = ToolUse("github__add_issue_comment", {"body": NOTE, "labels": ["a", "b"], "n": 7})
BOTH = Reply(blocks=(Text("I'll comment on it now."), WRITE), stop_reason="tool_use")


async def test_a_plain_reply_carries_words_and_a_whole_tool_call():
    async with client(BOTH) as sdk:
        message = await sdk.messages.create(**body())

    text, call = message.content
    assert text.text == "I'll comment on it now."
    assert (call.name, call.input) == (WRITE.name, WRITE.input)
    assert call.id.startswith("toolu_")
    assert (message.stop_reason, message.role) == ("tool_use", "assistant")
    assert message._request_id.startswith("req_")


async def test_a_streamed_reply_is_reassembled_to_the_plain_one():
    async with client(BOTH) as sdk:
        plain = await sdk.messages.create(**body())
        streamed = await stream(sdk)

    assert streamed.content[0].text == plain.content[0].text
    assert streamed.content[1].input == plain.content[1].input
    assert streamed.stop_reason == plain.stop_reason
    assert streamed.usage.output_tokens == plain.usage.output_tokens


async def test_tool_arguments_come_in_pieces_between_start_and_stop():
    async with client(BOTH) as sdk, sdk.messages.stream(**body()) as events:
        seen = [event async for event in events]

    deltas = [event.delta for event in seen if event.type == "content_block_delta"]
    pieces = [delta.partial_json for delta in deltas if delta.type == "input_json_delta"]
    kinds = [e.type for e in seen]
    assert len(pieces) > 3
    assert json.loads("".join(pieces)) == WRITE.input
    assert kinds[0] == "message_start"
    assert kinds[-1] == "message_stop"
    assert kinds.count("content_block_stop") == 2


async def test_the_stream_is_spelt_as_the_api_spells_it():
    async with client(DONE) as sdk:
        answer = await post(sdk, body(stream=True))

    frames = [frame.split("\n") for frame in answer.text.strip().split("\n\n")]
    names = [name.removeprefix("event: ") for name, _ in frames]
    assert names == [
        "message_start",
        "ping",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert all(
        json.loads(data.removeprefix("data: "))["type"] == n
        for (_, data), n in zip(frames, names, strict=True)
    )
    assert answer.headers["content-type"].startswith("text/event-stream")


async def test_the_same_request_gets_the_same_ids():
    async with client(BOTH) as sdk:
        first, second = [await sdk.messages.create(**body()) for _ in range(2)]
        other = await sdk.messages.create(**body(system="otherwise"))

    assert (first.id, first.content[1].id) == (second.id, second.content[1].id)
    assert other.id != first.id
    assert other.content[1].id != first.content[1].id
    assert first._request_id != second._request_id


async def test_a_delay_is_spread_over_the_pieces_of_the_stream():
    clock = Clock()
    reply = Reply(blocks=BOTH.blocks, stop_reason="tool_use", delay=6)
    async with client(reply, clock) as sdk:
        await stream(sdk)

    assert len(clock.slept) > 10
    assert sum(clock.slept) == pytest.approx(6)


async def test_a_delay_holds_a_plain_reply_back():
    clock = Clock()
    async with client(Reply(blocks=DONE.blocks, stop_reason="end_turn", delay=6), clock) as sdk:
        await sdk.messages.create(**body())

    assert sum(clock.slept) == 6


async def test_tokens_are_counted_from_the_real_text():
    async with client() as sdk:
        small = await sdk.messages.count_tokens(model="claude-sonnet-5-5", messages=HELLO)
        large = await sdk.messages.count_tokens(
            model="claude-sonnet-5-5", messages=[{"role": "user", "content": "x" * 3600}]
        )
        billed = (await sdk.messages.create(**body())).usage

    assert 1000 <= large.input_tokens < 1020
    assert small.input_tokens == billed.input_tokens


async def test_a_model_can_be_looked_up():
    async with client() as sdk:
        found = await sdk.models.retrieve("scripted-1")

    assert (found.id, found.type) == ("scripted-1", "model")
