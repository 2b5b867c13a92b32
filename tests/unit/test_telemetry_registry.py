"""Counts stay bounded, and one gauge that can't be read hides no other."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.telemetry import registry as registries
from orchestrator.telemetry.registry import (
    MOST_SERIES,
    Distribution,
    Kind,
    Metric,
    Number,
    Registry,
    total,
)
from orchestrator.telemetry.words import OTHER

FAILURES = Metric("failures_total", Kind.COUNTER, "Failures.", ("reading",))
KNOCKS = Metric("knocks_total", Kind.COUNTER, "Knocks.", ("who",))
DEPTH = Metric("depth", Kind.GAUGE, "Depth.", ("where",))
TIME = Metric("time_seconds", Kind.HISTOGRAM, "Time.", ("where",), (0.1, 1.0))


def family(families, metric):
    return next(family for family in families if family.metric is metric)


async def points(registry, metric):
    return family(await registry.collect(), metric).points


async def test_a_label_that_a_stranger_chose_a_hundred_thousand_times_stays_bounded() -> None:
    registry = Registry(FAILURES)
    counter = registry.counter(KNOCKS)

    for number in range(100_000):
        counter.add((f"stranger {number}",))

    found = await points(registry, KNOCKS)
    assert len(found) == MOST_SERIES + 1
    assert total(found) == 100_000
    assert Number((OTHER,), 100_000 - MOST_SERIES) in found


async def test_histograms_and_gauges_are_bounded_alike() -> None:
    registry = Registry(FAILURES)
    times, depth = registry.histogram(TIME), registry.gauge(DEPTH)

    for number in range(MOST_SERIES + 50):
        times.observe((str(number),), 0.5)
        depth.put((str(number),), number)

    assert len(await points(registry, TIME)) == MOST_SERIES + 1
    assert total(await points(registry, TIME)) == MOST_SERIES + 50
    assert len(await points(registry, DEPTH)) == MOST_SERIES + 1


async def test_an_observation_falls_into_the_first_bucket_that_holds_it() -> None:
    registry = Registry(FAILURES)
    times = registry.histogram(TIME)

    for value in (0.05, 0.1, 0.2, 1.0, 7.0, -3.0):
        times.observe(("door",), value)

    assert await points(registry, TIME) == (Distribution(("door",), (3, 2, 1), 8.35),)


@given(st.lists(st.floats(min_value=0, max_value=1e6), max_size=50))
async def test_every_observation_is_counted_once(values) -> None:
    registry = Registry(FAILURES)
    times = registry.histogram(TIME)

    for value in values:
        times.observe(("door",), value)

    found = await points(registry, TIME)
    assert total(found) == len(values)
    assert sum(point.sum for point in found) == sum(values)


async def test_a_counter_without_labels_begins_at_zero() -> None:
    registry = Registry(FAILURES)
    plain = Metric("plain_total", Kind.COUNTER, "Plain.")
    registry.counter(plain)

    assert await points(registry, plain) == (Number((), 0),)


async def test_o3_a_gauge_that_cannot_be_read_is_left_out_and_counted() -> None:
    registry = Registry(FAILURES)

    async def broken():
        raise OSError("no database")

    async def sound():
        return {DEPTH: {("inbox",): 3.0}}

    registry.read("broken", broken)
    registry.read("sound", sound)

    assert await points(registry, DEPTH) == (Number(("inbox",), 3.0),)
    assert await points(registry, FAILURES) == (Number(("broken",), 2), Number(("sound",), 0))


async def test_a_gauge_that_takes_too_long_holds_no_scrape(monkeypatch) -> None:
    monkeypatch.setattr(registries, "PATIENCE", 0.01)
    registry = Registry(FAILURES)

    async def never():
        await asyncio.Event().wait()
        raise AssertionError

    registry.read("never", never)

    assert await points(registry, FAILURES) == (Number(("never",), 1),)


async def test_those_who_ask_at_once_are_answered_from_one_reading() -> None:
    registry = Registry(FAILURES)
    asked = 0

    async def read():
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        return {DEPTH: {("inbox",): 1.0}}

    registry.read("inbox", read)
    await asyncio.gather(*(registry.collect() for _ in range(20)))

    assert asked == 1


async def test_one_who_leaves_takes_the_answer_from_nobody_else() -> None:
    registry = Registry(FAILURES)
    reached, go = asyncio.Event(), asyncio.Event()

    async def read():
        reached.set()
        await go.wait()
        return {DEPTH: {("inbox",): 1.0}}

    registry.read("inbox", read)
    first = asyncio.create_task(registry.collect())
    await reached.wait()
    second = asyncio.create_task(registry.collect())
    await asyncio.sleep(0)
    first.cancel()
    go.set()

    assert family(await second, DEPTH).points == (Number(("inbox",), 1.0),)
