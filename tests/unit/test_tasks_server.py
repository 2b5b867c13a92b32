"""A call that is answered later, from the tool call to the webhook, over real HTTP with the server's real parts."""

from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest
from mcp import MCPError
from mcp.types import CallToolResult, Request

from tests.support.tasks_client import (
    Taking,
    Task,
    TaskParams,
    call,
    cancel,
    ended,
    get,
    over_http,
    words,
)
from tests.support.tasks_shop import gathered, ring, shop
from tests.support.tasks_template import template

ORDER = {"text": "hello", "copies": 2}


@asynccontextmanager
async def house(tmp_path, **changes):
    """The shop, the server and a client that takes tasks."""
    async with (
        shop() as (peer, shop_url),
        template(tmp_path, shop_url, **changes) as served,
        over_http(served.url, Taking()) as client,
    ):
        yield peer, served, client


async def test_h4_a_webhook_completes_the_task_that_a_call_became(tmp_path):
    async with house(tmp_path) as (peer, served, client):
        handle = await call(client, "order_print", **ORDER)
        before = await get(client, handle.task_id)
        status, told = await ring(served.url, "order.shipped", peer.made[0])
        after = await get(client, handle.task_id)

    assert (handle.result_type, handle.status) == ("task", "working")
    assert (before.status, before.status_message) == ("working", "order o1 is placed")
    assert (status, told) == (200, {"reception": "applied"})
    assert (after.status, words(after)) == ("completed", "order o1 has left the shop")
    assert after.result["resultType"] == "complete"
    assert after.created_at == handle.created_at
    assert after.last_updated_at >= before.last_updated_at


async def test_h4_a_failure_of_the_vendor_is_a_result_of_the_tool(tmp_path):
    async with house(tmp_path) as (peer, served, client):
        handle = await call(client, "order_print", **ORDER)
        await ring(served.url, "order.failed", peer.made[0] | {"reason": "no ink"})
        task = await get(client, handle.task_id)

    assert (task.status, task.result["isError"]) == ("completed", True)
    assert words(task) == "order o1 failed: no ink"


async def test_h4_a_webhook_that_comes_before_the_answer_is_found(tmp_path):
    async with house(tmp_path) as (peer, served, client):
        early = []

        async def at_once(order):
            early.append(await ring(served.url, "order.shipped", {"id": order["id"]}))

        peer.before_answer = at_once
        handle = await call(client, "order_print", **ORDER)
        task = await get(client, handle.task_id)

    assert early == [(200, {"reception": "early"})]
    assert words(task) == "order o1 has left the shop"


async def test_h4_duplicate_contradicting_and_late_webhooks_change_nothing(tmp_path):
    async with house(tmp_path) as (peer, served, client):
        handle = await call(client, "order_print", **ORDER)
        order = peer.made[0]
        received = [
            await ring(served.url, "order.printing", order, "evt_1"),
            await ring(served.url, "order.shipped", order, "evt_2"),
            await ring(served.url, "order.shipped", order, "evt_2"),
            await ring(served.url, "order.shipped", order, "evt_2", decision="redelivered"),
            await ring(served.url, "order.failed", order | {"reason": "lie"}, "evt_3"),
            await ring(served.url, "order.printing", order, "evt_4"),
            await ring(served.url, "order.noticed", order, "evt_5"),
        ]
        task = await get(client, handle.task_id)

    assert [told["reception"] for _, told in received] == [
        *("applied", "applied", "duplicate", "duplicate", "late", "late", "ignored")
    ]
    assert {status for status, _ in received} == {200}
    assert words(task) == "order o1 has left the shop"


async def test_h4_of_contradicting_webhooks_at_once_one_wins(tmp_path):
    async with house(tmp_path) as (peer, served, client):
        handle = await call(client, "order_print", **ORDER)
        order = peer.made[0] | {"reason": "no ink"}
        kinds = ["order.shipped", "order.failed"] * 5
        received = await gathered(
            *(ring(served.url, kind, order, f"evt_{n}") for n, kind in enumerate(kinds))
        )
        task = await get(client, handle.task_id)

    told = [one["reception"] for _, one in received]
    assert sorted(told) == ["applied"] + ["late"] * 9
    assert task.result["isError"] is (kinds[told.index("applied")] == "order.failed")


async def test_a2_the_same_idempotency_key_orders_once_and_is_one_task(tmp_path):
    async with house(tmp_path) as (peer, _, client):
        first, again = [await call(client, "order_print", "run/1", **ORDER) for _ in range(2)]
        other = await call(client, "order_print", "run/2", **ORDER)
        mistaken = await call(client, "order_print", "run/1", text="other")

    assert first.task_id == again.task_id != other.task_id
    assert len(peer.made) == 2
    assert "use a new key" in mistaken.content[0].text


async def test_a2_an_answer_that_was_lost_is_told_by_the_webhook(tmp_path):
    async with house(tmp_path) as (peer, served, client):
        peer.answers = [500]
        handle = await call(client, "order_print", **ORDER)
        waiting = await get(client, handle.task_id)
        await ring(served.url, "order.shipped", peer.made[0])
        task = await ended(client, handle.task_id)

    assert "whether it happened is unknown" in waiting.status_message
    assert words(task) == "order o1 has left the shop"


