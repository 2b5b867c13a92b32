"""The scripted Messages server, seen through the real SDK over real HTTP."""

import json
from collections.abc import Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import anthropic
import httpx2
import pytest

from orchestrator.demo.messages import messages_app
from orchestrator.demo.wire import Cut, Fault, Reply, Text, ToolUse
from tests.support.asgi import serving

START = datetime(2026, 11, 21, 9, tzinfo=UTC)
HELLO = [{"role": "user", "content": "hello"}]
NOTE = "A long note about a failing deployment, with every detail. 🔔 " * 5
WRITE = ToolUse("github__add_issue_comment", {"body": NOTE, "labels": ["a", "b"], "n": 7})
BOTH = Reply(blocks=(Text("I'll comment on it now."), WRITE), stop_reason="tool_use")
DONE = Reply(blocks=(Text("Done."),), stop_reason="end_turn")
TOOL = {"name": "look", "description": "", "input_schema": {"type": "object", "properties": {}}}
CACHED = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}


@dataclass
class Says:
    """A script that always answers the same."""

    answer: Reply | Fault

    def reply(self, request: Mapping[str, Any]) -> Reply | Fault:  # noqa: ARG002 - it always says the same
        return self.answer


@dataclass
class Clock:
    time: datetime = START
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@asynccontextmanager
async def client(answer: Reply | Fault = DONE, clock: Clock | None = None):
    clock = clock or Clock()
    app = messages_app(Says(answer), now=clock.now, sleep=clock.sleep)
    async with (
        serving(app) as url,
        # Without TLS, whose set-up would take most of a test's time.
        httpx2.AsyncClient(verify=False) as http,
        anthropic.AsyncAnthropic(
            base_url=url, api_key="scripted", max_retries=0, http_client=http
        ) as found,
    ):
        yield found


def body(**changes: Any) -> dict[str, Any]:
    base = {"model": "claude-sonnet-5-5", "max_tokens": 1000, "messages": HELLO}
    return {name: value for name, value in {**base, **changes}.items() if value is not None}


async def stream(sdk: anthropic.AsyncAnthropic, **changes: Any) -> Any:
    async with sdk.messages.stream(**body(**changes)) as events:
        return await events.get_final_message()


async def post(sdk: anthropic.AsyncAnthropic, request: Any) -> httpx2.Response:
    headers = {"x-api-key": "scripted", "anthropic-version": "2026-10-21"}
    async with httpx2.AsyncClient(verify=False) as plain:
        url = f"{str(sdk.base_url).rstrip('/')}/v1/messages"
        content = request if isinstance(request, str | bytes) else json.dumps(request)
        return await plain.post(url, headers=headers, content=content)


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


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def uses(*ids: str) -> dict[str, Any]:
    return {
        "role": "assistant",
        "content": [{"type": "tool_use", "id": i, "name": "look", "input": {}} for i in ids],
    }


def answers(tool_use_id: str) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": tool_use_id, "content": "seen"}


def schema(**changes: Any) -> list[dict[str, Any]]:
    return [{**TOOL, "input_schema": {"type": "object", **changes}}]


SAID = {"type": "text", "text": "hello"}
MARKED = {**SAID, "cache_control": CACHED}

