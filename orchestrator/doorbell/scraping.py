"""`GET /metrics`; it counts nothing and decides nothing about who may see it."""

from http import HTTPStatus
from typing import Any

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler

from orchestrator.telemetry.registry import Registry
from orchestrator.telemetry.scrape import Permission, scraped


def metrics_route(registry: Registry, permission: Permission) -> HTTPRouteHandler:
    """The handler of `/metrics`, in Prometheus' format or, where `Accept` asks for it, in OpenMetrics'."""

    @get("/metrics")
    async def metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
        headers = request.headers
        found = await scraped(
            registry, permission, headers.get("accept", ""), headers.get("authorization", "")
        )
        said = {"content-type": found.text.content_type}
        if found.status is HTTPStatus.UNAUTHORIZED:
            said["www-authenticate"] = "Bearer"
        return Response(found.text.body, status_code=found.status, headers=said)

    return metrics
