"""The application: the door at `/hooks` and, behind it, Litestar with everything else; it makes none of its parts.

The door stands before the framework's router and not inside it, because that costs a third of what a delivery may.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus
from typing import Any, Final

from litestar import Litestar, Request, Response
from litestar.exceptions import HTTPException
from litestar.response.base import ASGIResponse
from litestar.types import ASGIApp, ControllerRouterHandler, Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from orchestrator.doorbell.health import Readiness, Status, health
from orchestrator.doorbell.problems import CONTENT_TYPE, problem_json

HOOKS: Final = "/hooks"
Lifespan = Callable[[Litestar], AbstractAsyncContextManager[None]]


def build(
    door: ASGIApp,
    readiness: Readiness,
    status: Status,
    log: FilteringBoundLogger,
    *,
    lifespan: Sequence[Lifespan] = (),
    route_handlers: Sequence[ControllerRouterHandler] = (),
) -> ASGIApp:
    """The application; `route_handlers` are the console's, `lifespan` opens and closes what it stands on."""
    behind = Litestar(
        route_handlers=[*health(readiness, status), *route_handlers],
        lifespan=list(lifespan),
        exception_handlers={HTTPException: _problem, Exception: _fault(log)},
        openapi_config=None,
        logging_config=None,
        debug=False,
    )

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if _is_hook(scope):
            await _at_the_door(door, log, scope, receive, send)
        else:
            await behind(scope, receive, send)

    return application


def _is_hook(scope: Any) -> bool:
    path: str = scope.get("path", "")  # the lifespan has none
    return path.startswith(f"{HOOKS}/") or path == HOOKS


async def _at_the_door(
    door: ASGIApp, log: FilteringBoundLogger, scope: Scope, receive: Receive, send: Send
) -> None:
    scope["path"] = scope["path"].removeprefix(HOOKS)
    try:
        await door(scope, receive, send)
    except Exception:
        # A bug of ours: the trace is for the operator, the sender rings again.
        log.exception("fault", path=f"{HOOKS}{scope['path']}")
        fault = HTTPStatus.INTERNAL_SERVER_ERROR
        answer = ASGIResponse(body=_body(fault), status_code=fault, media_type=CONTENT_TYPE)
        await answer(scope, receive, send)


def _problem(_request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    return _response(error.status_code, error.headers)


def _fault(
    log: FilteringBoundLogger,
) -> Callable[[Request[Any, Any, Any], Exception], Response[bytes]]:
    def tell(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
        # The trace is for the operator; the sender gets a constant body.
        log.error("fault", path=request.scope["path"], exc_info=error)
        return _response(HTTPStatus.INTERNAL_SERVER_ERROR)

    return tell


def _response(status: int, headers: Mapping[str, str] | None = None) -> Response[bytes]:
    return Response(_body(status), status_code=status, media_type=CONTENT_TYPE, headers=headers)


def _body(status: int) -> bytes:
    phrase = HTTPStatus(status).phrase
    return problem_json("about:blank", status, phrase, HTTPStatus(status).description or phrase)
