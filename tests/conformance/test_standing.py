"""What the gauges of the inbox say, on every database: what is still to be done, and nothing of what is kept."""

from datetime import timedelta

import pytest

from orchestrator.database import Database, sqlite_url
from orchestrator.inbox.inbox import Action, DecisionState
from orchestrator.inbox.schema import MIGRATIONS
from orchestrator.inbox.sql import SqlInbox
from orchestrator.inbox.standing import Standing, held_back, standing, standing_of
from orchestrator.telemetry import catalogue
from tests.conformance.inboxes import LEASE, NOW, arrival, decision

EMPTY = Standing(waiting=0, backlog={}, oldest=None, dead=0, leases=0)


@pytest.fixture(params=["sqlite", "postgres"])
def database(request, tmp_path, postgres):
    if request.param == "sqlite":
        opened = Database.open(sqlite_url(tmp_path / "inbox.db"), MIGRATIONS)
        yield opened
        opened.close()
        return
    with postgres.database() as url:
        opened = Database.open(url, MIGRATIONS)
        yield opened
        opened.close()


async def kept(inbox, receipt, source="github", late=0):
    at = NOW + timedelta(seconds=late)
    await inbox.keep([arrival(receipt, receipt, receipt.encode(), source=source, received_at=at)])


async def test_an_empty_inbox_has_nothing_to_do(database) -> None:
    assert await database.read(standing, NOW) == EMPTY


async def test_what_is_received_or_ready_counts_once_for_each_source(database) -> None:
    inbox = SqlInbox(database)
    await kept(inbox, "e1", late=5)
    await kept(inbox, "e2", late=7)
    await kept(inbox, "e3", source="stripe", late=3)
    await kept(inbox, "e4", source="stripe", late=1)
    ready = [decision("d1", "e3", lane="a"), decision("d2", "e3", lane="b", cause="other")]
    await inbox.decide("e3", ready, NOW)
    done = decision("d3", "e4", action=Action.IGNORE, state=DecisionState.SETTLED)
    await inbox.decide("e4", [done], NOW)

    assert await database.read(standing, NOW) == Standing(
        waiting=4,
        backlog={"github": 2, "stripe": 1},
        oldest=NOW + timedelta(seconds=3),
        dead=0,
        leases=0,
    )
    assert (await inbox.waiting(), await inbox.backlog("stripe")) == (4, 1)


async def test_leases_and_dead_letters_are_counted(database) -> None:
    inbox = SqlInbox(database)
    for receipt in ("e1", "e2"):
        await kept(inbox, receipt)
        await inbox.decide(receipt, [decision(f"d-{receipt}", receipt, lane=receipt)], NOW)
    first, _second = await inbox.claim(NOW, LEASE, 2)

    found = await database.read(standing, NOW)
    assert (found.leases, found.dead) == (2, 0)
    await inbox.bury(first.decision.id, first.fence, "refused ten times")
    found = await database.read(standing, NOW)
    assert (found.leases, found.dead, found.waiting) == (1, 1, 1)
    assert (await database.read(standing, NOW + LEASE)).leases == 0


async def test_what_waits_for_another_run_is_counted_for_its_rule(database) -> None:
    inbox = SqlInbox(database)
    for receipt in ("e1", "e2", "e3"):
        await kept(inbox, receipt)
        await inbox.decide(receipt, [decision(f"d-{receipt}", receipt, lane=receipt)], NOW)
    held, away, _free = await inbox.claim(NOW, LEASE, 3)
    note = "held: 5 runs of triage are open"
    await inbox.release(held.decision.id, held.fence, NOW, note, count=False)
    await inbox.release(away.decision.id, away.fence, NOW, "Temporal: UNAVAILABLE", count=False)

    assert await database.read(held_back) == {held.decision.rule: 1}


async def test_o3_the_gauges_show_every_configured_source_and_the_oldest_age(database) -> None:
    await kept(SqlInbox(database), "e1", late=-90)

    figures = await standing_of(database, lambda: ["github", "stripe"], lambda: NOW)()

    assert figures[catalogue.BACKLOG] == {("github",): 1, ("stripe",): 0}
    assert figures[catalogue.OLDEST] == {(): 90.0}
    assert figures[catalogue.WAITING] == {(): 1}
