"""Which trace an event belongs to, and what a span is, before OpenTelemetry sees it; pure.

Ids are derived from the event's id, so nothing has to be kept: whoever knows the event, now or after a crash, in
this process or another, knows its trace, and one trace leads from the delivery to the run.
"""

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Final, NamedTuple, Protocol

from typing_extensions import override

TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?")
"""https://www.w3.org/TR/trace-context/#traceparent-header"""

LOW_64: Final = (1 << 64) - 1
Attributes = Mapping[str, str | int | float | bool]


class Link(NamedTuple):
    """A span of somebody else's trace."""

    trace_id: int
    span_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Something that took its time; `parent_id` 0 is the root. Times are nanoseconds since 1970."""

    name: str
    trace_id: int
    span_id: int
    parent_id: int
    started: int
    ended: int
    attributes: Attributes = field(default_factory=dict)
    link: Link | None = None
    error: str | None = None


class Tracing(Protocol):
    """Where the life of an event is traced."""

    def trace_id(self, event_id: str) -> str | None:
        """The trace's id as hex digits; None where it isn't traced."""

    def delivery(
        self,
        event_id: str,
        at: datetime,
        seconds: float,
        attributes: Attributes,
        traceparent: str | None = None,
    ) -> None:
        """The delivery of an event: the root of its trace. `traceparent` is the sender's claim, so only linked to."""

    def decided(self, event_id: str, at: datetime, seconds: float, attributes: Attributes) -> None:
        """What was decided about it."""

    def delivering(self, event_id: str, attributes: Attributes) -> AbstractContextManager[None]:
        """Around what hands a decision over: what is started inside belongs to the event's trace."""


class Untraced(Tracing):
    """Traces nothing."""

    @override
    def trace_id(self, event_id: str) -> str | None:
        return None

    @override
    def delivery(
        self,
        event_id: str,
        at: datetime,
        seconds: float,
        attributes: Attributes,
        traceparent: str | None = None,
    ) -> None:
        pass

    @override
    def decided(self, event_id: str, at: datetime, seconds: float, attributes: Attributes) -> None:
        pass

    @override
    def delivering(self, event_id: str, attributes: Attributes) -> AbstractContextManager[None]:
        return nullcontext()


def trace_of(event_id: str) -> int:
    """The trace of an event: 128 bits, never 0."""
    return _bits("trace", event_id, 16)


def span_of(*names: str) -> int:
    """The span of a step, by the names that make it this one: 64 bits, never 0."""
    return _bits("span", "\0".join(names), 8)


def is_sampled(trace_id: int, ratio: float) -> bool:
    """Whether a trace is among those kept; all processes agree, as OpenTelemetry's TraceIdRatioBased does."""
    return (trace_id & LOW_64) < round(ratio * (1 << 64))


def link_of(traceparent: str | None) -> Link | None:
    """The span that a `traceparent` header names; None for none, for a malformed one and for zeros."""
    found = TRACEPARENT.fullmatch(traceparent) if traceparent else None
    if found is None or traceparent is None or traceparent.startswith("ff"):
        return None
    link = Link(int(found[1], 16), int(found[2], 16))
    return link if link.trace_id and link.span_id else None


def nanoseconds(at: datetime, seconds: float = 0.0) -> int:
    """A time as OpenTelemetry counts it."""
    return int((at.timestamp() + seconds) * 1e9)


def _bits(kind: str, text: str, size: int) -> int:
    digest = sha256(f"doorbell:{kind}:{text}".encode("utf-8", "replace")).digest()
    return int.from_bytes(digest[:size], "big") or 1
