"""Where callbacks come in: verify, dedupe, route, correlate, complete; a Starlette route that knows no vendor.

Its answer is for the sender: 2xx means on disk, 4xx never again, 503 later.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mcp.server import MCPServer
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mcp_servers.tasks.desk import Desk
from mcp_servers.tasks.proofs import Parcel, Reader, Unproved, Unreadable, forwarded
from mcp_servers.tasks.store import Callback, Reception, StoreUnavailable

PATH: Final = "/callbacks"
LARGEST: Final = 26 * 1024 * 1024
"""Bytes of a body: the largest that GitHub sends, in its envelope."""
LATER: Final = 503
RETRY_AFTER: Final = "5"

OK: Final = 200
"""Not 202: Slack takes nothing else for an answer."""

Router = Callable[[Parcel], Callback | None]
"""Whose a parcel is and what it tells, or None where it's nobody's; it may raise `Unreadable`."""

Follow = Callable[[Parcel, Callback], Awaitable[None]]

_log = logging.getLogger("mcp_servers.tasks.mailroom")


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """One address at which callbacks come in, and how they're proved there."""

    path: str
    secrets: Sequence[str]
    read: Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailroom:
    """Takes callbacks in for the tasks of a desk."""

    desk: Desk
    route: Router
    follow: Follow | None = None
    """What is done, once and after the sender has its answer, with a callback that changed a task."""

    def mount(self, server: MCPServer[Any], *doors: Door) -> None:
        """Open doors in a server that speaks HTTP; one without secrets is not there."""
        for door in _open(doors):
            server.custom_route(door.path, methods=["POST"])(self._at(door))

    def routes(self, *doors: Door) -> list[Route]:
        """The same doors for an application of their own."""
        return [Route(door.path, self._at(door), methods=["POST"]) for door in _open(doors)]

    def _at(self, door: Door) -> Callable[[Request], Any]:
        async def take_in(request: Request) -> Response:
            body = await _body(request)
            if body is None:
                return _answer(413, {"error": f"expected at most {LARGEST} bytes"})
            return await self.take_in(door, request.headers, body)

        return take_in

    async def take_in(self, door: Door, headers: Mapping[str, str], body: bytes) -> Response:
        """Take in one callback."""
        try:
            parcel = door.read(headers, body, door.secrets, self.desk.clock())
            callback = self.route(parcel)
            if callback is None:
                return _answer(OK, {"reception": "ignored", "type": parcel.type})
            received = await self.desk.receive(callback)
        except Unproved as refused:
            return _answer(401, {"error": str(refused)})
        except Unreadable as refused:
            return _answer(400, {"error": str(refused)})
        except StoreUnavailable as error:
            _log.warning("a callback is deferred: %s", error)
            return _answer(LATER, {"error": "try again later"})
        _log.info("callback %r is %s", callback.id, received.reception.value)
        answer = _answer(OK, {"reception": received.reception.value})
        if self.follow is not None and received.reception is Reception.APPLIED:
            answer.background = BackgroundTask(self.follow, parcel, callback)
        return answer


def by_doorbell(secrets: Sequence[str], path: str = PATH) -> Door:
    """The door for what a doorbell forwards."""
    return Door(path=path, secrets=secrets, read=forwarded)


def _open(doors: Sequence[Door]) -> list[Door]:
    return [door for door in doors if door.secrets]


async def _body(request: Request) -> bytes | None:
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > LARGEST:
            return None
        chunks.append(chunk)
    return b"".join(chunks)


def _answer(status: int, said: Mapping[str, str]) -> Response:
    headers = {"Retry-After": RETRY_AFTER} if status == LATER else {}
    return JSONResponse(dict(said), status_code=status, headers=headers)
