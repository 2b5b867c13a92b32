"""One request at the door is counted, logged and traced in the same words."""

from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.doorbell.telling import Telling
from orchestrator.errors import Reason
from orchestrator.telemetry import catalogue
from orchestrator.telemetry.instruments import DoorInstruments
from orchestrator.telemetry.lines import DeliveryLine
from orchestrator.telemetry.registry import Registry, total
from orchestrator.telemetry.spans import Tracing, Untraced, trace_of
from orchestrator.telemetry.words import Outcome

AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LATER = AT + timedelta(milliseconds=12.34)


class Traces(Untraced):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told = []

    def trace_id(self, event_id):
        return f"{trace_of(event_id):032x}"

    def delivery(self, event_id, at, seconds, attributes, traceparent=None):
        self.told.append((event_id, at, seconds, dict(attributes), traceparent))


class Told:
    """What a door told."""

    def __init__(self, tracing: Tracing) -> None:
        self.registry = Registry(catalogue.SCRAPE_FAILURES)
        self.lines = []
        instruments = DoorInstruments(self.registry, lambda: {"github"})
        self.telling = Telling(instruments, lambda *line: self.lines.append(line), tracing)

    async def figures(self, metric):
        found = {family.metric: family.points for family in await self.registry.collect()}
        return {point.labels: total([point]) for point in found[metric]}


@pytest.fixture
def told():
    return Told(Untraced())


async def test_o3_a_refusal_is_one_line_and_one_count_in_the_same_words(told) -> None:
    line = DeliveryLine(
        source="github", outcome=Outcome.REFUSED, reason=Reason.BAD_SIGNATURE, status=401, bytes=8
    )
    told.telling.delivery(line, AT, LATER)

    ((written, at),) = told.lines
    assert (written.outcome, written.reason, written.ms, at) == (
        "refused",
        "bad_signature",
        12.3,
        LATER,
    )
    assert await told.figures(catalogue.DELIVERIES) == {("github", "refused", "bad_signature"): 1}
    assert await told.figures(catalogue.BYTES) == {("github",): 8}


@pytest.mark.parametrize(
    ("line", "events"),
    [
        (DeliveryLine(source="github", outcome=Outcome.ACCEPTED, status=202), 1),
        (DeliveryLine(source="github", outcome=Outcome.DUPLICATE, status=202), 0),
        (DeliveryLine(source="github", outcome=Outcome.SPLIT, status=202, events=9, kept=7), 7),
        (DeliveryLine(source="github", outcome=Outcome.SPLIT, status=202), 0),
        (DeliveryLine(source="github", outcome=Outcome.QUARANTINED, status=202), 0),
    ],
)
async def test_only_events_that_are_new_count_as_events(line, events, told) -> None:
    told.telling.delivery(line, AT, LATER)

    assert (await told.figures(catalogue.EVENTS)).get(("github",), 0) == events


async def test_a_kept_event_is_traced_and_its_line_says_where() -> None:
    traces = Traces()
    told = Told(traces)
    line = DeliveryLine(
        source="github",
        outcome=Outcome.ACCEPTED,
        status=202,
        event_id="evt_1",
        type="issues.opened",
    )
    told.telling.delivery(line, AT, LATER, "claimed")

    assert told.lines[0][0].trace_id == f"{trace_of('evt_1'):032x}"
    assert traces.told == [
        (
            "evt_1",
            AT,
            pytest.approx(0.01234),
            {
                "cloudevents.event_source": "github",
                "cloudevents.event_type": "issues.opened",
                "doorbell.outcome": "accepted",
                "http.response.status_code": 202,
            },
            "claimed",
        )
    ]


async def test_what_became_no_event_is_not_traced() -> None:
    traces = Traces()
    told = Told(traces)
    told.telling.delivery(DeliveryLine(source="x", outcome=Outcome.GONE), AT, LATER)

    assert traces.told == []
    assert told.lines[0][0].trace_id is None


async def test_a_clock_that_was_set_back_breaks_no_count(told) -> None:
    told.telling.delivery(
        DeliveryLine(source="github", outcome=Outcome.ACCEPTED, status=202), LATER, AT
    )

    assert await told.figures(catalogue.DELIVERY) == {("accepted",): 1}
