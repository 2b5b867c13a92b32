"""Metrics and traces reach a collector over real OTLP/HTTP; one that is away costs nothing but what is counted."""

import asyncio
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from opentelemetry.trace import get_current_span

from orchestrator.errors import OperatorError, Reason
from orchestrator.telemetry import catalogue, otlp, otlp_spans
from orchestrator.telemetry import telemetry as telemetries
from orchestrator.telemetry.instruments import DoorInstruments
from orchestrator.telemetry.registry import Registry, total
from orchestrator.telemetry.spans import Untraced, trace_of
from orchestrator.telemetry.telemetry import telemetry
from orchestrator.telemetry.words import Outcome
from tests.support.collector import collecting

AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
EVENT = "evt_8371acc645b9e3dc"


def now():
    return AT


def new_registry():
    return Registry(catalogue.SCRAPE_FAILURES)


async def test_o3_the_same_figures_go_out_as_are_scraped() -> None:
    async with collecting() as collector:
        registry = new_registry()
        door = DoorInstruments(registry, lambda: {"github"})
        door.delivery("github", Outcome.ACCEPTED, None, 202, 0.003, 800, 1)
        door.delivery("github", Outcome.REFUSED, Reason.STALE, 401, 0.003, 0, 0)
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"{collector.url}/",
            "OTEL_EXPORTER_OTLP_HEADERS": "x-team=ops%20one",
            "OTEL_SERVICE_NAME": "our-doorbell",
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=test",
        }
        async with telemetry(registry, "service", environment, now):
            pass

        found = collector.metrics()
        points = found["doorbell_deliveries"].sum.data_points
        assert {
            tuple(pair.value.string_value for pair in point.attributes): point.as_double
            for point in points
        } == {("github", "accepted"): 1.0, ("github", "refused", "stale"): 1.0}
        assert found["doorbell_deliveries"].sum.is_monotonic
        (accepted, _refused) = found["doorbell_delivery_seconds"].histogram.data_points
        assert (accepted.count, accepted.sum) == (1, 0.003)
        assert not accepted.HasField("min")
        assert list(accepted.explicit_bounds) == list(catalogue.QUICK)
        assert found["doorbell_delivery_seconds"].unit == "s"
        assert collector.headers[-1]["x-team"] == "ops one"
        said = collector.resource()
        assert (said["service.name"], said["doorbell.process"]) == ("our-doorbell", "service")
        assert said["deployment.environment"] == "test"


async def test_one_trace_leads_from_the_delivery_over_the_decision_to_what_is_started() -> None:
    async with collecting() as collector:
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        async with telemetry(new_registry(), "service", environment, now) as told:
            tracing = told.tracing
            claimed = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
            about = {"cloudevents.event_source": "github", "doorbell.outcome": "accepted"}
            tracing.delivery(EVENT, AT, 0.003, about, claimed)
            tracing.decided(EVENT, AT + timedelta(seconds=1), 0.001, {"doorbell.actions": "start"})
            with tracing.delivering(EVENT, {"doorbell.action": "start"}):
                inside = get_current_span().get_span_context()
            assert tracing.trace_id(EVENT) == f"{trace_of(EVENT):032x}"

        spans = {span.name: span for span in collector.spans()}
        assert set(spans) == {"delivery", "decide", "deliver"}
        trace = trace_of(EVENT).to_bytes(16, "big")
        assert {span.trace_id for span in spans.values()} == {trace}
        root = spans["delivery"]
        assert root.parent_span_id == b""
        assert root.end_time_unix_nano - root.start_time_unix_nano == pytest.approx(3e6, abs=1e3)
        assert {spans["decide"].parent_span_id, spans["deliver"].parent_span_id} == {root.span_id}
        assert inside.trace_id == trace_of(EVENT)
        assert inside.span_id.to_bytes(8, "big") == spans["deliver"].span_id
        # What an unsigned header claims is linked to, never believed.
        assert [link.trace_id.hex() for link in root.links] == ["0af7651916cd43dd8448eb211c80319c"]


