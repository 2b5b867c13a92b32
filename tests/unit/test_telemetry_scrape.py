"""A real scrape over HTTP, at the door and at the worker's port, and who may have it."""

import asyncio
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest
import structlog
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from orchestrator.doorbell import app
from orchestrator.doorbell.health import Readiness
from orchestrator.doorbell.scraping import metrics_route
from orchestrator.errors import OperatorError, Reason
from orchestrator.telemetry import catalogue, port, process
from orchestrator.telemetry.instruments import (
    ApiInstruments,
    DispatchInstruments,
    DoorInstruments,
    RunInstruments,
)
from orchestrator.telemetry.port import metrics_port
from orchestrator.telemetry.reach import breakers, temporal
from orchestrator.telemetry.scrape import Permission
from orchestrator.telemetry.telemetry import registry_of
from orchestrator.telemetry.words import Outcome
from tests.support.asgi import serving

AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SNAPSHOT = Path(__file__).parents[1] / "conformance" / "metrics.json"


async def nothing(*_):
    return {}


def house():
    """Everything that a service and a worker count, in one registry."""
    registry = registry_of("service", "0.1.0", lambda: AT, lambda: 3)
    door = DoorInstruments(registry, lambda: {"github"})
    ApiInstruments(registry)
    DispatchInstruments(registry, lambda: {"github"})
    RunInstruments(registry)

    async def reachable():
        return True

    registry.read("temporal", temporal(reachable))
    registry.read("breakers", breakers(lambda: [("https://a.example", "half open")]))
    return registry, door


def application(registry, permission):
    async def refused(scope, receive, send):
        raise AssertionError

    route = metrics_route(registry, permission)
    log = structlog.get_logger()
    return app.build(refused, Readiness(nothing, lambda: AT), nothing, log, route_handlers=[route])


async def got(url, **headers):
    async with httpx2.AsyncClient(trust_env=False) as client:
        return await client.get(f"{url}/metrics", headers=headers)


async def test_o3_a_scrape_of_the_door_says_what_was_counted() -> None:
    registry, door = house()
    door.delivery("github", Outcome.DEFERRED, Reason.OVERLOADED, 503, 0.01, 100, 0)
    async with serving(application(registry, Permission(host="127.0.0.1"))) as url:
        plain = await got(url, accept="text/plain")
        modern = await got(url, accept="application/openmetrics-text; version=1.0.0")

    for parsed in (
        text_string_to_metric_families(plain.text),
        openmetrics.text_string_to_metric_families(modern.text),
    ):
        samples = [sample for family in parsed for sample in family.samples]
        assert [s.labels for s in samples if s.name == "doorbell_deliveries_total"] == [
            {"source": "github", "outcome": "deferred", "reason": "overloaded"}
        ]
    assert plain.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert modern.headers["content-type"].startswith("application/openmetrics-text")
    assert modern.text.endswith("# EOF\n")


async def test_the_process_says_what_it_is_and_what_it_holds() -> None:
    registry, _ = house()
    async with metrics_port("127.0.0.1:0", registry, None) as number:
        found = await got(f"http://127.0.0.1:{number}")

    figures = {
        sample.name: sample.value
        for family in text_string_to_metric_families(found.text)
        for sample in family.samples
    }
    assert figures["process_start_time_seconds"] == AT.timestamp()
    assert 10e6 < figures["process_resident_memory_bytes"] < 10e9
    assert 3 <= figures["process_open_fds"] <= os.sysconf("SC_OPEN_MAX")
    assert figures["process_cpu_seconds_total"] > 0
    assert figures["doorbell_log_lines_dropped_total"] == 3
    assert figures["doorbell_breaker_open"] == 0.5
    assert figures["doorbell_temporal_reachable"] == 1
    assert 'version="0.1.0"' in found.text


