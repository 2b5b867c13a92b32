"""O3: one trace leads from a delivery to the run it started, and a wake-up's trace leads into the same run."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from orchestrator import temporal
from orchestrator.dispatch.runs import TemporalRuns
from orchestrator.dispatch.traced import TracedRuns
from orchestrator.telemetry import catalogue
from orchestrator.telemetry.registry import Registry
from orchestrator.telemetry.spans import trace_of
from orchestrator.telemetry.telemetry import telemetry
from tests.support.collector import Collector, collecting
from tests.support.house import House, commented, house, opened
from tests.support.scripts import Turns, says, use, uses, wait
from tests.support.town import Town

pytestmark = pytest.mark.temporal

TALK = [
    uses(use("read_thing", name="a")),
    uses(wait("github/issue_comment.created")),
    says("done"),
]


@asynccontextmanager
async def traced(directory: Path, town: Town, collector: Collector) -> AsyncIterator[House]:
    """A house whose dispatcher and worker speak to this collector."""
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
    registry = Registry(catalogue.SCRAPE_FAILURES)
    async with (
        telemetry(registry, "house", environment, lambda: datetime.now(UTC)) as told,
        house(directory, town, Turns(TALK), working=False, dispatching=False) as home,
    ):
        home.client = await temporal.connect(
            town.temporal.address, "default", interceptors=told.interceptors
        )
        runs = TemporalRuns(home.client, home.queue)
        home.dispatcher.runs = TracedRuns(runs, told.tracing)
        async with home.working():
            yield home


def named(collector: Collector, event_id: str) -> list[str]:
    trace = trace_of(event_id).to_bytes(16, "big")
    return [span.name for span in collector.spans() if span.trace_id == trace]


def leading_to(collector: Collector, event_id: str) -> list[str]:
    """The spans that link to an event's trace."""
    trace = trace_of(event_id).to_bytes(16, "big")
    return [
        span.name
        for span in collector.spans()
        if any(link.trace_id == trace for link in span.links)
    ]


async def worked(home: House, look: Any) -> Any:
    async def step() -> Any:
        await home.dispatcher.decide_some()
        await home.dispatcher.deliver_some()
        await home.dispatcher.look_back_some()
        return await look()

    return await home.until(step)


async def test_o3_one_trace_leads_from_the_delivery_to_its_run_and_its_activities(
    tmp_path: Path, town: Town
) -> None:
    async with collecting() as collector:
        async with traced(tmp_path, town, collector) as home:
            begun = await home.ring(opened())

            async def parked() -> Any:
                return [run for run in await home.runs() if run["state"] == "waiting"]

            (run,) = await worked(home, parked)
            woken = await home.ring(commented("here you are"), "issue_comment")

            async def ended() -> Any:
                return [run for run in await home.runs() if run["state"] == "ended"]

            (same,) = await worked(home, ended)
            assert same["workflow_id"] == run["workflow_id"]
        first, second = named(collector, begun), named(collector, woken)
        linked = leading_to(collector, woken)

    assert "deliver" in first
    assert "RunWorkflow:Run" in first
    assert any(name.startswith("RunActivity:") for name in first)
    assert "deliver" in second
    assert "RunWorkflow:Run" not in second
    # The run stays in the trace of what began it; what woke it is linked to from there.
    assert "HandleSignal:deliver" in linked
    assert "HandleSignal:deliver" in first
