"""The task server as real processes: over stdio, killed between the call and the webhook, and two of a kind."""

from contextlib import AsyncExitStack

from tests.support.ports import free_port
from tests.support.tasks_client import Taking, call, cancel, ended, get, over_http, words
from tests.support.tasks_shop import ring, shop
from tests.support.tasks_template import (
    answers,
    over_stdio,
    process,
    round_robin,
    settings,
    template,
)

ORDER = {"text": "hello"}


async def test_h4_over_stdio_with_the_mailroom_beside_it(tmp_path):
    port = free_port()
    async with shop() as (peer, shop_url):
        env = settings(tmp_path, shop_url)
        async with over_stdio(env, Taking(), flags=["--callbacks", str(port)]) as client:
            await answers(port)
            handle = await call(client, "order_print", **ORDER)
            received = await ring(f"http://127.0.0.1:{port}", "order.shipped", peer.made[0])
            task = await get(client, handle.task_id)

    assert received == (200, {"reception": "applied"})
    assert words(task) == "order o1 has left the shop"


async def test_h4_a_server_killed_between_the_call_and_the_webhook_loses_nothing(tmp_path):
    port = free_port()
    async with shop() as (peer, shop_url):
        env = settings(tmp_path, shop_url)
        async with process(env, port) as (child, url), over_http(url, Taking()) as client:
            handle = await call(client, "order_print", "run/1", **ORDER)
            child.kill()
            await child.wait()
        async with process(env, port) as (_, url), over_http(url, Taking()) as client:
            again = await call(client, "order_print", "run/1", **ORDER)
            received = await ring(url, "order.shipped", peer.made[0])
            task = await ended(client, handle.task_id)

    assert again.task_id == handle.task_id
    assert (len(peer.asked), received) == (1, (200, {"reception": "applied"}))
    assert words(task) == "order o1 has left the shop"


async def test_h4_two_replicas_behind_a_round_robin_serve_the_same_task(tmp_path):
    async with AsyncExitStack() as stack:
        peer, shop_url = await stack.enter_async_context(shop())
        replicas = [await stack.enter_async_context(template(tmp_path, shop_url)) for _ in range(2)]
        urls = [replica.url for replica in replicas]
        balanced, sent = await stack.enter_async_context(round_robin(*urls))
        client = await stack.enter_async_context(over_http(balanced, Taking()))
        handles = [await call(client, "order_print", f"run/{n}", **ORDER) for n in range(4)]
        again = [await call(client, "order_print", f"run/{n}", **ORDER) for n in range(4)]
        for number, order in enumerate(peer.made):
            await ring(balanced, "order.shipped", order, f"evt_{number}")
            await ring(balanced, "order.shipped", order, f"evt_{number}")
        tasks = [await get(client, handle.task_id) for handle in handles for _ in range(2)]

    assert [one.task_id for one in again] == [one.task_id for one in handles]
    assert len(peer.made) == 4
    assert {task.status for task in tasks} == {"completed"}
    assert min(sent.count(url) for url in urls) >= len(sent) // 2 - 1


async def test_h4_what_one_replica_cancels_the_other_knows(tmp_path):
    async with (
        shop() as (_, shop_url),
        template(tmp_path, shop_url) as one,
        template(tmp_path, shop_url) as other,
        over_http(one.url, Taking()) as here,
        over_http(other.url, Taking()) as there,
    ):
        handle = await call(here, "order_print", **ORDER)
        await cancel(there, handle.task_id)

        assert (await get(here, handle.task_id)).status == "cancelled"