REFUSALS = {
    "no max_tokens": (body(max_tokens=None), "max_tokens: Field required"),
    "a max_tokens of words": (body(max_tokens="9"), "max_tokens: Input should be a valid integer"),
    "a negative max_tokens": (
        body(max_tokens=-1),
        "max_tokens: Input should be greater than or equal to 0",
    ),
    "no model": (body(model=None), "model: Field required"),
    "no messages": (body(messages=[]), "messages: at least one message is required"),
    "messages of a wrong shape": (body(messages="hello"), "messages: Input should be a valid list"),
    "a message that is no object": (body(messages=[1]), "messages: Input should be a valid list"),
    "a system of a wrong shape": (body(system=7), "system: Input should be a valid list"),
    "a temperature": (body(temperature=1), "temperature: Extra inputs are not permitted"),
    "the assistant first": (
        body(messages=[{"role": "assistant", "content": "hi"}, *HELLO]),
        'messages: first message must use the "user" role',
    ),
    "an unknown role": (
        body(messages=[{"role": "tool", "content": "hi"}]),
        "messages.0.role: Input should be 'user' or 'assistant'",
    ),
    "the assistant last": (
        body(messages=[*HELLO, {"role": "assistant", "content": "hi"}]),
        (
            "This model does not support assistant message prefill. "
            "The conversation must end with a user message."
        ),
    ),
    "content of a wrong shape": (
        body(messages=[{"role": "user", "content": 7}]),
        "messages.0.content: Input should be a valid list",
    ),
    "a block that is no object": (
        body(messages=[{"role": "user", "content": ["hello"]}]),
        "messages.0.content: Input should be a valid list of blocks",
    ),
    "empty content": (
        body(messages=[user()]),
        "messages.0: user messages must have non-empty content",
    ),
    "empty text": (
        body(messages=[user({"type": "text", "text": ""})]),
        "messages: text content blocks must be non-empty",
    ),
    "a dotted tool name": (
        body(tools=[{**TOOL, "name": "github.look"}]),
        "tools.0.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'",
    ),
    "two tools of one name": (body(tools=[TOOL, TOOL]), "tools: Tool names must be unique."),
    "a tool without a schema": (
        body(tools=[{"name": "look"}]),
        "tools.0.custom.input_schema: Field required",
    ),
    "a schema without a type": (
        body(tools=[{**TOOL, "input_schema": {}}]),
        "tools.0.custom.input_schema.type: Field required",
    ),
    "a schema that is no object": (
        body(tools=schema(type="array")),
        "tools.0.custom.input_schema.type: Input should be 'object'",
    ),
    "a schema of alternatives": (
        body(tools=schema(anyOf=[{"required": ["a"]}])),
        "tools.0.custom.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level",
    ),
    "a property with a space": (
        body(tools=schema(properties={"a b": {}})),
        "tools.0.custom.input_schema.properties: Property keys should match pattern '^[a-zA-Z0-9_.-]{1,64}$'",
    ),
    "calls that nobody answered": (
        body(messages=[*HELLO, uses("toolu_1", "toolu_2", "toolu_3"), user(answers("toolu_2"))]),
        (
            "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: toolu_1, toolu_3. "
            "Each `tool_use` block must have a corresponding `tool_result` block in the next message."
        ),
    ),
    "an answer that nobody asked for": (
        body(messages=[user(SAID, answers("toolu_9"))]),
        (
            "messages.0.content.1: unexpected `tool_use_id` found in `tool_result` blocks: toolu_9. "
            "Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
        ),
    ),
    "one id twice": (
        body(messages=[*HELLO, uses("toolu_1", "toolu_1"), user(answers("toolu_1"))]),
        "messages.1: `tool_use` ids must be unique",
    ),
    "five breakpoints": (
        body(messages=[user(*[MARKED] * 5)]),
        "A maximum of 4 blocks with cache_control may be provided. Found 5.",
    ),
    "an hour after five minutes": (
        body(
            tools=[{**TOOL, "cache_control": CACHED}],
            messages=[user({**SAID, "cache_control": HOUR})],
        ),
        (
            "messages.0.content.0.cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' "
            "cache_control block. Note that blocks are processed in the following order: `tools`, `system`, `messages`."
        ),
    ),
    "an unknown ttl": (
        body(messages=[user({**SAID, "cache_control": {"type": "ephemeral", "ttl": "9h"}})]),
        "messages.0.content.0.cache_control.ephemeral.ttl: Input should be '5m' or '1h'",
    ),
}


@pytest.mark.parametrize(("request_body", "text"), REFUSALS.values(), ids=REFUSALS.keys())
async def test_a_request_the_api_refuses_is_refused_in_its_words(request_body, text):
    async with client() as sdk:
        with pytest.raises(anthropic.BadRequestError) as caught:
            await sdk.post("/v1/messages", body=request_body, cast_to=object)

    assert caught.value.status_code == 400
    assert caught.value.type == "invalid_request_error"
    assert caught.value.body["error"]["message"] == text
    assert caught.value.request_id == caught.value.body["request_id"]


async def test_a_request_with_everything_in_order_is_accepted():
    request = body(
        max_tokens=0,
        system=[{**MARKED, "cache_control": HOUR}],
        tools=[
            {**TOOL, "cache_control": HOUR},
            {"type": "web_search_20260318", "name": "web_search"},
        ],
        messages=[
            *HELLO,
            uses("toolu_1", "toolu_2"),
            user(answers("toolu_2"), {**answers("toolu_1"), "content": [MARKED]}),
            {"role": "system", "content": "finish"},
            user(MARKED),
        ],
    )
    async with client() as sdk:
        assert (await sdk.messages.create(**request)).stop_reason == "end_turn"


@pytest.mark.parametrize("junk", [b"", b"{", b"[]", b"\xff", b"null"])
async def test_a_body_that_is_no_json_object_is_refused(junk):
    async with client() as sdk:
        answer = await post(sdk, junk)

    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert answer.headers["request-id"] == answer.json()["request_id"]


