"""The API as one ASGI application: routes, tokens, problems and the published OpenAPI document; it makes no part."""

from collections.abc import Callable, Mapping
from datetime import date
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from litestar import Litestar, MediaType, Request, Response, Router
from litestar.connection import ASGIConnection
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from orchestrator.configuration.tokens import Token
from orchestrator.console.problems import CONTENT_TYPE, PROBLEMS, Problem, problem, refused, written
from orchestrator.console.proving import allow, proved
from orchestrator.console.questions import Console
from orchestrator.console.rest.approvals import answer_routes, approval_routes
from orchestrator.console.rest.asking import SCOPE, Desk, Refused
from orchestrator.console.rest.bounded import bounded
from orchestrator.console.rest.events import event_routes, event_word_routes, undelivered_routes
from orchestrator.console.rest.house import house_routes, rule_routes
from orchestrator.console.rest.runs import lost_routes, run_routes, run_word_routes
from orchestrator.errors import AskerError, Fault, OperatorError
from orchestrator.telemetry.instruments import ApiInstruments

PLACE: Final = "/api/v1"
"""Where it stands; what changes its answers incompatibly gets another one."""

LONGEST_PATH: Final = 200
"""Characters of an address that are logged."""

DESCRIPTION: Final = (
    "What the `doorbell` command shows and says, over HTTP. Words of a person are recorded in the inbox like any "
    "other delivery: the answer names the event that records them."
)
Tokens = Callable[[], Mapping[str, Token]]


def rest(
    console: Callable[[Token], Console],
    tokens: Tokens,
    today: Callable[[], date],
    log: FilteringBoundLogger,
    version: str,
    counts: ApiInstruments,
) -> ASGIApp:
    """The API; `console` is whom the holder of a token talks to."""
    desk = Desk(console)
    behind = Litestar(
        path=PLACE,
        route_handlers=[
            *event_routes(desk),
            *event_word_routes(desk),
            *undelivered_routes(desk),
            *run_routes(desk),
            *run_word_routes(desk),
            *lost_routes(desk),
            *approval_routes(desk),
            *answer_routes(desk),
            *rule_routes(desk),
            *house_routes(desk, version),
        ],
        guards=[_guard(tokens, today)],
        exception_handlers={
            AskerError: _unanswered,
            Refused: _refused,
            OperatorError: _unable(log),
            HTTPException: _http,
            RecursionError: _too_deep,
            Exception: _fault(log),
        },
        openapi_config=_described(version),
        logging_config=None,
        debug=False,
    )
    return bounded(behind, partial(_tell, log, counts))


def _tell(
    log: FilteringBoundLogger,
    counts: ApiInstruments,
    scope: HTTPScope,
    status: int,
    seconds: float,
) -> None:
    token = scope.get("user")
    counts.asked(_route(scope), status, seconds)
    log.info(
        "asked",
        method=scope["method"],
        path=scope["path"][:LONGEST_PATH],
        status=status,
        token=token.name if isinstance(token, Token) else None,
        ms=round(seconds * 1000, 1),
    )


def _route(scope: HTTPScope) -> str | None:
    """The route that was found, never the address that was asked for: that is a stranger's text."""
    template: Any = scope.get("path_template")
    if not template or "route_handler" not in scope:
        return None
    return f"{scope['method']} {template.removeprefix(PLACE)}"


def beside(first: ASGIApp, api: ASGIApp) -> ASGIApp:
    """The first application, with the API in its place; only the first has a life of its own."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope.get("path", "")
        chosen = api if path == PLACE or path.startswith(f"{PLACE}/") else first
        await chosen(scope, receive, send)

    return application


def _described(version: str) -> OpenAPIConfig:
    scheme = SecurityScheme(type="http", scheme="bearer", description="`doorbell token new NAME`")
    return OpenAPIConfig(
        title="Doorbell",
        version=version,
        description=DESCRIPTION,
        # Its own pages would answer every unknown address below theirs, with HTML.
        openapi_router=Router(path="/openapi.json", route_handlers=[], include_in_schema=False),
        render_plugins=[JsonRenderPlugin(path="/", media_type=MediaType.JSON)],
        components=Components(security_schemes={"token": scheme}),
        security=[{"token": []}],
        use_handler_docstrings=True,
    )


def _guard(
    tokens: Tokens, today: Callable[[], date]
) -> Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], None]:
    def permitted(
        connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
    ) -> None:
        if SCOPE not in handler.opt:
            return
        shown = connection.headers.get("authorization", "")
        token = proved(tokens().values(), shown, today())
        allow(token, handler.opt[SCOPE])
        connection.scope["user"] = token

    return permitted


def _unanswered(_request: Request[Any, Any, Any], error: AskerError) -> Response[bytes]:
    more = {
        Fault.UNPROVED: {"www-authenticate": "Bearer"},
        Fault.BUSY: {"retry-after": "1"},
    }.get(error.fault)
    status = PROBLEMS[error.fault].status
    return _response(status, problem(error.fault, error.detail), more)


def _too_deep(_request: Request[Any, Any, Any], _error: RecursionError) -> Response[bytes]:
    said = "expected JSON of a few levels, got more than can be read"
    return _response(HTTPStatus.BAD_REQUEST, problem(Fault.UNREADABLE, said))


def _refused(_request: Request[Any, Any, Any], error: Refused) -> Response[bytes]:
    return _response(HTTPStatus.CONFLICT, refused(error.receipt))


def _http(_request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    status = HTTPStatus(error.status_code)
    if status is HTTPStatus.BAD_REQUEST:
        return _response(status, problem(Fault.UNREADABLE, _words(error)))
    told = Problem(status, status.phrase)
    body = written("http", told, status.description or status.phrase)
    return _response(status, body, error.headers)


def _words(error: HTTPException) -> str:
    extra = error.extra if isinstance(error.extra, list) else []
    found = [f"{one['key']}: {one['message']}" for one in extra if {"key", "message"} <= one.keys()]
    return "; ".join(found) or error.detail


def _unable(
    log: FilteringBoundLogger,
) -> Callable[[Request[Any, Any, Any], OperatorError], Response[bytes]]:
    def tell(request: Request[Any, Any, Any], error: OperatorError) -> Response[bytes]:
        log.error("api.unable", path=request.scope["path"][:LONGEST_PATH], error=str(error))
        said = "the installation can't answer just now; its log says why"
        headers = {"retry-after": "1"}
        return _response(HTTPStatus.SERVICE_UNAVAILABLE, problem(Fault.BUSY, said), headers)

    return tell


def _fault(
    log: FilteringBoundLogger,
) -> Callable[[Request[Any, Any, Any], Exception], Response[bytes]]:
    def tell(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
        # The trace is for the operator; whoever asks gets a constant body.
        log.error("fault", path=request.scope["path"][:LONGEST_PATH], exc_info=error)
        status = HTTPStatus.INTERNAL_SERVER_ERROR
        told = Problem(status, status.phrase)
        return _response(
            status, written("fault", told, "this is a bug of ours; its trace is in the log")
        )

    return tell


def _response(
    status: int, body: bytes, headers: Mapping[str, str] | None = None
) -> Response[bytes]:
    said = dict(headers or {})
    return Response(body, status_code=status, media_type=CONTENT_TYPE, headers=said)
