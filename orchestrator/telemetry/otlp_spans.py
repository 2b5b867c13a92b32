"""Spans on their way to a collector: noted by the hot path, made by OpenTelemetry's SDK later; it sends nothing.

Both queues are bounded: what doesn't fit is dropped and counted, and nobody waits.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Final

from opentelemetry import context as contexts
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)
from typing_extensions import override

from orchestrator.telemetry import spans
from orchestrator.telemetry.spans import Attributes, Span, Tracing, span_of, trace_of

ROOM: Final = 8_192
"""Spans that may wait in each queue."""

_chosen: ContextVar[tuple[int, int] | None] = ContextVar("doorbell_span_ids", default=None)


class DerivedIds(IdGenerator):
    """The ids that were chosen for a span of ours; for Temporal's spans, random ones."""

    def __init__(self) -> None:
        self._random = RandomIdGenerator()

    @override
    def generate_trace_id(self) -> int:
        chosen = _chosen.get()
        return self._random.generate_trace_id() if chosen is None else chosen[0]

    @override
    def generate_span_id(self) -> int:
        chosen = _chosen.get()
        return self._random.generate_span_id() if chosen is None else chosen[1]


class Queued(SpanProcessor):
    """Ended spans until they are sent; spans end in several threads."""

    def __init__(self) -> None:
        self._waiting: deque[ReadableSpan] = deque()
        self._lock = threading.Lock()
        self._lost = 0

    @override
    def on_end(self, span: ReadableSpan) -> None:
        if span.context is None or not span.context.trace_flags.sampled:
            return
        with self._lock:
            if len(self._waiting) >= ROOM:
                self._lost += 1
            else:
                self._waiting.append(span)

    def taken(self, most: int) -> list[ReadableSpan]:
        """The next ones to send."""
        return [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]

    def any(self) -> bool:
        """Whether there is one."""
        return bool(self._waiting)

    def lost(self) -> int:
        """How many did not fit since this was asked last."""
        with self._lock:
            lost, self._lost = self._lost, 0
        return lost


class Traced(Tracing):
    """Takes note of what happens; the spans are made later, by the one who sends them."""

    def __init__(self, ratio: float, now: Callable[[], datetime], full: Callable[[], None]) -> None:
        self._ratio = ratio
        self._now = now
        self._full = full
        self.noted: deque[Span] = deque()

    @override
    def trace_id(self, event_id: str) -> str | None:
        trace = trace_of(event_id)
        return f"{trace:032x}" if spans.is_sampled(trace, self._ratio) else None

    @override
    def delivery(
        self,
        event_id: str,
        at: datetime,
        seconds: float,
        attributes: Attributes,
        traceparent: str | None = None,
    ) -> None:
        root = span_of(event_id)
        # The same event rung again is one more root of its trace.
        again = attributes.get("doorbell.outcome") == "duplicate"
        span_id = span_of(event_id, at.isoformat()) if again else root
        link = spans.link_of(traceparent)
        self._note("delivery", event_id, (span_id, 0), (at, seconds), attributes, link)

    @override
    def decided(self, event_id: str, at: datetime, seconds: float, attributes: Attributes) -> None:
        span_id = span_of(event_id, "decide", at.isoformat())
        self._note("decide", event_id, (span_id, span_of(event_id)), (at, seconds), attributes)

    @override
    @contextmanager
    def delivering(self, event_id: str, attributes: Attributes) -> Iterator[None]:
        at, error = self._now(), None
        span_id = span_of(event_id, "deliver", at.isoformat(), *map(str, attributes.values()))
        sampled = spans.is_sampled(trace_of(event_id), self._ratio)
        inside = _context(trace_of(event_id), span_id, sampled=sampled)
        token = contexts.attach(set_span_in_context(NonRecordingSpan(inside)))
        try:
            yield
        except Exception as failure:
            error = type(failure).__name__
            raise
        finally:
            contexts.detach(token)
            seconds = (self._now() - at).total_seconds()
            ids = (span_id, span_of(event_id))
            self._note("deliver", event_id, ids, (at, seconds), attributes, error=error)

    def _note(
        self,
        name: str,
        event_id: str,
        ids: tuple[int, int],
        when: tuple[datetime, float],
        attributes: Attributes,
        link: spans.Link | None = None,
        error: str | None = None,
    ) -> None:
        trace = trace_of(event_id)
        if not spans.is_sampled(trace, self._ratio):
            return
        if len(self.noted) >= ROOM:
            self._full()
            return
        self.noted.append(
            Span(
                name=name,
                trace_id=trace,
                span_id=ids[0],
                parent_id=ids[1],
                started=spans.nanoseconds(when[0]),
                ended=spans.nanoseconds(*when),
                attributes={"cloudevents.event_id": event_id, **attributes},
                link=link,
                error=error,
            )
        )


def made(tracer: Tracer, span: Span) -> None:
    """Make it a span of the SDK, with the ids that were chosen for it."""
    chosen = _chosen.set((span.trace_id, span.span_id))
    try:
        begun = tracer.start_span(
            span.name,
            context=_under(span),
            kind=SpanKind.INTERNAL if span.parent_id else SpanKind.SERVER,
            attributes=dict(span.attributes),
            links=[] if span.link is None else [Link(_context(*span.link))],
            start_time=span.started,
        )
        if span.error is not None:
            begun.set_status(Status(StatusCode.ERROR, span.error))
        begun.end(span.ended)
    finally:
        _chosen.reset(chosen)


def _under(span: Span) -> contexts.Context:
    if not span.parent_id:
        return contexts.Context()
    parent = NonRecordingSpan(_context(span.trace_id, span.parent_id))
    return set_span_in_context(parent, contexts.Context())


def _context(trace_id: int, span_id: int, *, sampled: bool = True) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
    return SpanContext(trace_id, span_id, is_remote=True, trace_flags=flags)