async def test_an_unknown_model_is_not_found():
    async with client() as sdk:
        with pytest.raises(anthropic.NotFoundError, match="model: gpt-7"):
            await sdk.messages.create(**body(model="gpt-7"))


async def test_an_unknown_path_is_not_found():
    async with client() as sdk:
        with pytest.raises(anthropic.NotFoundError):
            await sdk.post("/v1/complete", body={}, cast_to=object)


async def test_no_key_is_an_authentication_error_whichever_header_would_carry_it():
    app = messages_app(Says(DONE), now=Clock().now)
    headers = {"anthropic-version": "2026-10-21"}
    async with (
        serving(app) as url,
        httpx2.AsyncClient(base_url=url, headers=headers, verify=False) as plain,
    ):
        bare = await plain.post("/v1/messages", json=body())
        empty = await plain.post("/v1/messages", json=body(), headers={"x-api-key": ""})
        old = await plain.post("/v1/messages", json=body(), headers={"x-api-key": "k"})
        new = await plain.post("/v1/messages", json=body(), headers={"authorization": "Bearer k"})

    assert [bare.status_code, empty.status_code, old.status_code, new.status_code] == [
        401,
        401,
        200,
        200,
    ]
    assert bare.json()["error"]["type"] == "authentication_error"


async def test_no_version_is_refused():
    app = messages_app(Says(DONE), now=Clock().now)
    async with serving(app) as url, httpx2.AsyncClient(base_url=url, verify=False) as plain:
        answer = await plain.post("/v1/messages", json=body(), headers={"x-api-key": "k"})

    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "anthropic-version: header is required"


async def test_a_request_beyond_32_megabytes_is_too_large():
    async with client() as sdk:
        answer = await post(sdk, b" " * (32 * 1024 * 1024 + 1))

    assert answer.status_code == 413
    assert answer.json()["error"]["type"] == "request_too_large"


FAULTS = [
    (400, "invalid_request_error", anthropic.BadRequestError),
    (401, "authentication_error", anthropic.AuthenticationError),
    (403, "permission_error", anthropic.PermissionDeniedError),
    (429, "rate_limit_error", anthropic.RateLimitError),
    (500, "api_error", anthropic.InternalServerError),
    (529, "overloaded_error", anthropic.InternalServerError),
]


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize(("status", "kind", "raised"), FAULTS)
async def test_a_status_fault_is_the_sdk_s_own_error(status, kind, raised, streaming):
    async with client(Fault(status=status, type=kind, message="Number 7", retry_after=1.5)) as sdk:
        with pytest.raises(raised, match="Number 7") as caught:
            await (stream(sdk) if streaming else sdk.messages.create(**body()))

    assert (caught.value.status_code, caught.value.type) == (status, kind)
    assert caught.value.response.headers["retry-after"] == "1.5"


async def test_a_fault_waits_for_its_delay():
    clock = Clock()
    async with client(Fault(delay=3), clock) as sdk:
        with pytest.raises(anthropic.APIStatusError):
            await stream(sdk)

    assert clock.slept == [3]


async def test_a_connection_dropped_mid_stream_is_a_raw_transport_error():
    async with client(Fault(cut=Cut.DROP)) as sdk:
        with pytest.raises(httpx2.RemoteProtocolError):
            await stream(sdk)


async def test_a_connection_dropped_in_a_plain_reply_is_a_transport_error_too():
    async with client(Fault(cut=Cut.DROP)) as sdk:
        with pytest.raises((httpx2.RemoteProtocolError, anthropic.APIConnectionError)):
            await sdk.messages.create(**body())


async def test_an_error_mid_stream_has_status_200_and_its_own_type():
    async with client(Fault(cut=Cut.ERROR)) as sdk:
        with pytest.raises(anthropic.APIStatusError) as caught:
            await stream(sdk)

    assert (caught.value.status_code, caught.value.type) == (200, "overloaded_error")


async def test_an_error_cut_of_a_plain_reply_is_that_error():
    async with client(Fault(cut=Cut.ERROR)) as sdk:
        with pytest.raises(anthropic.APIStatusError) as caught:
            await sdk.messages.create(**body())

    assert (caught.value.status_code, caught.value.type) == (529, "overloaded_error")


async def test_a_stream_that_ends_early_raises_nothing_and_has_no_stop_reason():
    async with client(Fault(cut=Cut.END)) as sdk:
        message = await stream(sdk)

    assert message.stop_reason is None
    assert message.usage.input_tokens > 0


async def test_a_plain_reply_that_ends_early_is_no_json():
    async with client(Fault(cut=Cut.END)) as sdk:
        with pytest.raises((json.JSONDecodeError, anthropic.APIResponseValidationError)):
            await sdk.messages.create(**body())
