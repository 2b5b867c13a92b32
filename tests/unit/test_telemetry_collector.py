"""The `OTEL_*` variables mean what they mean everywhere, and what we can't do is said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from opentelemetry.trace import get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from orchestrator.errors import OperatorError
from orchestrator.telemetry.collector import Collector, collector_of
from orchestrator.telemetry.spans import is_sampled, link_of, span_of, trace_of

HERE = "http://127.0.0.1:4318"


def collector(**variables):
    return collector_of({"OTEL_EXPORTER_OTLP_ENDPOINT": HERE, **variables})


def test_nothing_is_sent_where_nobody_named_a_collector() -> None:
    assert collector_of({}) is None
    assert collector_of({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}) is None
    assert collector(OTEL_SDK_DISABLED="TRUE") is None


def test_what_is_not_said_has_the_specifications_default() -> None:
    assert collector() == Collector(endpoint=HERE, ratio=1.0, interval=60.0, service="doorbell")


def test_each_variable_is_read() -> None:
    found = collector(
        OTEL_EXPORTER_OTLP_HEADERS="authorization=Basic%20abc%3D,x=1",
        OTEL_RESOURCE_ATTRIBUTES="service.name=front,team=ops",
        OTEL_TRACES_SAMPLER="traceidratio",
        OTEL_TRACES_SAMPLER_ARG="0.1",
        OTEL_METRIC_EXPORT_INTERVAL="5000",
    )

    assert found is not None
    assert found.headers == {"authorization": "Basic abc=", "x": "1"}
    assert (found.service, found.resource["team"]) == ("front", "ops")
    assert (found.ratio, found.interval) == (0.1, 5.0)


def test_the_headers_secret_is_never_shown() -> None:
    assert "abc" not in repr(collector(OTEL_EXPORTER_OTLP_HEADERS="authorization=abc"))


@pytest.mark.parametrize(
    ("sampler", "ratio"), [("always_off", 0.0), ("parentbased_always_on", 1.0)]
)
def test_a_sampler_without_an_argument_is_known(sampler, ratio) -> None:
    found = collector(OTEL_TRACES_SAMPLER=sampler)

    assert found is not None
    assert found.ratio == ratio


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4317"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "soon"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "nan"),
    ],
)
def test_what_we_cannot_do_names_the_variable_and_the_way_out(name, value) -> None:
    with pytest.raises(OperatorError, match=f"{name}: expected .* unset"):
        collector(**{name: value})


@pytest.mark.parametrize("ratio", ["-0.1", "1.1", "half"])
def test_a_ratio_is_between_nothing_and_everything(ratio) -> None:
    with pytest.raises(OperatorError, match="OTEL_TRACES_SAMPLER_ARG"):
        collector(OTEL_TRACES_SAMPLER="traceidratio", OTEL_TRACES_SAMPLER_ARG=ratio)


@given(st.integers(1, 2**128 - 1), st.floats(0, 1))
def test_we_keep_the_traces_that_opentelemetrys_own_sampler_keeps(trace_id, ratio) -> None:
    decided = TraceIdRatioBased(ratio).should_sample(None, trace_id, "delivery").decision

    assert is_sampled(trace_id, ratio) == decided.is_sampled()


HEX = st.text("0123456789abcdefABCDEFg", min_size=0, max_size=40)


@given(st.builds("{}-{}-{}-{}".format, HEX, HEX, HEX, HEX) | st.text(max_size=60))
def test_a_traceparent_is_linked_to_only_if_opentelemetry_would_read_it(text) -> None:
    link = link_of(text)

    if link is not None:
        context = TraceContextTextMapPropagator().extract({"traceparent": text})
        theirs = get_current_span(context).get_span_context()
        assert (theirs.trace_id, theirs.span_id) == (link.trace_id, link.span_id)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0AF7651916CD43DD8448EB211C80319C-B7AD6B7169203331-01",
    ],
)
def test_a_traceparent_that_is_none_links_to_nothing(text) -> None:
    assert link_of(text) is None


@given(st.text(), st.text())
def test_ids_are_derived_and_never_zero(one, other) -> None:
    assert trace_of(one) == trace_of(one) != 0
    assert 0 < span_of(one, other) < 2**64
    if one != other:
        assert trace_of(one) != trace_of(other) or max(one + other, default="") >= "\ud800"
