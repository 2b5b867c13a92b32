"""What is told of each request at the door: one count, one line, one span; it answers nobody.

A line's words are the counter's labels, so that what an alert says can be searched in the log (promise O3).
"""

from collections.abc import Callable
from datetime import datetime

from orchestrator.telemetry.instruments import DoorInstruments
from orchestrator.telemetry.lines import DeliveryLine
from orchestrator.telemetry.spans import Attributes, Tracing
from orchestrator.telemetry.words import Outcome

Writes = Callable[[DeliveryLine, datetime], None]
"""Writes the line; never waits."""


class Telling:
    """Tells of deliveries; costs about ten microseconds each, more where the delivery is traced."""

    __slots__ = ("_instruments", "_tracing", "_write")

    def __init__(self, instruments: DoorInstruments, write: Writes, tracing: Tracing) -> None:
        self._instruments = instruments
        self._write = write
        self._tracing = tracing

    def delivery(
        self, line: DeliveryLine, began: datetime, ended: datetime, traceparent: str | None = None
    ) -> None:
        """Tell of one; its `ms` and `trace_id` are filled in here."""
        seconds = (ended - began).total_seconds()
        line.ms = round(seconds * 1000, 1)
        if line.event_id is not None:
            line.trace_id = self._tracing.trace_id(line.event_id)
            if line.trace_id is not None:
                self._trace(line, line.event_id, began, seconds, traceparent)
        self._instruments.delivery(
            line.source,
            line.outcome,
            line.reason,
            line.status,
            seconds,
            line.bytes,
            _kept(line),
        )
        self._write(line, ended)

    def _trace(
        self, line: DeliveryLine, event_id: str, at: datetime, took: float, traceparent: str | None
    ) -> None:
        about: Attributes = {
            "cloudevents.event_source": line.source,
            "cloudevents.event_type": line.type or "",
            "doorbell.outcome": str(line.outcome),
            "http.response.status_code": line.status,
        }
        self._tracing.delivery(event_id, at, took, about, traceparent)


def _kept(line: DeliveryLine) -> int:
    if line.outcome is Outcome.SPLIT:
        return line.kept or 0
    return int(line.outcome is Outcome.ACCEPTED)
