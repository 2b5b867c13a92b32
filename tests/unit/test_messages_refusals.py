"""What the scripted Messages server refuses, in the words of the API."""

from typing import Any

import anthropic
import httpx2
import pytest

from orchestrator.demo.messages import messages_app
from tests.support.asgi import serving
from tests.support.drawn import attached, coded, png
from tests.support.messages_client import (
    CACHED,
    DONE,
    HELLO,
    HOUR,
    TOOL,
    Clock,
    Says,
    body,
    client,
    post,
)


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def uses(*ids: str) -> dict[str, Any]:
    return {
        "role": "assistant",
        "content": [{"type": "tool_use", "id": i, "name": "look", "input": {}} for i in ids],
    }


def used(**changes: Any) -> dict[str, Any]:
    block = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}, **changes}
    return {"role": "assistant", "content": [block]}


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
        "messages.0: all messages must have non-empty content except for the optional final assistant message",
    ),
    "empty text": (
        body(messages=[user({"type": "text", "text": ""})]),
        "messages: text content blocks must be non-empty",
    ),
    "empty content of the assistant": (
        body(messages=[*HELLO, {"role": "assistant", "content": []}, *HELLO]),
        "messages.1: all messages must have non-empty content except for the optional final assistant message",
    ),
    "text of nothing but white space": (
        body(messages=[user({"type": "text", "text": " \n"})]),
        "messages: text content blocks must contain non-whitespace text",
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
    "arguments that are no object": (
        body(messages=[*HELLO, used(input=[]), user(answers("toolu_1"))]),
        "messages.1.content.0.tool_use.input: Input should be a valid dictionary",
    ),
    "an id with a dot": (
        body(messages=[*HELLO, used(id="toolu_1.1"), user(answers("toolu_1.1"))]),
        "messages.1.content.0.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'",
    ),
    "a picture without a size": (
        body(messages=[user(SAID, attached(b"what"))]),
        "Could not process image",
    ),
    "a picture that is no base64": (
        body(messages=[user({"type": "image", "source": {"type": "base64", "data": "%"}})]),
        "Could not process image",
    ),
    "a picture that is too large": (
        body(
            messages=[
                *HELLO,
                uses("toolu_1"),
                user({**answers("toolu_1"), "content": [attached(png(9000, 9))]}),
            ]
        ),
        "At least one of the image dimensions exceed max allowed size: 8000 pixels",
    ),
    "a large one of many pictures": (
        body(messages=[user(attached(png(2001, 9)), *[attached(png(9, 9))] * 20)]),
        "At least one of the image dimensions exceed max allowed size for many-image requests: 2000 pixels",
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


async def test_a_turn_that_paused_for_the_providers_own_tools_goes_on():
    paused = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}
    request = body(messages=[*HELLO, {"role": "assistant", "content": [SAID, paused]}])
    async with client() as sdk:
        assert (await sdk.messages.create(**request)).stop_reason == "end_turn"


async def test_a_conversation_longer_than_the_window_is_refused_and_an_image_is_not_long():
    data = coded(png(1280, 800)).ljust(400_000, "A")
    source = {"type": "base64", "media_type": "image/png", "data": data}
    image = body(messages=[user(SAID, {"type": "image", "source": source})])
    app = messages_app(Says(DONE), now=Clock().now, window=5_000)
    async with (
        serving(app) as url,
        httpx2.AsyncClient(verify=False) as http,
        anthropic.AsyncAnthropic(base_url=url, api_key="k", max_retries=0, http_client=http) as sdk,
    ):
        seen = await sdk.messages.create(**image)
        with pytest.raises(anthropic.BadRequestError) as caught:
            await sdk.messages.create(**body(messages=[user({"type": "text", "text": data})]))

    assert seen.usage.input_tokens < 2_000
    assert "prompt is too long: 1111" in caught.value.body["error"]["message"]
    assert caught.value.body["error"]["message"].endswith("tokens > 5000 maximum")


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
