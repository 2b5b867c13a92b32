"""The model's failures become two: try again, or somebody must mend. Over real HTTP, through the real SDK."""

import asyncio
import json
import socket
from contextlib import asynccontextmanager

import pytest

from orchestrator.agent.model import Claude
from orchestrator.agent.reply import Rejected, Request, TooLong, Unavailable
from orchestrator.demo.wire import STATUS, Cut, Fault, Reply, Text, ToolUse
from tests.support.builders import MODEL, claude

REQUEST = Request(
    model=MODEL,
    max_tokens=1000,
    system=[{"type": "text", "text": "You triage."}],
    tools=[{"name": "look", "description": "", "input_schema": {"type": "object"}}],
    messages=[{"role": "user", "content": [{"type": "text", "text": "An event."}]}],
)
LOOKS = Reply(blocks=(Text("I look."), ToolUse("look", {"n": [1, "ü"]})), stop_reason="tool_use")


async def failure(fault):
    async with claude(fault) as model:
        with pytest.raises((Unavailable, Rejected)) as caught:
            await model.say(REQUEST)
    return caught.value


async def test_a_reply_comes_back_block_by_block():
    async with claude(LOOKS) as model:
        said = await model.say(REQUEST)

    text, use = said.content
    assert text == {"type": "text", "text": "I look."}
    assert use["type"] == "tool_use"
    assert (use["name"], use["input"]) == ("look", {"n": [1, "ü"]})
    assert said.stop == "tool_use"
    assert said.usage["output_tokens"] > 0
    assert said.request_id is not None


async def test_what_was_said_can_be_said_back_as_it_came():
    async with claude(LOOKS) as model:
        said = await model.say(REQUEST)
        result = {"type": "tool_result", "tool_use_id": said.content[1]["id"], "content": "ok"}
        messages = [
            *REQUEST.messages,
            {"role": "assistant", "content": said.content},
            {"role": "user", "content": [result]},
        ]
        longer = Request(
            model=MODEL, max_tokens=10, system=[], tools=REQUEST.tools, messages=messages
        )

        assert (await model.say(longer)).content[0] == said.content[0]


@pytest.mark.parametrize(
    "kind",
    [
        "invalid_request_error",
        "authentication_error",
        "billing_error",
        "permission_error",
        "not_found_error",
        "request_too_large",
    ],
)
async def test_what_somebody_must_mend_is_rejected_with_what_to_do(kind):
    error = await failure(Fault(status=STATUS[kind], type=kind, message="no"))

    assert isinstance(error, Rejected)
    assert f"answered {STATUS[kind]} {kind}: " in str(error)
    assert "look at the worker log" not in str(error)


@pytest.mark.parametrize(
    "kind", ["rate_limit_error", "api_error", "timeout_error", "overloaded_error"]
)
async def test_what_passes_by_itself_is_unavailable_and_was_not_begun(kind):
    error = await failure(Fault(status=STATUS[kind], type=kind, message="busy"))

    assert isinstance(error, Unavailable)
    assert f"{STATUS[kind]} {kind}" in str(error)
    assert (error.begun, error.retry_after) == (False, None)


@pytest.mark.parametrize(("status", "kind"), [(429, "rate_limit_error"), (529, "overloaded_error")])
async def test_when_to_try_again_is_told(status, kind):
    error = await failure(Fault(status=status, type=kind, retry_after=17))

    assert isinstance(error, Unavailable)
    assert error.retry_after == 17


@pytest.mark.parametrize(
    ("kind", "retry_after", "slowed"),
    [
        ("rate_limit_error", None, True),
        ("rate_limit_error", 3, True),
        ("overloaded_error", 3, True),
        ("overloaded_error", None, False),
        ("api_error", None, False),
    ],
)
async def test_whose_fault_it_is_that_it_is_slow_is_told(kind, retry_after, slowed):
    error = await failure(Fault(status=STATUS[kind], type=kind, retry_after=retry_after))

    assert error.slowed is slowed


@pytest.mark.parametrize(
    ("status", "kind", "message", "long"),
    [
        (400, "invalid_request_error", "prompt is too long: 209353 tokens > 199999 maximum", True),
        (400, "invalid_request_error", "This model's maximum context length is 4097 tokens", True),
        (400, "exceed_context_size_error", "the request exceeds the available context size", True),
        (413, "request_too_large", "Request exceeds the maximum size", True),
        (400, "invalid_request_error", "tools.0.custom.name: String should match", False),
        (404, "not_found_error", "model: prompt is too long", False),
    ],
)
async def test_a_conversation_that_is_too_long_is_told_from_other_mistakes(
    status, kind, message, long
):
    error = await failure(Fault(status=status, type=kind, message=message))

    assert isinstance(error, TooLong) is long
    assert error.invalid is (status == 400 and not long)


async def test_an_error_inside_a_stream_is_unavailable_and_was_begun():
    error = await failure(Fault(cut=Cut.ERROR))

    assert isinstance(error, Unavailable)
    assert error.begun
    assert "overloaded_error" in str(error)


async def test_an_error_inside_a_stream_that_will_not_pass_is_rejected():
    error = await failure(Fault(cut=Cut.ERROR, type="invalid_request_error"))

    assert isinstance(error, Rejected)


@pytest.mark.parametrize("cut", [Cut.DROP, Cut.END])
async def test_a_stream_that_ends_early_is_unavailable_and_was_begun(cut):
    error = await failure(Fault(cut=cut))

    assert isinstance(error, Unavailable)
    assert error.begun


