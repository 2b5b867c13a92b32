"""The mailroom tells each sender what to do next, keeps what it acknowledges, and asks people in the middle."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from mcp_servers.tasks import mailroom as rooms
from mcp_servers.tasks.desk import Desk
from mcp_servers.tasks.memory import MemoryStore
from mcp_servers.tasks.serving import Unusable, desk_of, settings_of
from mcp_servers.tasks.states import Cancelled, Status
from tests.support.receiving import NEWER, WHSEC
from tests.support.tasks_shop import event, ring, shop
from tests.support.tasks_stores import START, draft
from tests.support.tasks_template import template

ORDER = {"id": "o1", "state": "shipped"}


@asynccontextmanager
async def house(tmp_path):
    async with shop() as (_, shop_url), template(tmp_path, shop_url) as served:
        yield served


async def post(url, body, headers):
    async with httpx2.AsyncClient(timeout=30) as http:
        return await http.post(f"{url}/callbacks", content=body, headers=headers)


async def test_d1_a_stranger_is_refused_and_nothing_is_kept(tmp_path):
    async with house(tmp_path) as served:
        body, headers = event("order.shipped", ORDER, secret=NEWER)
        answers = [
            await post(served.url, body, headers),
            await post(served.url, body, {}),
            await post(served.url, b"", {}),
        ]
        kept = await served.desk.store.prune(datetime.now(UTC), timedelta(days=-1))

    assert {answer.status_code for answer in answers} == {401}
    assert kept == 0


async def test_d5_an_old_one_is_told_to_be_sent_anew(tmp_path):
    async with house(tmp_path) as served:
        status, told = await ring(
            served.url, "order.shipped", ORDER, now=datetime.now(UTC) - timedelta(hours=1)
        )

    assert status == 401
    assert "send it anew" in told["error"]


@pytest.mark.parametrize("order", [None, [], {}, "text", 7])
async def test_d5_a_payload_of_another_shape_is_the_senders_mistake(tmp_path, order):
    async with house(tmp_path) as served:
        status, told = await ring(served.url, "order.shipped", order)

    assert status == 400
    assert "order.shipped" in told["error"]


async def test_d5_only_post_rings_and_only_so_much(tmp_path, monkeypatch):
    monkeypatch.setattr(rooms, "LARGEST", 1000)
    async with house(tmp_path) as served, httpx2.AsyncClient(timeout=30) as http:
        read = await http.get(f"{served.url}/callbacks")
        large = await post(served.url, b"x" * 1001, {})

    assert (read.status_code, large.status_code) == (405, 413)


async def test_d5_a_store_that_is_away_means_later_and_loses_nothing(tmp_path):
    async with shop() as (_, shop_url), template(tmp_path, shop_url) as served:
        file = tmp_path / "template.db"
        file.rename(tmp_path / "elsewhere")
        served.desk.store.engine.dispose()
        file.mkdir()
        body, headers = event("order.shipped", ORDER)
        away = await post(served.url, body, headers)
        served.desk.store.engine.dispose()
        file.rmdir()
        (tmp_path / "elsewhere").rename(file)
        back = await post(served.url, body, headers)

    assert (away.status_code, away.headers["retry-after"]) == (503, "5")
    assert (back.status_code, back.json()) == (200, {"reception": "early"})


async def test_a_door_without_secrets_is_not_there(tmp_path):
    room = rooms.Mailroom(desk=Desk(store=MemoryStore()), route=lambda _: None)

    assert room.routes(rooms.by_doorbell([])) == []


async def test_questions_are_put_once_and_their_answers_survive_who_asked():
    desk = Desk(store=MemoryStore())
    await desk.store.open(draft(ttl=None), START)
    asking = asyncio.create_task(desk.elicit("id-1", {"a": {"n": 1}}, "tell us"))
    task = await anext(aiter(_asked(desk)))
    asking.cancel()
    await desk.answer(task, {"a": "yes"})

    assert (task.status, task.message) == (Status.INPUT_REQUIRED, "tell us")
    assert await desk.elicit("id-1", {"a": {"n": 1}}) == {"a": "yes"}


async def test_who_waits_for_answers_hears_of_the_end():
    desk = Desk(store=MemoryStore())
    await desk.store.open(draft(ttl=None), START)
    asking = asyncio.create_task(desk.elicit("id-1", {"a": {}}))
    await anext(aiter(_asked(desk)))
    await desk.move("id-1", Cancelled())

    with pytest.raises(LookupError, match="ended before"):
        await asyncio.wait_for(asking, 5)


async def _asked(desk):
    async for task in desk.changes("id-1"):
        if task.requests:
            yield task


def test_settings_are_read_with_their_mistakes_named(tmp_path):
    home = {"XDG_STATE_HOME": str(tmp_path)}
    given = settings_of("shop", home | {"CALLBACK_SECRETS": f"{WHSEC}, {NEWER}"})

    assert given.callback_secrets == [WHSEC, NEWER]
    assert given.database == f"sqlite:///{tmp_path}/mcp_servers/shop.db"
    with pytest.raises(Unusable, match="number 2: expected a secret of the form whsec_BASE64"):
        settings_of("shop", home | {"CALLBACK_SECRETS": f"{WHSEC} oops"})


@pytest.mark.parametrize("url", ["nonsense", "mysql://u:secret@h/d", "sqlite:////dev/null/x"])
def test_a_database_that_cannot_be_used_is_named_without_its_password(url):
    with pytest.raises(Unusable, match="TASKS_DATABASE") as error:
        desk_of(settings_of("shop", {"TASKS_DATABASE": url, "CALLBACK_SECRETS": WHSEC}))

    assert "secret" not in str(error.value)
