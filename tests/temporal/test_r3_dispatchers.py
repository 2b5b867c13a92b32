"""R2, R3: dispatchers that share an inbox, killed or not, start everything once and keep each key in order."""

import random
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from orchestrator.inbox.inbox import Action, Arrival
from orchestrator.ledger import claims, conversations
from tests.support.house import House, house, opened
from tests.support.mayhem import (
    FILES,
    FLOWS,
    arrivals,
    calm,
    counted,
    delivered,
    fed,
    mayhem,
    rest,
)
from tests.support.postgres import Postgres
from tests.support.scripts import Turns, says
from tests.support.town import Town, kill

pytestmark = [pytest.mark.temporal, pytest.mark.timeout(240)]

TEN = 10
PATIENCE = 120.0
BARE = {"working": False, "dispatching": False}
WORDS = {"supersede": {"superseded"}, "coalesce": {"coalesced"}, "single": {"ignored"}}
"""How an event may end without being heard; in the other flows each is."""


@pytest.fixture
def database(postgres: Postgres) -> Iterator[str]:
    with postgres.database() as url:
        yield url


async def told(home: House, ids: list[str]) -> tuple[list[str], list[list[str]]]:
    """How each event ended, and the events of every conversation, the oldest conversation first."""
    found = await home.stores.inbox.decisions(ids)
    made = [one for event in ids for one in found[event] if one.action is Action.START]
    taken = await home.stores.ledger.read(claims.claimed, [one.id for one in made])
    of_these = {one.workflow_id for one in made}
    newest = await home.stores.ledger.read(conversations.newest, 1_000)
    heard = [
        await home.stores.ledger.read(conversations.heard, one.run_id)
        for one in reversed(newest)
        if one.workflow_id in of_these
    ]
    return [taken[one.id] for one in made], heard


def met_by_its_mode(flow: str, ids: list[str], ends: list[str], heard: list[list[str]]) -> None:
    """Each event ended in a word of its flow, and conversations heard exactly what was consumed, in order."""
    consumed = [one for one, end in zip(ids, ends, strict=True) if end == "consumed"]
    flat = [event for run in heard for event in run]
    # Runs of their own have no order among each other.
    alone = flow == "parallel"
    assert (sorted(flat) if alone else flat) == (sorted(consumed) if alone else consumed), flow
    assert set(ends) <= {"consumed", *WORDS.get(flow, ())}, flow
    if flow in {"parallel", "queue"}:
        assert len(heard) == len(ids), flow
    assert (ends[0] if flow == "single" else ends[-1]) == "consumed", flow


def ten(home: House, flow: str) -> list[Arrival]:
    """Ten events of one key."""
    key = list(FLOWS).index(flow) + 1
    return [home.arrival(opened(key, flow, note=f"number {key}{n};")) for n in range(TEN)]


async def test_r3_r2_ten_at_the_same_instant_in_each_mode_on_three_dispatchers_act_once_in_order(
    tmp_path: Path, town: Town, database: str
) -> None:
    async with (
        house(tmp_path, town, Turns([says()]), FILES, database=database, **BARE) as home,
        calm(home, dispatchers=3),
    ):
        kept = await home.keep(*(one for flow in FLOWS for one in ten(home, flow)))
        ids = {flow: kept[n * TEN : (n + 1) * TEN] for n, flow in enumerate(FLOWS)}
        await rest(home, kept, PATIENCE)
        toll = await counted(home, kept)
        seen = {flow: await told(home, ids[flow]) for flow in FLOWS}
    assert (toll.twice, toll.lost, toll.unknown) == ((), (), 0), toll
    for flow, (ends, heard) in seen.items():
        met_by_its_mode(flow, ids[flow], ends, heard)


@pytest.mark.parametrize("instant", ["leased", "delivered"])
@pytest.mark.parametrize("store", ["sqlite", "postgres"])
async def test_r3_d2_a_dispatcher_killed_with_every_flow_in_its_hands_loses_and_doubles_nothing(
    tmp_path: Path, town: Town, database: str, store: str, instant: str
) -> None:
    """It dies with decisions in its hands: leased and not sent, or sent and not written down as sent."""
    url = database if store == "postgres" else None
    async with house(tmp_path, town, Turns([says()]), FILES, database=url, **BARE) as home:
        hold = home.directory / "hold"
        hold.touch()
        flows = ("queue", "coalesce", "supersede", "single")
        kept = await home.keep(*(one for flow in flows for one in ten(home, flow)))
        async with AsyncExitStack() as stack:
            doomed = home.worker(PART="dispatch", HOLD=str(hold), HOLD_AT=instant)
            pid = await stack.enter_async_context(doomed)
            await home.until(hold.with_suffix(".held").exists, "what it holds")
            await kill(pid)
        hold.unlink()
        async with calm(home):
            await rest(home, kept, PATIENCE)
            toll = await counted(home, kept)
            ids = {flow: kept[n * TEN : (n + 1) * TEN] for n, flow in enumerate(flows)}
            seen = {flow: await told(home, ids[flow]) for flow in flows}
    assert (toll.twice, toll.lost, toll.unknown) == ((), (), 0), toll
    for flow, (ends, heard) in seen.items():
        met_by_its_mode(flow, ids[flow], ends, heard)


async def test_r3_a1_worker_and_dispatcher_killed_together_while_events_gather_lose_nothing(
    tmp_path: Path, town: Town, database: str
) -> None:
    async with house(tmp_path, town, Turns([says()]), FILES, database=database, **BARE) as home:
        async with home.worker(COUNTED=str(home.counted)) as worker, home.dispatching() as other:
            kept = await home.keep(*ten(home, "coalesce"), *ten(home, "queue"))
            await home.until(lambda: home.executed("write_thing"), "the first write")
            await kill(worker)
            await kill(other)
        kept += await home.keep(home.arrival(opened(6, "coalesce", note="number 600;")))
        async with calm(home):
            await rest(home, kept, PATIENCE)
            toll = await counted(home, kept)
    assert (toll.twice, toll.lost) == ((), ()), toll
    # One of either key may have been on its way.
    assert toll.unknown <= 2


async def test_r2_a1_two_hundred_events_while_everybody_is_killed_again_and_again_start_once(
    tmp_path: Path, town: Town, database: str
) -> None:
    """The small version of `python -m tests.bench.kills 10000`."""
    async with house(tmp_path, town, Turns([says()]), FILES, database=database, **BARE) as home:
        dice = random.Random(20261121)
        async with mayhem(home, dice, dispatchers=2, workers=2, every=5) as killed:
            coming = arrivals(home, 200, of_a_key=10, flows=("single", "signal", "coalesce"))
            ids = await fed(home, coming)
            await delivered(home, PATIENCE)
        async with calm(home):
            await rest(home, ids, PATIENCE)
            toll = await counted(home, ids)
    assert min(killed["dispatch"], killed["work"]) > 0
    assert (toll.events, toll.ends.total()) == (200, 200)
    assert (toll.twice, toll.lost) == ((), ()), toll
    assert toll.writes + toll.unknown >= toll.outcomes["completed"]
