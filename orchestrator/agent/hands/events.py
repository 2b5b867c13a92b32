"""MCP Events (SEP-3415) from the subscriber's side: list, subscribe, unsubscribe; it keeps nothing and hears no event.

https://modelcontextprotocol.io/seps/3415-events-extension
A connection for each question: they are hours apart. Where a server says that it has events, in either dialect, doesn't
survive the SDK's model of its capabilities, so it is just asked.
"""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import Any, Final, Literal, TypeVar

import httpx2
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CONNECTION_CLOSED, REQUEST_TIMEOUT, Request, RequestParams, Result
from pydantic import ConfigDict, ValidationError
from typing_extensions import override

from orchestrator.agent.hands.credentials import Credentials
from orchestrator.agent.hands.heard import words
from orchestrator.agent.hands.subscriptions import (
    CODES,
    Asked,
    AsksForEvents,
    Denied,
    Granted,
    Trouble,
)
from orchestrator.agent.hands.wire import Wire
from orchestrator.agent.text.redacting import Redact, nothing
from orchestrator.servers import HttpServer

PATIENCE: Final = 30.0
"""Seconds for one answer; a server that subscribes calls our door meanwhile."""

MAX_PAGES: Final = 20
LONGEST_SAID: Final = 300
LONGEST_ID: Final = 500
LONGEST_CURSOR: Final = 10_000
WEBHOOK: Final = "webhook"
SILENCE: Final = frozenset({CONNECTION_CLOSED, REQUEST_TIMEOUT})
"""The SDK's own words for a server that said nothing."""

MILLISECOND: Final = timedelta(milliseconds=1)

T = TypeVar("T")
Question = Callable[[Client], Awaitable[T | Denied]]


class _ListParams(RequestParams):
    cursor: str | None = None


class ListEvents(Request[_ListParams, Literal["events/list"]]):
    """What do you have to tell?"""

    method: Literal["events/list"] = "events/list"
    params: _ListParams


class _SubscribeParams(RequestParams):
    name: str
    arguments: dict[str, Any]
    delivery: dict[str, str]
    cursor: str | None = None
    ttl_ms: int | None = None


class SubscribeToEvents(Request[_SubscribeParams, Literal["events/subscribe"]]):
    """Ring us, or go on ringing us."""

    method: Literal["events/subscribe"] = "events/subscribe"
    params: _SubscribeParams


class UnsubscribeFromEvents(Request[_SubscribeParams, Literal["events/unsubscribe"]]):
    """Ring us no more."""

    method: Literal["events/unsubscribe"] = "events/unsubscribe"
    params: _SubscribeParams


class Listed(Result):
    """One page of a server's events."""

    events: list[dict[str, Any]]
    next_cursor: str | None = None


class Subscribed(Result):
    """What a server made of a subscription; its moments are read leniently."""

    model_config = ConfigDict(**{**Result.model_config, "extra": "allow"})
    id: str
    refresh_before: str | float | None = None
    cursor: str | None = None
    truncated: bool | None = None