async def test_the_same_event_rung_again_is_one_more_delivery_of_its_trace() -> None:
    async with collecting() as collector:
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        async with telemetry(new_registry(), "service", environment, now) as told:
            told.tracing.delivery(EVENT, AT, 0.003, {"doorbell.outcome": "accepted"})
            told.tracing.delivery(EVENT, AT, 0.001, {"doorbell.outcome": "duplicate"})

        first, second = collector.spans()
        assert first.trace_id == second.trace_id
        assert first.span_id != second.span_id


async def test_a_delivery_that_fails_says_so_in_its_span() -> None:
    async with collecting() as collector:
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        async with telemetry(new_registry(), "service", environment, now) as told:
            with (
                pytest.raises(OperatorError),
                told.tracing.delivering(EVENT, {"doorbell.action": "start"}),
            ):
                raise OperatorError("Temporal is away")

        (span,) = collector.spans()
        # The text may name what a stranger wrote: the kind of the failure is enough.
        assert (span.status.code, span.status.message) == (2, "OperatorError")


async def test_of_traces_only_the_ratio_asked_for_is_sent() -> None:
    async with collecting() as collector:
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
            "OTEL_TRACES_SAMPLER_ARG": "0.25",
        }
        async with telemetry(new_registry(), "service", environment, now) as told:
            for number in range(400):
                told.tracing.delivery(f"evt_{number}", AT, 0.003, {})
            with told.tracing.delivering("evt_3", {}):
                flags = get_current_span().get_span_context().trace_flags
            assert bool(flags.sampled) == (told.tracing.trace_id("evt_3") is not None)

        assert 60 < len({span.trace_id for span in collector.spans()}) < 140


async def test_o3_what_a_refusing_collector_does_not_take_is_counted() -> None:
    async with collecting() as collector:
        collector.status = 400
        registry = new_registry()
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        async with telemetry(registry, "service", environment, now) as told:
            told.tracing.delivery(EVENT, AT, 0.003, {})

        assert collector.spans()
        families = {family.metric: family.points for family in await registry.collect()}
        assert total(families[catalogue.SPANS_DROPPED]) == 1


async def test_o3_what_does_not_fit_while_the_collector_is_away_is_counted(monkeypatch) -> None:
    monkeypatch.setattr(otlp_spans, "ROOM", 10)
    async with collecting() as collector:
        registry = new_registry()
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        async with telemetry(registry, "service", environment, now) as told:
            for number in range(50):
                told.tracing.delivery(f"evt_{number}", AT, 0.003, {})

        assert len(collector.spans()) == 10
        families = {family.metric: family.points for family in await registry.collect()}
        assert total(families[catalogue.SPANS_DROPPED]) == 40


async def test_a_collector_that_is_not_there_keeps_nobody_from_leaving(monkeypatch) -> None:
    monkeypatch.setattr(otlp, "LEAVING", 0.1)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{nobody.getsockname()[1]}"}
        async with (
            asyncio.timeout(10),
            telemetry(new_registry(), "service", environment, now) as t,
        ):
            t.tracing.delivery(EVENT, AT, 0.003, {})


async def test_without_a_collector_nothing_is_traced() -> None:
    async with telemetry(new_registry(), "service", {}, now) as told:
        assert isinstance(told.tracing, Untraced)
        told.tracing.delivery(EVENT, AT, 0.003, {})
        told.tracing.decided(EVENT, AT, 0.003, {})
        with told.tracing.delivering(EVENT, {}):
            pass
        assert told.tracing.trace_id(EVENT) is None
        assert told.interceptors == ()


def test_without_a_collector_opentelemetrys_sdk_is_not_even_loaded() -> None:
    program = (
        "import sys; import orchestrator.telemetry.telemetry, orchestrator.telemetry.instruments;"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout == "[]\n"


async def test_a_collector_without_the_extra_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setattr(telemetries, "OTLP", "orchestrator.telemetry.nowhere")
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}

    with pytest.raises(OperatorError, match=r"doorbell\[otel\]"):
        async with telemetry(new_registry(), "service", environment, now):
            pass
