"""The scripted Messages server on a port and the real SDK before it; it knows no test."""

import json
from collections.abc import Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import anthropic
import httpx2

from orchestrator.demo.messages import messages_app
from orchestrator.demo.wire import Fault, Reply, Text
from tests.support.asgi import serving

START = datetime(2026, 11, 21, 9, tzinfo=UTC)
HELLO = [{"role": "user", "content": "hello"}]
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
