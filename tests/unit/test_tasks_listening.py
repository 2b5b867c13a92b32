"""Whoever listens hears of its own tasks, whichever replica changed them, and of nobody else's."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from mcp import MCPError
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from mcp.server.subscriptions import InMemorySubscriptionBus
from mcp.types import (
    SubscriptionFilter,
    SubscriptionsListenRequest,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
)

from mcp_servers.tasks.desk import Asked, Desk
from mcp_servers.tasks.extension import TasksExtension
from mcp_servers.tasks.listening import Listening
from mcp_servers.tasks.memory import MemoryStore
from mcp_servers.tasks.states import Cancelled, Working
from mcp_servers.tasks.wire import said
from tests.support.asgi import serving
from tests.support.tasks_client import Taking, call, cancel, get, over_http, update
from tests.support.tasks_shop import ring, shop
from tests.support.tasks_template import template


def listening(client, *ids, **kinds):
    """Listen in the background; the task ends with the stream."""
    wanted = SubscriptionFilter.model_validate({"taskIds": list(ids), **kinds})
    params = SubscriptionsListenRequestParams(notifications=wanted)
    request = SubscriptionsListenRequest(params=params)
    return asyncio.create_task(client.session.send_request(request, SubscriptionsListenResult))


async def heard(taking, status):
    """The next notification with that status."""
    async with asyncio.timeout(10):
        while True:
            note = await taking.notes.get()
            if note.status == status:
                return note


async def test_h4_a_listener_hears_what_either_replica_learns_and_the_stream_ends(tmp_path):
    taking = Taking()
    async with (
        shop() as (peer, shop_url),
        template(tmp_path, shop_url) as one,
        template(tmp_path, shop_url) as other,
        over_http(one.url, taking) as client,
    ):
        handle = await call(client, "order_print", text="x")
        stream = listening(client, handle.task_id, "nobody's")
        working = await heard(taking, "working")
        await ring(other.url, "order.shipped", peer.made[0])
        note = await heard(taking, "completed")
        await asyncio.wait_for(stream, 10)

    assert working.task_id == note.task_id == handle.task_id
    assert note.model_extra["result"]["content"][0]["text"] == "order o1 has left the shop"


async def test_whoever_declares_no_tasks_may_not_listen_to_them(tmp_path):
    async with (
        shop() as (_, shop_url),
        template(tmp_path, shop_url) as served,
        over_http(served.url) as plain,
    ):
        with pytest.raises(MCPError) as refused:
            await listening(plain, "any")

    assert refused.value.code == -32021


@pytest.mark.parametrize("ids", ["text", [1], ["x"] * 1001])
async def test_a_list_that_is_none_is_refused(tmp_path, ids):
    async with (
        shop() as (_, shop_url),
        template(tmp_path, shop_url) as served,
        over_http(served.url, Taking()) as client,
    ):
        with pytest.raises(MCPError) as refused:
            await listening(client, taskIds=ids)

    assert refused.value.code == -32602


class Tokens:
    async def verify_token(self, token):
        return AccessToken(token=token, client_id=token, scopes=[], resource=None)


@asynccontextmanager
async def guarded():
    """A server that tells its callers apart, and its desk."""
    desk, bus = Desk(store=MemoryStore()), InMemorySubscriptionBus()
    auth = AuthSettings(issuer_url="http://127.0.0.1:1", resource_server_url=None)
    server = MCPServer(
        "guarded",
        log_level="WARNING",
        token_verifier=Tokens(),
        auth=auth,
        extensions=[TasksExtension(desk)],
        middleware=[Listening(desk=desk, bus=bus)],
        subscriptions=bus,
    )

    @server.tool(structured_output=False)
    async def wait(what: str) -> str:
        async def ask(_opening):
            return Asked(keys=[], answer="", message=what)

        return await desk.call(ask)

    async with serving(server.streamable_http_app()) as url:
        yield url, desk


async def test_a_task_is_its_own_principals_whatever_the_other_asks(monkeypatch):
    async with (
        guarded() as (url, desk),
        over_http(url, Taking(), token="alice") as alice,
        over_http(url, bobs := Taking(), token="bob") as bob,
    ):
        mine = await call(alice, "wait", "same-key", what="a")
        theirs = await call(bob, "wait", "same-key", what="a")
        codes = []
        for asked in (get(bob, mine.task_id), cancel(bob, mine.task_id), update(bob, mine.task_id)):
            with pytest.raises(MCPError) as refused:
                await asked
            codes.append(refused.value.code)
        stream = listening(bob, mine.task_id, theirs.task_id)
        await desk.move(mine.task_id, Working(message="secret"))
        await desk.move(mine.task_id, said("secret"))
        await desk.move(theirs.task_id, Cancelled())
        await asyncio.wait_for(stream, 10)
        await heard(bobs, "cancelled")
        kept = await get(alice, mine.task_id)

    assert mine.task_id != theirs.task_id
    assert codes == [-32602] * 3
    assert bobs.notes.empty()
    assert kept.status == "completed"
