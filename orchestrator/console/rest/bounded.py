"""Requests to the API inside limits of size, time and number; it knows ASGI messages, and no question."""

import asyncio
from collections.abc import Callable
from typing import Any, Final, cast

from litestar.response.base import ASGIResponse
from litestar.types import (
    ASGIApp,
    HTTPReceiveMessage,
    HTTPRequestEvent,
    HTTPScope,
    Message,
    Receive,
    Scope,
    Send,
)

from orchestrator.console.problems import CONTENT_TYPE, problem
from orchestrator.doorbell.body import Gone, Room, check_announced, read_body, single_headers
from orchestrator.doorbell.deadlines import Deadlines
from orchestrator.doorbell.problems import PROBLEMS, body_of
from orchestrator.errors import Fault, Reason, SenderError

MAX_BODY: Final = 64 * 1024
DEADLINE: Final = 10.0
"""Seconds for the whole body."""

UNDER_WAY: Final = 64
"""Requests at once; each may wait for what comes of a word."""

HELD: Final = 8 * 1024 * 1024
"""Bytes of bodies in memory at once."""

RETRY_AFTER: Final = {"retry-after": "1"}


Tell = Callable[[HTTPScope, int, float], None]
"""Hears of every request: what it was, the status of the answer, and the seconds it took."""


def bounded(
    app: ASGIApp, tell: Tell, *, under_way: int = UNDER_WAY, deadline: float = DEADLINE
) -> ASGIApp:
    """The same application, asked only with bodies that are whole, and by so many at once."""
    room, deadlines, asking = Room(HELD), Deadlines(), [0]

    async def asked(scope: HTTPScope, receive: Receive, send: Send) -> None:
        if asking[0] >= under_way:
            busy = problem(Fault.BUSY, f"{under_way} questions are under way; ask again later")
            await _told(503, busy, RETRY_AFTER)(scope, receive, send)
            return
        asking[0] += 1
        try:
            check_announced(single_headers(scope["headers"]), MAX_BODY)
            body = await read_body(receive, MAX_BODY, deadline, room, deadlines)
            await app(scope, _replayed(body, receive), send)
        except SenderError as error:
            await _refused(error.reason)(scope, receive, send)
        except Gone:
            # Whoever is gone hears nothing; whose chunks can't be read is still there, and must not wait for ever.
            await _refused(Reason.BROKEN_OFF)(scope, receive, send)
        finally:
            asking[0] -= 1

    async def timed(scope: Scope, receive: Receive, send: Send) -> None:
        status, began = [0], asyncio.get_running_loop().time()

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                status[0] = message["status"]
            await send(message)

        question = cast("HTTPScope", scope)
        await asked(question, receive, sent)
        tell(question, status[0], asyncio.get_running_loop().time() - began)

    return timed


def _replayed(body: bytes, receive: Receive) -> Receive:
    whole: list[HTTPRequestEvent] = [
        {"type": "http.request", "body": body, "more_body": False},
    ]

    async def replayed() -> HTTPReceiveMessage:
        if whole:
            return whole.pop()
        message: Any = await receive()
        return cast("HTTPReceiveMessage", message)

    return replayed


def _refused(reason: Reason) -> ASGIResponse:
    return _told(PROBLEMS[reason].status, body_of(reason), {})


def _told(status: int, body: bytes, headers: dict[str, str]) -> ASGIResponse:
    return ASGIResponse(body=body, status_code=status, media_type=CONTENT_TYPE, headers=headers)
