"""The rows of our subscriptions, on every database there is: one works on each, and the newest word counts."""

from datetime import timedelta

import pytest

from orchestrator.database import Database, sqlite_url
from orchestrator.inbox import subscriptions
from orchestrator.inbox.schema import MIGRATIONS
from orchestrator.inbox.subscriptions import Want
from tests.conformance.inboxes import NOW

LATER = NOW + timedelta(minutes=2)
DAY = timedelta(days=1)


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


def want(mark="m1", source="tickets", **changes):
    values = {
        "mark": mark,
        "source": source,
        "server": "crm",
        "address": "there",
        "event": "ticket.updated",
        "arguments": "{}",
        "url": "https://doorbell.example/hooks/tickets",
        "secret": "s1",
    }
    return Want(**{**values, **changes})


async def follow(database, *wants, leave=(), at=NOW):
    await database.write(subscriptions.follow, wants, leave, at)


async def rows(database):
    return {row.mark: row for row in await database.read(subscriptions.everything)}


async def claimed(database, mark="m1", at=NOW):
    return await database.write(subscriptions.claim, mark, at, at + timedelta(minutes=2))


async def grant(database, mark="m1", **changes):
    row = await claimed(database, mark)
    until = {
        "id": f"sub_{mark}",
        "active_until": NOW + DAY,
        "address": "there",
        "due_at": NOW + DAY,
    }
    assert await database.write(subscriptions.settle, row, **{**until, **changes})


async def test_what_is_wanted_is_due_once_and_stays_when_it_is_wanted_again(database):
    await follow(database, want())
    await grant(database)
    await follow(database, want())
    row = (await rows(database))["m1"]
    assert (row.id, row.due_at, row.active(NOW)) == ("sub_m1", NOW + DAY, True)
    assert not row.active(NOW + DAY)


async def test_of_two_doorbells_one_asks(database):
    await follow(database, want())
    first, second = await claimed(database), await claimed(database)
    assert (first is None, second) == (False, None)
    assert (await claimed(database, at=LATER)).fence == first.fence + 1
    assert not await database.write(subscriptions.settle, first, id="sub_late")
    assert (await rows(database))["m1"].id is None


async def test_what_is_not_due_is_not_taken(database):
    await follow(database, want())
    await grant(database)
    assert await claimed(database) is None
    assert await claimed(database, at=NOW + DAY) is not None


async def test_what_nobody_wants_is_due_to_be_ended_but_for_what_is_left_alone(database):
    await follow(database, want("m1"), want("m2", "cases"))
    await grant(database, "m1")
    await follow(database, leave=["cases"], at=LATER)
    found = await rows(database)
    assert [found[mark].wanted for mark in ("m1", "m2")] == [False, True]
    assert found["m1"].due_at == LATER
    await follow(database, leave=None)
    assert (await rows(database))["m2"].wanted
    await follow(database, want("m1"))
    assert (await rows(database))["m1"].wanted


async def test_what_is_no_longer_wanted_while_it_is_asked_for_is_still_ended(database):
    await follow(database, want())
    asking = await claimed(database)
    await follow(database)
    assert not await database.write(subscriptions.settle, asking, due_at=NOW + DAY)
    leaving = await claimed(database)
    assert not leaving.wanted
    assert await database.write(subscriptions.forget, leaving)
    assert await rows(database) == {}


@pytest.mark.parametrize("changed", [{"secret": "s2"}, {"address": "elsewhere"}])
async def test_another_secret_or_address_is_told_to_the_server_at_once(database, changed):
    await follow(database, want())
    await grant(database)
    await follow(database, want(**changed), at=LATER)
    row = (await rows(database))["m1"]
    assert (row.due_at, row.id) == (LATER, "sub_m1")


async def test_what_failed_is_tried_again_with_another_configuration_and_not_taken_from_whoever_has_it(
    database,
):
    await follow(database, want())
    row = await claimed(database)
    await database.write(subscriptions.settle, row, troubles=9, due_at=NOW + DAY)
    await follow(database, want(), at=LATER)
    assert ((await rows(database))["m1"].due_at, (await rows(database))["m1"].troubles) == (
        LATER,
        0,
    )
    taken = await claimed(database, at=LATER)
    await follow(database, want(), at=LATER)
    assert await database.write(subscriptions.settle, taken, id="sub_1")


async def test_a_servers_word_counts_before_the_answer_that_it_overtook(database):
    await follow(database, want())
    asking = await claimed(database)
    assert await database.write(subscriptions.ended, "m1", "bye", NOW, lambda _troubles: NOW)
    assert not await database.write(subscriptions.settle, asking, id="sub_1", due_at=NOW + DAY)
    row = await claimed(database)
    assert (row.troubles, row.reason, row.error) == (1, "terminated", "bye")
    assert await database.write(subscriptions.skipped, "m1", "c9", NOW)
    again = (await rows(database))["m1"]
    assert (again.cursor, again.gaps, again.gap_at) == ("c9", 1, NOW)
    assert await database.write(subscriptions.skipped, "m1", None, LATER)
    assert (await rows(database))["m1"].cursor == "c9"


async def test_a_word_about_what_we_do_not_have_changes_nothing(database):
    assert not await database.write(subscriptions.ended, "m9", "bye", NOW, lambda _troubles: NOW)
    assert not await database.write(subscriptions.skipped, "m9", "c", NOW)
    assert await rows(database) == {}


async def test_what_a_dead_process_had_is_free_again(database):
    await follow(database, want())
    dead = await claimed(database)
    await database.write(subscriptions.free)
    alive = await claimed(database)
    assert alive.fence == dead.fence + 1