class Events(AsksForEvents):
    """Speaks with any server that is reached over HTTP; `redact` tells what nobody may read in an answer."""

    def __init__(self, redact: Redact = nothing, *, patience: float = PATIENCE) -> None:
        self._redact = redact
        self._patience = patience

    @override
    async def subscribe(self, server: HttpServer, asked: Asked, *, look: bool) -> Granted | Denied:
        async def question(client: Client) -> Granted | Denied:
            strange = await _strange(client, asked.event) if look else None
            if strange is not None:
                return strange
            request = SubscribeToEvents(params=_params(asked, renews=True))
            return _granted(await client.session.send_request(request, Subscribed, self._patience))

        return await self._put(server, question)

    @override
    async def unsubscribe(self, server: HttpServer, asked: Asked) -> Denied | None:
        async def question(client: Client) -> Denied | None:
            request = UnsubscribeFromEvents(params=_params(asked, renews=False))
            await client.session.send_request(request, Result, self._patience)
            return None

        return await self._put(server, question)

    async def _put(self, server: HttpServer, question: Question[T]) -> T | Denied:
        answer: list[T | Denied] = []
        try:
            credentials = None if server.oauth is None else Credentials(server, server.oauth)
            async with Wire(server, self._patience, credentials) as wire:
                transport = streamable_http_client(wire.url, http_client=wire)
                async with Client(transport, read_timeout_seconds=self._patience) as client:
                    answer.append(await self._answered(client, wire, question))
        # What goes wrong in entering or leaving a session comes as a group.
        except (ExceptionGroup, MCPError, httpx2.HTTPError, OSError, ValidationError) as error:
            return answer[0] if answer else self._denied(Trouble.UNREACHABLE, words(error))
        return answer[0]

    async def _answered(self, client: Client, wire: Wire, question: Question[T]) -> T | Denied:
        try:
            return await question(client)
        except MCPError as error:
            said = f"{error.message}{_reason(error.data)}"
            if wire.fate(error.data) is not None or error.code in SILENCE:
                return self._denied(Trouble.UNREACHABLE, said)
            return self._denied(CODES.get(error.code, Trouble.REFUSED), f"{said} ({error.code})")
        except ValidationError as error:
            return self._denied(Trouble.UNREADABLE, _misread(error))
        except TimeoutError as error:
            return self._denied(Trouble.UNREACHABLE, words(error))

    def _denied(self, why: Trouble, said: str) -> Denied:
        # Redacted before it is cut: a secret cut in two is one that nobody finds.
        return Denied(why=why, said=self._redact().text(said)[:LONGEST_SAID])


async def _strange(client: Client, event: str) -> Denied | None:
    """Why this event can't be subscribed to, as far as the server's own list tells."""
    names: list[str] = []
    cursor: str | None = None
    for _ in range(MAX_PAGES):
        request = ListEvents(params=_ListParams(cursor=cursor))
        page = await client.session.send_request(request, Listed, PATIENCE)
        for one in page.events:
            if one.get("name") == event:
                return _silent(event, one.get("delivery"))
            names.append(str(one.get("name")))
        cursor = page.next_cursor
        if cursor is None:
            break
    close = get_close_matches(event, names, n=1)
    hint = (
        f"; did you mean {close[0]!r}?" if close else f"; it has {', '.join(names[:10]) or 'none'}"
    )
    return Denied(why=Trouble.NOT_FOUND, said=f"it has no event {event!r}{hint}"[:LONGEST_SAID])


def _silent(event: str, delivery: Any) -> Denied | None:
    if delivery is None or WEBHOOK in delivery:
        return None
    said = f"it delivers {event!r} by {delivery}, not by {WEBHOOK}"
    return Denied(why=Trouble.NO_WEBHOOK, said=said[:LONGEST_SAID])


def _params(asked: Asked, *, renews: bool) -> _SubscribeParams:
    delivery = {"mode": WEBHOOK, "url": asked.url}
    more: dict[str, Any] = {}
    if renews:
        delivery["secret"] = asked.secret
        more = {"cursor": asked.cursor, "ttlMs": asked.ttl // MILLISECOND}
    said = {"name": asked.event, "arguments": json.loads(asked.arguments), "delivery": delivery}
    return _SubscribeParams.model_validate({**said, **more})


def _granted(said: Subscribed) -> Granted | Denied:
    cursor = said.cursor
    if not 0 < len(said.id) <= LONGEST_ID or len(cursor or "") > LONGEST_CURSOR:
        return Denied(why=Trouble.UNREADABLE, said="its id or cursor is empty, or too long to keep")
    return Granted(
        id=said.id,
        until=_moment(said.refresh_before),
        cursor=cursor,
        truncated=bool(said.truncated),
    )


def _moment(said: str | float | None) -> datetime | None:
    """A moment as text, or as milliseconds since 1970. What can't be read has passed: it is asked again soon."""
    try:
        match said:
            case None:
                return None
            case str():
                found = datetime.fromisoformat(said)
                return found if found.tzinfo else found.replace(tzinfo=UTC)
            case _:
                return datetime.fromtimestamp(said / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)


def _reason(data: Any) -> str:
    said = data.get("reason") if isinstance(data, dict) else None
    return f": {said}" if isinstance(said, str) else ""


def _misread(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(step) for step in first['loc'])}: {first['msg']}"
