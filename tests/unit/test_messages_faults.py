"""Faults and cuts of the scripted Messages server, seen through the real SDK over real HTTP."""

import json

import anthropic
import httpx2
import pytest

from orchestrator.demo.wire import Cut, Fault
from tests.support.messages_client import Clock, body, client, stream

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
