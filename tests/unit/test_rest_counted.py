"""O3 over the REST API: each request is counted under its route and class of status, and no address makes a series."""

import asyncio

import httpx2
import pytest

from orchestrator.telemetry import catalogue
from orchestrator.telemetry.instruments import ApiInstruments
from orchestrator.telemetry.registry import Registry
from tests.support.api import OPERATES, PLACE, answering
from tests.support.builders import comment, rule
from tests.support.installed import Installed
from tests.support.service import until


@pytest.fixture
def there(tmp_path):
    there = Installed(tmp_path / "state")
    there.kept(comment("evt_1"), rule())
    return there


def counted(registry, metric):
    (found,) = [one for one in asyncio.run(registry.collect()) if one.metric is metric]
    return {point.labels: point.value for point in found.points}


def test_o3_a_request_is_counted_by_route_and_class_of_status(there):
    registry = Registry(catalogue.SCRAPE_FAILURES)
    with answering(there, rule(), counts=ApiInstruments(registry), deciding=False) as api:
        api.get("/events/evt_1")
        api.get("/events/evt_none")
        api.get("/events", token=None)
        api.post("/rules/triage/pause", params={"wait": 0})
        for strange in range(5):
            api.get(f"/nothing/{strange}", token=OPERATES)
        httpx2.request("BREW", f"{api.url}{PLACE}/events", timeout=30)
        until(lambda: sum(counted(registry, catalogue.API_REQUESTS).values()) == 10)

    assert counted(registry, catalogue.API_REQUESTS) == {
        ("GET /events/{event}", "2xx"): 1,
        ("GET /events/{event}", "4xx"): 1,
        ("GET /events", "4xx"): 1,
        ("POST /rules/{rule}/pause", "2xx"): 1,
        ("unknown", "4xx"): 6,
    }