async def test_where_there_is_no_proc_memory_and_files_are_left_out(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(process, "SELF", tmp_path)
    registry, _ = house()

    names = {family.metric for family in await registry.collect()}
    assert catalogue.MEMORY not in names
    assert catalogue.CPU in names


@pytest.mark.parametrize(
    ("host", "token", "authorization", "status"),
    [
        ("127.0.0.1", None, "", 200),
        ("::1", None, "", 200),
        ("localhost", None, "", 200),
        ("0.0.0.0", None, "", 403),
        ("::", None, "", 403),
        ("example.test", None, "", 403),
        ("0.0.0.0", "s3cret", "Bearer s3cret", 200),
        ("0.0.0.0", "s3cret", "bearer  s3cret", 200),
        ("127.0.0.1", "s3cret", "", 401),
        ("127.0.0.1", "s3cret", "Bearer wrong", 401),
        ("127.0.0.1", "s3cret", "Basic s3cret", 401),
        ("127.0.0.1", "s3cret", "Bearer sécret", 401),
    ],
)
async def test_metrics_are_for_loopback_or_for_the_token(
    host, token, authorization, status
) -> None:
    registry, _ = house()
    permission = Permission(host=host, token=token)
    async with serving(application(registry, permission)) as url:
        found = await got(url, authorization=authorization.encode())

    assert found.status_code == status
    assert ("doorbell_build_info" in found.text) == (status == 200)
    assert ("www-authenticate" in found.headers) == (status == 401)
    if token:
        assert token not in found.text
        assert token not in repr(permission)


@pytest.mark.parametrize(
    ("request_bytes", "answer"),
    [
        (b"GET /metrics HTTP/1.0\r\n\r\n", b"HTTP/1.1 200 OK\r\n"),
        (b"GET /metrics?x=1 HTTP/1.1\r\nhost: a\r\n\r\n", b"HTTP/1.1 200 OK\r\n"),
        (b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 404 Not Found\r\n"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", b"HTTP/1.1 405 Method Not Allowed\r\n"),
        (b"\x16\x03\x01\r\n\r\n", b"HTTP/1.1 404 Not Found\r\n"),
        (b"GET /metrics HTTP/1.1\r\nx: " + b"a" * 20_000 + b"\r\n\r\n", b""),
        (b"", b""),
    ],
)
async def test_the_workers_port_answers_one_question_and_closes(request_bytes, answer) -> None:
    registry, _ = house()
    async with metrics_port("127.0.0.1:0", registry, None) as number:
        reader, writer = await asyncio.open_connection("127.0.0.1", number)
        writer.write(request_bytes)
        if not request_bytes:
            writer.write_eof()
        try:
            said = await reader.read()
        except ConnectionResetError:
            said = b""
        writer.close()

    assert said[: len(answer)] == answer
    assert bool(said) == bool(answer)


async def test_one_who_says_nothing_is_not_waited_for(monkeypatch) -> None:
    monkeypatch.setattr(port, "DEADLINE", 0.01)
    registry, _ = house()
    async with metrics_port("127.0.0.1:0", registry, None) as number:
        reader, writer = await asyncio.open_connection("127.0.0.1", number)
        assert await reader.read() == b""
        writer.close()


async def test_a_token_guards_the_workers_port_too() -> None:
    registry, _ = house()
    async with metrics_port("127.0.0.1:0", registry, "s3cret") as number:
        url = f"http://127.0.0.1:{number}"
        assert (await got(url)).status_code == 401
        assert (await got(url, authorization="Bearer s3cret")).status_code == 200


@pytest.mark.parametrize("address", ["9464", ":9464", "127.0.0.1:", "127.0.0.1:99999", "a:b"])
async def test_an_address_that_is_none_says_what_one_looks_like(address) -> None:
    registry, _ = house()

    with pytest.raises(OperatorError, match="expected HOST:PORT"):
        async with metrics_port(address, registry, None):
            pass


async def test_a_port_that_is_taken_says_so() -> None:
    registry, _ = house()
    async with metrics_port("127.0.0.1:0", registry, None) as number:
        with pytest.raises(OperatorError, match="cannot be had"):
            async with metrics_port(f"127.0.0.1:{number}", registry, None):
                pass


def test_names_and_labels_are_as_they_were_promised() -> None:
    """A dashboard is built on these: what changes here is told in the CHANGELOG, and this file is edited by hand."""
    promised = json.loads(SNAPSHOT.read_text(encoding="utf-8"))

    assert {metric.name: [str(metric.kind), *metric.labels] for metric in catalogue.ALL} == promised
