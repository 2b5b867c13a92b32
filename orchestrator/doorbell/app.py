"""The Litestar application of the door: `/hooks`, `/live`, `/ready`, `/status`; it makes none of its parts."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus
from typing import Any

from litestar import Litestar, Request, Response, asgi
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp, ControllerRouterHandler, Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from orchestrator.doorbell.health import Readiness, Status, health
from orchestrator.doorbell.problems import CONTENT_TYPE, problem_json

Lifespan = Callable[[Litestar], AbstractAsyncContextManager[None]]


def build(
    door: ASGIApp,
    readiness: Readiness,
    status: Status,
    log: FilteringBoundLogger,
    *,
    lifespan: Sequence[Lifespan] = (),
    route_handlers: Sequence[ControllerRouterHandler] = (),
) -> Litestar:
    """The application; `route_handlers` are the console's, `lifespan` opens and closes what it stands on."""

    @asgi("/hooks", is_mount=True, copy_scope=False)
    async def hooks(scope: Scope, receive: Receive, send: Send) -> None:
        await door(scope, receive, send)

    return Litestar(
        route_handlers=[hooks, *health(readiness, status), *route_handlers],
        lifespan=list(lifespan),
        exception_handlers={HTTPException: _problem, Exception: _fault(log)},
        openapi_config=None,
        logging_config=None,
        debug=False,
    )


def _problem(_request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    return _response(error.status_code)


def _fault(
    log: FilteringBoundLogger,
) -> Callable[[Request[Any, Any, Any], Exception], Response[bytes]]:
    def tell(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
        # The trace is for the operator; the sender gets a constant body.
        log.error("fault", path=request.scope["path"], exc_info=error)
        return _response(HTTPStatus.INTERNAL_SERVER_ERROR)

    return tell


def _response(status: int) -> Response[bytes]:
    phrase = HTTPStatus(status).phrase
    body = problem_json("about:blank", status, phrase, HTTPStatus(status).description or phrase)
    return Response(body, status_code=status, media_type=CONTENT_TYPE)
