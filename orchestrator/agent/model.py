"""Ask the model for one reply; the only door to `anthropic`. It knows no run, no ledger and no Temporal.

The vendor's errors become two: `Unavailable` (try again, perhaps later) and `Rejected` (somebody must mend
something). A broken, truncated or silent stream is `Unavailable`: nothing of it was acted on.
"""

import re
from collections.abc import Mapping
from typing import Any

import anthropic
import httpx2
from anthropic import AsyncAnthropic

from orchestrator import pauses
from orchestrator.agent.reply import Rejected, Request, Said, TooLong, Unavailable
from orchestrator.agent.stream import Stream
from orchestrator.errors import DoorbellError

READ_TIMEOUT = 120.0
"""Seconds without a byte after which a stream counts as dead."""

OK = 200
SERVER_ERRORS = 500
_NEVER_LEFT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
# What the SDK and `Stream` let fall when a stream is no JSON, no UTF-8, no message, or lacks a part.
_UNREADABLE = (
    anthropic.APIError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
_RETRIED = frozenset({408, 409, 425, 429})
_RETRIED_TYPES = frozenset({"overloaded_error", "api_error", "timeout_error", "rate_limit_error"})
_MENDS = {
    400: "the request was refused as invalid; look at the playbook's model and tools",
    401: "the API key is not accepted; set ANTHROPIC_API_KEY and restart the worker",
    402: "billing needs attention at the provider",
    403: "the API key may not use this model",
    404: (
        "there is no such model at this address; correct ANTHROPIC_BASE_URL, or `model:` in the playbook:"
        " a run keeps the model it began with, so cancel it then, and retry it"
    ),
}
_BAD_REQUEST, _TOO_MANY, _TOO_LARGE = 400, 429, 413
# As Anthropic, llama.cpp, vLLM and gateways before them say it.
_TOO_LONG = re.compile(
    r"prompt is too long|exceeds? (the |its )?(available )?(model'?s? )?context|context (length|limit|window|size)"
    r"|exceed_context_size|maximum context|too many (input )?tokens",
    re.IGNORECASE,
)


class Claude:
    """The Messages API over the vendor's SDK. Without a key every question is `Rejected`, saying what to set."""

    def __init__(self, api_key: str | None, base_url: str | None) -> None:
        self._client = _client(api_key, base_url) if api_key else None

    async def say(self, request: Request) -> Said:
        """One turn, streamed. Raises Unavailable or Rejected."""
        if self._client is None:
            text = "no model key: set ANTHROPIC_API_KEY (in ./.env or the environment), restart, resume"
            raise Rejected(text)
        try:
            return await self._streamed(self._client, request)
        except anthropic.APIStatusError as error:
            raise _status(error) from None
        except (anthropic.APIConnectionError, httpx2.TransportError) as error:
            # Only a request that found no connection surely never left; any other may have been answered, and paid.
            begun = not isinstance(error.__cause__, _NEVER_LEFT)
            text = f"the model could not be reached: {type(error).__name__}"
            raise Unavailable(text, begun=begun) from None
        except _UNREADABLE as error:
            text = f"the model's stream was not readable: {type(error).__name__}"
            raise Unavailable(text, begun=True) from None

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()

    @staticmethod
    async def _streamed(client: AsyncAnthropic, request: Request) -> Said:
        given: dict[str, Any] = {
            "model": request.model,
            "max_tokens": request.max_tokens,
            "system": request.system,
            "tools": request.tools,
            "messages": request.messages,
        }
        if request.tools_forbidden:
            given["tool_choice"] = {"type": "none"}
        heard = Stream()
        async with await client.messages.create(**given, stream=True) as events:
            async for event in events:
                # Without what was not sent, so that the blocks go back byte for byte; model_dump would add it.
                heard.hear(event.to_dict(warnings=False))
            said = _said(heard, events.response.headers)
            if said is None:
                raise Unavailable(_early(events.response.headers), begun=True)
            return said


def _client(api_key: str, base_url: str | None) -> AsyncAnthropic:
    # The SDK sends the key as a bearer only; gateways that speak the API of before look for it where it was.
    headers = {"x-api-key": api_key} if base_url else None
    return AsyncAnthropic(
        api_key=api_key,
        base_url=base_url,
        default_headers=headers,
        # The SDK's own retries are off: Temporal's would multiply them, and a repeated turn is paid twice.
        max_retries=0,
        timeout=httpx2.Timeout(READ_TIMEOUT, connect=10.0),
    )


def _early(headers: Mapping[str, str]) -> str:
    """What to say of a stream that ended before its reply."""
    kind = headers.get("content-type", "")
    if kind.startswith("text/event-stream"):
        return "the model's stream ended early"
    return (
        f"expected a stream of events (text/event-stream) from the model's server, got {kind!r}:"
        " what answers at ANTHROPIC_BASE_URL doesn't stream"
    )


def _said(heard: Stream, headers: Mapping[str, str]) -> Said | None:
    """The whole reply; None when the stream ended before it."""
    if heard.stop is None:
        return None
    return Said(
        content=heard.content,
        stop=heard.stop,
        usage=heard.usage,
        request_id=headers.get("request-id"),
        details=heard.details,
    )


def _status(error: anthropic.APIStatusError) -> DoorbellError:
    headers = error.response.headers
    status, kind = error.status_code, str(error.type or error.status_code)
    # An error event inside a stream keeps the status 200: there, only its type tells.
    again = (
        status >= SERVER_ERRORS or status in _RETRIED or (status == OK and kind in _RETRIED_TYPES)
    )
    again = {"true": True, "false": False}.get(headers.get("x-should-retry", ""), again)
    if again:
        pause = _retry_after(headers)
        slowed = pause is not None or status == _TOO_MANY or kind == "rate_limit_error"
        text = f"the model answered {status} {kind}"
        return Unavailable(text, pause, begun=status == OK, slowed=slowed)
    invalid = status == _BAD_REQUEST or kind == "invalid_request_error"
    if status == _TOO_LARGE or (invalid and _TOO_LONG.search(str(error.body))):
        return TooLong(
            f"the model's provider answered {status} {kind}: the conversation is too long"
        )
    mend = _MENDS.get(status, "look at the worker log")
    return Rejected(f"the model's provider answered {status} {kind}: {mend}", invalid=invalid)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    in_ms = pauses.seconds(headers.get("retry-after-ms"))
    if in_ms is not None:
        return in_ms / 1000
    # By its own clock, of which a date is one.
    return pauses.asked(headers.get("retry-after"), pauses.moment(headers.get("date")))
