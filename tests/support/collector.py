"""An OpenTelemetry collector's stand-in: takes OTLP over real HTTP, and keeps what came; it can refuse."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.asgi import serving

KINDS = {"/v1/traces": ExportTraceServiceRequest, "/v1/metrics": ExportMetricsServiceRequest}


@dataclass(slots=True)
class Collector:
    """What it was sent, decoded. `status` is what it answers; `came` is set at each request."""

    url: str = ""
    status: int = 200
    headers: list[dict[str, str]] = field(default_factory=list)
    requests: list[Any] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    def spans(self) -> list[Any]:
        """Every span."""
        return [
            span
            for request in self._of(ExportTraceServiceRequest)
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def metrics(self) -> dict[str, Any]:
        """Each metric as it came last."""
        return {
            metric.name: metric
            for request in self._of(ExportMetricsServiceRequest)
            for resource in request.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def resource(self) -> dict[str, str]:
        """What the newest request says of who sent it."""
        newest = self.requests[-1]
        found = (
            newest.resource_spans
            if isinstance(newest, ExportTraceServiceRequest)
            else newest.resource_metrics
        )
        return {pair.key: pair.value.string_value for pair in found[0].resource.attributes}

    def _of(self, kind: type) -> list[Any]:
        return [request for request in self.requests if isinstance(request, kind)]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        self.headers.append({name.decode(): value.decode() for name, value in scope["headers"]})
        self.requests.append(KINDS[scope["path"]].FromString(body))
        self.came.set()
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """A collector that listens until the block ends."""
    collector = Collector()
    async with serving(collector) as url:
        collector.url = url
        yield collector
