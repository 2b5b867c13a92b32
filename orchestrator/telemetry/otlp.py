"""Metrics and traces over OTLP/HTTP, by OpenTelemetry's own SDK; loaded only where a collector is named.

One thread turns into spans what the hot path noted, and sends it. What the collector doesn't take is dropped and
counted: nothing here ever waits for it.
"""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from typing import Final

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import export as points
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from temporalio.contrib.opentelemetry import TracingInterceptor

from orchestrator.telemetry import catalogue, spans
from orchestrator.telemetry.collector import Collector
from orchestrator.telemetry.otlp_points import metric_of
from orchestrator.telemetry.otlp_spans import DerivedIds, Queued, Traced, made
from orchestrator.telemetry.registry import Family, Registry

TOGETHER: Final = 512
"""Spans that go out together."""

EVERY: Final = 1.0
"""Seconds between two sendings of spans."""

DEADLINE: Final = 5.0
"""Seconds for one sending, its repeats included."""

LEAVING: Final = 2.0
"""Seconds for the last sendings: a collector that is away must not hold up a restart."""

SCOPE: Final = InstrumentationScope("doorbell")


class Exporter:
    """Sends what was counted and traced. `interceptor` goes into the Temporal client, and carries the trace on."""

    def __init__(
        self, collector: Collector, process: str, registry: Registry, now: Callable[[], datetime]
    ) -> None:
        self._collector = collector
        self._registry = registry
        self._now = now
        self._started = spans.nanoseconds(now())
        self._dropped = registry.counter(catalogue.SPANS_DROPPED)
        self._resource = _resource(collector, process)
        self._queue = Queued()
        self._provider = TracerProvider(
            resource=self._resource, id_generator=DerivedIds(), shutdown_on_exit=False
        )
        self._provider.add_span_processor(self._queue)
        self._tracer = self._provider.get_tracer(SCOPE.name)
        self._spans = OTLPSpanExporter(
            f"{collector.endpoint}/v1/traces", headers=dict(collector.headers), timeout=DEADLINE
        )
        self._metrics = OTLPMetricExporter(
            f"{collector.endpoint}/v1/metrics", headers=dict(collector.headers), timeout=DEADLINE
        )
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="otlp")
        self.tracing = Traced(collector.ratio, now, self._full)
        self.interceptor = TracingInterceptor(self._tracer)

    def _full(self) -> None:
        self._dropped.add(("queue_full",))

    async def work(self) -> None:
        """Send until cancelled: spans every second, metrics at the collector's interval."""
        due = self._collector.interval
        while True:
            await asyncio.sleep(EVERY)
            await self._spans_out()
            due -= EVERY
            if due <= 0:
                due = self._collector.interval
                await self._metrics_out()

    async def close(self) -> None:
        """Send the rest, for as long as `LEAVING` lasts, and let go."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LEAVING):
                await self._spans_out()
                await self._metrics_out()
        self._spans.shutdown()  # type: ignore[no-untyped-call]  # the SDK has no annotation there
        self._metrics.shutdown()
        self._thread.shutdown(wait=False)

    async def _spans_out(self) -> None:
        loop = asyncio.get_running_loop()
        not_taken = await loop.run_in_executor(self._thread, self._send_spans)
        self._dropped.add(("not_taken",), not_taken)
        self._dropped.add(("queue_full",), self._queue.lost())

    async def _metrics_out(self) -> None:
        families = await self._registry.collect()
        data = self._data(families)
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._metrics.export, data)

    def _send_spans(self) -> int:
        noted = self.tracing.noted
        while noted or self._queue.any():
            for _ in range(min(TOGETHER, len(noted))):
                made(self._tracer, noted.popleft())
            batch = self._queue.taken(TOGETHER)
            if self._spans.export(batch) is not SpanExportResult.SUCCESS:
                # The collector is away: what else waits is tried the next time.
                return len(batch)
        return 0

    def _data(self, families: list[Family]) -> points.MetricsData:
        at = spans.nanoseconds(self._now())
        metrics = [metric_of(family, self._started, at) for family in families if family.points]
        scoped = points.ScopeMetrics(SCOPE, metrics, "")
        return points.MetricsData([points.ResourceMetrics(self._resource, [scoped], "")])


def _resource(collector: Collector, process: str) -> Resource:
    known: Mapping[str, str] = {
        **collector.resource,
        "service.name": collector.service,
        "doorbell.process": process,
    }
    return Resource.create(dict(known))