async def test_a_server_that_is_not_there_was_asked_nothing():
    # Bound, and not listening: nobody else can be there.
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        model = Claude("key", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        with pytest.raises(Unavailable) as caught:
            await model.say(REQUEST)
        await model.close()

    assert not caught.value.begun
    assert "could not be reached" in str(caught.value)


@asynccontextmanager
async def answering(raw):
    """A door to a server that reads a request, sends these bytes and hangs up."""

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        model = Claude("key", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        try:
            yield model
        finally:
            await model.close()


def event(**body):
    return f"event: {body['type']}\ndata: {json.dumps(body)}\n\n".encode()


START = event(
    type="message_start", message={"content": [], "usage": {"input_tokens": 1, "output_tokens": 1}}
)
OPENED = event(type="content_block_start", index=0, content_block={"type": "text", "text": ""})
DELTA = event(
    type="content_block_delta", index=0, delta={"type": "text_delta", "text": "half \ud83d"}
)
END = event(type="message_delta", delta={"stop_reason": "tired"})
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        STREAM,
        STREAM + b"event: message_start\ndata: {broken\n\n",
        STREAM + b'event: message_stop\ndata: {"type": "message_stop"}\n\n',
        STREAM + b"data: \xff\xfe\n\n",
        STREAM + b'event: message_start\ndata: {"type": "message_start", "message": 7}\n\n',
        STREAM + b"data: 7\n\nevent: message_start\ndata: 7\n\n",
        STREAM + START + DELTA + END,
        STREAM + START + OPENED.replace(b'"text": ""', b'"text": null') + END,
        STREAM + START.replace(b'"usage"', b'"abuse"') + OPENED + DELTA + END,
    ],
    ids=[
        *("nothing", "no events", "no JSON", "no beginning", "no text", "no message"),
        *("no object", "no start of a block", "no words in a block", "no usage"),
    ],
)
async def test_a_server_that_took_the_request_and_spoke_no_sense_may_have_begun(raw):
    async with answering(raw) as model:
        with pytest.raises(Unavailable) as caught:
            await model.say(REQUEST)

    assert caught.value.begun


async def test_a_server_that_does_not_stream_is_told_from_one_that_broke_off():
    plain = STREAM.replace(b"text/event-stream", b"application/json") + b'{"type": "message"}'
    async with answering(plain) as model:
        with pytest.raises(Unavailable, match="got 'application/json': what answers at ANTHROPIC"):
            await model.say(REQUEST)


async def test_what_nobody_knows_yet_comes_back_as_it_came():
    hologram = {"type": "hologram", "depth": 3, "thickness": None}
    opened = event(type="content_block_start", index=1, content_block=hologram)
    weather = event(type="weather", sun=True)
    async with answering(STREAM + START + weather + OPENED + DELTA + opened + END) as model:
        said = await model.say(REQUEST)

    assert said.content == [{"type": "text", "text": "half \ufffd"}, hologram]
    assert (said.stop, said.usage["output_tokens"]) == ("tired", 1)


async def test_a_reply_whose_arguments_are_no_json_is_a_reply():
    """It was paid, and asked for again it would be paid again."""
    broken = ToolUse("look", spelled='{"n": [1, ')
    async with claude(Reply(blocks=(broken,), stop_reason="tool_use")) as model:
        said = await model.say(REQUEST)

    assert said.content[0]["input"] == '{"n": [1, '


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        (b"retry-after: 17", 17),
        (b"retry-after-ms: 1500\r\nretry-after: 9", 1.5),
        (b"date: Sat, 21 Nov 2026 12:00:00 GMT\r\nretry-after: Sat, 21 Nov 2026 12:02:00 GMT", 120),
        (b"retry-after: Sat, 21 Nov 2026 12:02:00 GMT", None),
        (b"retry-after: nan", None),
        (b"retry-after: inf", None),
        (b"retry-after: -5", None),
        (b"retry-after-ms: nan\r\nretry-after: 9", 9),
    ],
)
async def test_when_to_try_again_is_told_however_it_is_spelled(headers, seconds):
    """A date is one of the server's own clock."""
    raw = b"HTTP/1.1 429 Too Many Requests\r\nconnection: close\r\ncontent-length: 2\r\n"
    async with answering(raw + headers + b"\r\n\r\n{}") as model:
        with pytest.raises(Unavailable) as caught:
            await model.say(REQUEST)

    assert caught.value.retry_after == seconds


async def test_a_server_of_ones_own_finds_the_key_in_either_header():
    """Gateways that speak the API of before know nothing of a bearer."""
    seen = []

    async def answer(reader, writer):
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        model = Claude("a-key", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        with pytest.raises(Unavailable):
            await model.say(REQUEST)
        await model.close()

    head = seen[0].lower()
    assert b"x-api-key: a-key\r\n" in head
    assert b"authorization: bearer a-key\r\n" in head


@pytest.mark.parametrize("key", [None, ""])
async def test_without_a_key_nobody_is_asked_and_the_key_is_named(key):
    model = Claude(key, "http://127.0.0.1:9")
    with pytest.raises(Rejected, match="set ANTHROPIC_API_KEY"):
        await model.say(REQUEST)
    await model.close()


async def test_a7_no_error_shows_the_key():
    fault = Fault(status=401, type="authentication_error", message="sk-ant-secret is not valid")
    async with claude(fault, key="sk-ant-secret") as model:
        with pytest.raises(Rejected) as caught:
            await model.say(REQUEST)

    assert "sk-ant-secret" not in str(caught.value)
    assert caught.value.__cause__ is None
