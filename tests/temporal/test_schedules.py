"""Schedules on a real Temporal server: kept as the rules say, and every tick one row of the inbox, whatever dies."""

import asyncio
import sys
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.client import Client

from orchestrator import temporal
from orchestrator.database import sqlite_url
from orchestrator.inbox.sql import SqlInbox
from orchestrator.recovery.indoors import Late, Ring, Rung
from tests.support import mortal_clock
from tests.support.builders import inbox_at
from tests.support.clocks import NOVEMBER, Clocked, clock, scheduled, until
from tests.support.town import Town
from workflows import tick

pytestmark = pytest.mark.temporal

ROOT = Path(__file__).parents[2]
MONDAY = datetime(2026, 11, 16, tzinfo=UTC)


@pytest.fixture
async def client(town: Town) -> Client:
    return await temporal.connect(town.temporal.address, "default")


@pytest.fixture
async def inbox(tmp_path: Path) -> AsyncIterator[SqlInbox]:
    with inbox_at(tmp_path) as opened:
        yield opened


@pytest.fixture
async def one(client: Client, inbox: SqlInbox) -> AsyncIterator[Clocked]:
    async with clock(client, inbox, f"clock-{uuid.uuid4().hex[:8]}") as made:
        yield made


async def test_a_tick_is_a_row_that_says_whose_it_is_and_for_when(
    one: Clocked, inbox: SqlInbox
) -> None:
    one.rules = [scheduled("nightly", NOVEMBER)]
    assert await one.clock.look() == 1

    await one.again("nightly", MONDAY, MONDAY + timedelta(days=2))
    kept = await one.ticked(2)

    assert {ring["status"] for ring in kept} == {"kept"}
    entries = await inbox.entries(9)
    assert {entry.id for entry in entries} == {ring["event"] for ring in kept}
    assert sorted(entry.delivery_id or "" for entry in entries) == [
        "nightly@2026-11-16T06:00:00+00:00",
        "nightly@2026-11-17T06:00:00+00:00",
    ]
    assert {(entry.source, entry.type, entry.subject, entry.keys) for entry in entries} == {
        ("schedule", "tick.nightly", "nightly", ("schedule:nightly",))
    }


async def test_r2_the_same_tick_twice_is_one_row(one: Clocked, inbox: SqlInbox) -> None:
    one.rules = [scheduled("nightly", NOVEMBER)]
    await one.clock.look()

    await one.again("nightly", MONDAY, MONDAY + timedelta(days=1))
    await one.ticked(1)
    await one.again("nightly", MONDAY, MONDAY + timedelta(days=1))
    first, second = await one.ticked(2)

    assert {first["status"], second["status"]} == {"kept", "duplicate"}
    assert first["event"] == second["event"]
    assert len(await inbox.entries(9)) == 1


async def test_r2_a_service_killed_between_the_row_and_the_word_of_it_leaves_one_row(
    client: Client, inbox: SqlInbox, town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tick, "ATTEMPT", tick.ATTEMPT)
    monkeypatch.setattr(tick, "RETRY", tick.RETRY)
    mortal_clock.hurry()
    hold, queue = tmp_path / "hold", f"clock-{uuid.uuid4().hex[:8]}"
    hold.touch()
    async with clock(client, inbox, queue, hearing=False) as one:
        one.rules = [scheduled("nightly", NOVEMBER)]
        await one.clock.look()
        words = [
            town.temporal.address,
            one.schedules.clock_queue,
            sqlite_url(tmp_path / "inbox.db"),
        ]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.support.mortal_clock", *words, str(hold), cwd=ROOT
        )
        await one.again("nightly", MONDAY, MONDAY + timedelta(days=1))
        await until(hold.with_suffix(".held").exists)
        process.kill()
        await process.wait()
        assert len(await inbox.entries(9)) == 1

        hearing = asyncio.create_task(one.clock.hear())
        (kept,) = await one.ticked(1)
        hearing.cancel()
        await asyncio.wait([hearing])

    assert kept["status"] == "duplicate"
    (entry,) = await inbox.entries(9)
    assert entry.id == kept["event"]


async def test_a_tick_waits_for_a_service_that_is_away(client: Client, inbox: SqlInbox) -> None:
    queue = f"clock-{uuid.uuid4().hex[:8]}"
    async with clock(client, inbox, queue, hearing=False) as one:
        one.rules = [scheduled("nightly", NOVEMBER)]
        await one.clock.look()
        await one.tick("nightly")
        assert await inbox.entries(9) == []

        hearing = asyncio.create_task(one.clock.hear())
        (kept,) = await one.ticked(1)
        hearing.cancel()
        await asyncio.wait([hearing])

    assert kept["status"] == "kept"


async def test_a_tick_rings_again_while_the_door_defers(
    client: Client, inbox: SqlInbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tick, "ATTEMPT", tick.ATTEMPT)
    monkeypatch.setattr(tick, "RETRY", tick.RETRY)
    mortal_clock.hurry()
    queue, answers = f"clock-{uuid.uuid4().hex[:8]}", [503, 503]

    def through(door: Ring) -> Ring:
        async def ring(late: Late) -> Rung:
            return Rung(status=answers.pop(), told={}) if answers else await door(late)

        return ring

    async with clock(client, inbox, queue, through=through) as one:
        one.rules = [scheduled("nightly", NOVEMBER)]
        await one.clock.look()
        await one.tick("nightly")
        (kept,) = await one.ticked(1)

    assert kept["status"] == "kept"
    assert answers == []
