"""Phase 1 counts what it decides under the source of the event it is about, whoever asked for it."""

from orchestrator.telemetry import catalogue
from orchestrator.telemetry.instruments import DispatchInstruments
from orchestrator.telemetry.registry import Registry, total
from tests.support.builders import comment, order
from tests.support.roads import delivered, road_at


async def test_o3_what_a_person_redelivers_is_counted_under_its_own_source(tmp_path):
    registry = Registry(catalogue.SCRAPE_FAILURES)
    with road_at(tmp_path) as road:
        road.dispatcher.counts = DispatchInstruments(registry, lambda: road.sources)
        await delivered(road, comment("e1"))
        await delivered(road, order("w1", "event.redeliver", "e1"))
    counted = {
        point.labels: total([point])
        for family in await registry.collect()
        for point in family.points
        if family.metric.name == "doorbell_decisions_total"
    }

    assert counted == {
        ("github", "triage", "start"): 2,
        ("operator", "doorbell:operator", "control"): 1,
    }