async def test_what_the_vendor_refuses_is_no_task_and_may_be_asked_again(tmp_path):
    async with house(tmp_path) as (peer, served, client):
        peer.answers = [422]
        refused = await call(client, "order_print", "k", **ORDER)
        handle = await call(client, "order_print", "k", **ORDER)
        left = await served.desk.store.unfinished()

    assert isinstance(refused, CallToolResult)
    assert refused.is_error
    assert "answered 422 (no paper): nothing was changed" in refused.content[0].text
    assert [task.id for task in left] == [handle.task_id]


async def test_a_client_that_takes_no_tasks_is_answered_at_once(tmp_path):
    async with house(tmp_path) as (peer, served, _), over_http(served.url) as plain:
        result = await plain.call_tool("order_print", ORDER)
        read = await plain.call_tool("get_order", {"order": peer.made[0]["id"]})
        left = await served.desk.store.unfinished()

    assert result.content[0].text == "order o1 is placed; get_order says how it goes"
    assert read.content[0].text == "order o1: placed"
    assert left == []


async def test_a_wrong_argument_makes_neither_a_task_nor_a_call(tmp_path):
    async with house(tmp_path) as (peer, served, client):
        result = await call(client, "order_print", text="", copies=0)
        left = await served.desk.store.unfinished()

    assert result.is_error
    assert (peer.asked, left) == ([], [])


async def test_h4_a_cancelled_task_stays_cancelled_and_its_late_result_is_kept_apart(tmp_path):
    async with house(tmp_path) as (peer, served, client):
        handle = await call(client, "order_print", **ORDER)
        acknowledged = await cancel(client, handle.task_id)
        again = await cancel(client, handle.task_id)
        _, late = await ring(served.url, "order.shipped", peer.made[0])
        task = await get(client, handle.task_id)

    assert acknowledged.result_type == again.result_type == "complete"
    assert late == {"reception": "late"}
    assert (task.status, task.result) == ("cancelled", None)


async def test_an_unknown_task_is_an_invalid_parameter(tmp_path):
    async with house(tmp_path) as (_, _, client):
        with pytest.raises(MCPError) as got:
            await get(client, "no-such-task")
        with pytest.raises(MCPError) as cancelled:
            await cancel(client, "no-such-task")

    assert (got.value.code, cancelled.value.code) == (-32602, -32602)


async def test_whoever_declares_no_tasks_may_not_read_them(tmp_path):
    async with house(tmp_path) as (_, served, client), over_http(served.url) as plain:
        handle = await call(client, "order_print", **ORDER)
        with pytest.raises(MCPError) as refused:
            await get(plain, handle.task_id)

    assert refused.value.code == -32021
    assert "io.modelcontextprotocol/tasks" in str(refused.value.data)


async def test_a_header_that_names_another_task_is_refused(tmp_path):
    class Params(TaskParams):
        other: str

    class Misnamed(Request[Params, Literal["tasks/get"]]):
        name_param = "other"
        method: Literal["tasks/get"] = "tasks/get"
        params: Params

    async with house(tmp_path) as (_, _, client):
        handle = await call(client, "order_print", **ORDER)
        asked = Misnamed(params=Params(task_id=handle.task_id, other="another"))
        with pytest.raises(MCPError) as refused:
            await client.session.send_request(asked, CallToolResult)

    assert refused.value.code == -32020


async def test_a_task_is_told_to_a_client_that_names_it_in_no_header(tmp_path):
    """FastMCP's client of tasks sends none."""

    class Bare(Request[TaskParams, Literal["tasks/get"]]):
        method: Literal["tasks/get"] = "tasks/get"
        params: TaskParams

    async with house(tmp_path) as (_, _served, client):
        handle = await call(client, "order_print", **ORDER)
        bare = Bare(params=TaskParams(task_id=handle.task_id))
        task = await client.session.send_request(bare, Task)

    assert task.status == "working"


async def test_a5_a_task_whose_time_is_over_has_failed_and_stays_so(tmp_path):
    now = [datetime(2026, 11, 21, 12, tzinfo=UTC)]
    changes = {"clock": lambda: now[0], "ttl": timedelta(hours=1)}
    async with house(tmp_path, **changes) as (peer, served, client):
        handle = await call(client, "order_print", **ORDER)
        now[0] += timedelta(minutes=59)
        in_time = await get(client, handle.task_id)
        now[0] += timedelta(minutes=1)
        over = await get(client, handle.task_id)
        _, late = await ring(served.url, "order.shipped", peer.made[0], now=now[0])
        after = await get(client, handle.task_id)

    assert (handle.ttl_ms, in_time.status) == (3_600_000, "working")
    assert (over.status, over.error["code"]) == ("failed", -32603)
    assert "no answer came within 1:00:00" in over.status_message
    assert (late, after) == ({"reception": "late"}, over)
