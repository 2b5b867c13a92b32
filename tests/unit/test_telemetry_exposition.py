"""What we show is what Prometheus' own parsers read back."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from orchestrator.telemetry.exposition import OPENMETRICS, PROMETHEUS, exposed
from orchestrator.telemetry.registry import Distribution, Family, Kind, Metric, Number

KNOCKS = Metric("knocks_total", Kind.COUNTER, 'Knocks: "a\\b"\nat the door.', ("who", "why"))
DEPTH = Metric("depth", Kind.GAUGE, "Depth.")
TIME = Metric("time_seconds", Kind.HISTOGRAM, "Time.", ("where",), (0.1, 1.0))

WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\x0b\x0c"))


def prometheus(*families):
    text = exposed(families, "*/*")
    assert text.content_type == PROMETHEUS
    return list(text_string_to_metric_families(text.body.decode()))


def open_metrics(*families):
    text = exposed(families, "application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    assert text.content_type == OPENMETRICS
    return list(openmetrics.text_string_to_metric_families(text.body.decode()))


@given(WORDS, WORDS)
def test_any_text_in_a_label_comes_back_as_it_was(who, why) -> None:
    family = Family(KNOCKS, (Number((who, why), 2.0),))

    for parsed in (prometheus(family), open_metrics(family)):
        (sample,) = parsed[0].samples
        assert (sample.name, sample.labels, sample.value) == (
            "knocks_total",
            {"who": who, "why": why},
            2.0,
        )


@given(st.lists(st.integers(min_value=0, max_value=2**40), min_size=3, max_size=3))
def test_buckets_add_up_and_end_in_infinity(counts) -> None:
    family = Family(TIME, (Distribution(("door",), tuple(counts), 1.5),))

    for parsed in (prometheus(family), open_metrics(family)):
        samples = {(s.name, s.labels.get("le")): s.value for s in parsed[0].samples}
        assert samples == {
            ("time_seconds_bucket", "0.1"): counts[0],
            ("time_seconds_bucket", "1.0"): counts[0] + counts[1],
            ("time_seconds_bucket", "+Inf"): sum(counts),
            ("time_seconds_count", None): sum(counts),
            ("time_seconds_sum", None): 1.5,
        }


def test_help_and_type_stand_before_the_figures() -> None:
    (knocks,) = prometheus(Family(KNOCKS, ()))

    assert (knocks.type, knocks.documentation) == ("counter", 'Knocks: "a\\b"\nat the door.')


def test_a_metric_without_labels_has_no_braces() -> None:
    assert b"\ndepth 3.0\n" in exposed([Family(DEPTH, (Number((), 3),))], "").body


def test_a_lone_surrogate_breaks_no_scrape() -> None:
    body = exposed([Family(KNOCKS, (Number(("\ud800", ""), 1),))], "").body

    assert b'who="?"' in body
