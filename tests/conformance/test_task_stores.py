"""What every task store keeps: once opened is once asked, a callback meets its task, an end stays."""

import asyncio
from datetime import timedelta

import pytest

from mcp_servers.tasks.states import (
    Answers,
    Asks,
    Cancelled,
    Completed,
    Failed,
    KeyReused,
    Status,
    Working,
)
from mcp_servers.tasks.store import LEASE, KeyTaken, OtherArguments, Reception, token_key
from mcp_servers.tasks.wire import said
from tests.support.tasks_stores import START, STORES, callback, draft

SOON = START + timedelta(minutes=1)
LATER = START + LEASE
DAY = timedelta(days=1)


@pytest.fixture(params=STORES.values(), ids=STORES.keys())
def store(request, tmp_path, postgres):
    with request.param(tmp_path, postgres) as opened:
        yield opened


async def one(store, id_="id-1"):
    return (await store.get([id_])).get(id_)


async def test_a_task_is_there_as_soon_as_it_is_opened(store):
    opened = await store.open(draft(), START)

    assert (opened.mine, opened.again) == (True, False)
    assert await one(store) == opened.task
    assert (opened.task.status, opened.task.version) == (Status.WORKING, 1)


async def test_the_same_key_is_the_same_task_and_asks_once(store):
    first = await store.open(draft(1, key="k"), START)
    while_asked = await store.open(draft(2, key="k"), SOON)
    await store.name("id-1", ["refund:1"], None, SOON)
    named = await store.open(draft(3, key="k"), LATER + DAY)

    assert while_asked.task.id == named.task.id == first.task.id
    assert (while_asked.mine, named.mine) == (False, False)


async def test_who_died_while_asking_is_followed_by_the_next_with_the_same_token(store):
    await store.open(draft(1, key="k"), START)
    after_death = await store.open(draft(2, key="k"), LATER)
    beside_it = await store.open(draft(3, key="k"), LATER)

    assert (after_death.mine, after_death.again) == (True, True)
    assert after_death.task.token == "token-1"
    assert beside_it.mine is False


async def test_the_same_key_with_other_arguments_is_refused(store):
    await store.open(draft(1, key="k"), START)

    with pytest.raises(OtherArguments, match="use a new key"):
        await store.open(draft(2, key="k", digest="other"), START)


@pytest.mark.parametrize("other", [{"principal": "bob"}, {"tool": "pay"}, {"key": "k2"}])
async def test_a_key_is_one_principals_and_one_tools(store, other):
    await store.open(draft(1, key="k"), START)

    assert (await store.open(draft(2, **({"key": "k"} | other)), START)).mine


async def test_of_many_at_once_with_one_key_exactly_one_asks(store):
    opened = await asyncio.gather(
        *(store.open(draft(number, key="k"), START) for number in range(20))
    )

    assert sum(one.mine for one in opened) == 1
    assert len({one.task.id for one in opened}) == 1


async def test_a_callback_ends_the_task_that_waits_for_its_key(store):
    await store.open(draft(), START)
    await store.name("id-1", ["refund:1", "charge:1"], Working(message="asked"), START)

    received = await store.receive(callback("c1", "charge:1"), SOON)

    assert (received.reception, received.tasks) == (Reception.APPLIED, ["id-1"])
    assert (await one(store)).result == said("done").result


async def test_a_callback_finds_a_task_by_its_token_before_anything_else_is_known(store):
    await store.open(draft(), START)

    received = await store.receive(callback("c1", token_key("token-1")), SOON)

    assert received.reception is Reception.APPLIED


async def test_early_callbacks_wait_for_their_task_and_are_applied_in_order(store):
    early = [
        await store.receive(callback("c1", "refund:1", told=Working(message="under way")), START),
        await store.receive(callback("c2", "refund:1", told=said("done")), START),
        await store.receive(callback("c3", "refund:1", told=said("other")), START),
    ]
    await store.open(draft(), SOON)

    named = await store.name("id-1", ["refund:1"], Working(message="asked"), SOON)

    assert {one.reception for one in early} == {Reception.EARLY}
    assert named == await one(store)
    assert (named.result, named.version) == (said("done").result, 4)


async def test_a_repeated_callback_changes_nothing_early_or_not(store):
    await store.receive(callback("c1", told=Working(message="first")), START)
    again = await store.receive(callback("c1", told=said("lie")), START)
    await store.open(draft(), START)
    await store.name("id-1", ["refund:1"], None, START)
    late = await store.receive(callback("c1", told=said("lie")), START)

    assert again.reception is late.reception is Reception.DUPLICATE
    assert (await one(store)).message == "first"


@pytest.mark.parametrize(
    "end", [said("paid"), said("no", is_error=True), Failed(code=-1, message="x"), Cancelled()]
)
async def test_what_has_ended_never_changes(store, end):
    await store.open(draft(), START)
    await store.name("id-1", ["refund:1"], None, START)
    ended = await store.move("id-1", end, START)
    changes = [Working(message="no"), Completed(result={}), Cancelled(), Asks(requests={"a": {}})]

    assert [await store.move("id-1", change, SOON) for change in changes] == [None] * 4
    assert (await store.receive(callback(), SOON)).reception is Reception.LATE
    assert await one(store) == ended


async def test_of_many_contradicting_callbacks_at_once_one_wins(store):
    await store.open(draft(), START)
    await store.name("id-1", ["refund:1"], None, START)

    received = await asyncio.gather(
        *(store.receive(callback(f"c{n}", told=said(str(n))), SOON) for n in range(20))
    )

    assert sorted(one.reception for one in received) == ["applied"] + ["late"] * 19
    assert (await one(store)).version == 2


async def test_a_callback_and_the_name_it_waits_for_never_pass_each_other(store):
    for number in range(30):
        await store.open(draft(number), START)
        key = f"refund:{number}"
        await asyncio.gather(
            store.name(f"id-{number}", [key, f"x:{number}"], None, START),
            store.receive(callback(f"c{number}", f"x:{number}", key), START),
        )

    assert all(
        task.status is Status.COMPLETED
        for task in (await store.get(f"id-{number}" for number in range(30))).values()
    )


async def test_a_correlation_key_belongs_to_one_task(store):
    await store.open(draft(1), START)
    await store.open(draft(2), START)
    await store.name("id-1", ["refund:1"], None, START)
    await store.name("id-1", ["refund:1"], None, START)

    with pytest.raises(KeyTaken, match="belongs to another"):
        await store.name("id-2", ["refund:2", "refund:1"], None, START)

    assert (await store.receive(callback("c1", "refund:2"), START)).reception is Reception.EARLY


async def test_a_task_tells_its_keys(store):
    await store.open(draft(1), START)
    await store.name("id-1", ["b:1", "a:1"], None, START)

    assert list(await store.keys("id-1")) == ["a:1", "b:1", "task:token-1"]
    assert list(await store.keys("id-2")) == []


async def test_one_event_may_end_two_tasks(store):
    for number in (1, 2):
        await store.open(draft(number), START)
        await store.name(f"id-{number}", [f"refund:{number}"], None, START)

    received = await store.receive(callback("c1", "refund:2", "refund:1"), SOON)

    assert received.tasks == ["id-1", "id-2"]


async def test_questions_are_asked_and_answered_one_by_one_and_kept(store):
    await store.open(draft(), START)
    asked = await store.move("id-1", Asks(requests={"a": {"x": 1}, "b": {}}), START)
    half = await store.move("id-1", Answers(responses={"a": 1, "unknown": 2}), SOON)
    nobodys = await store.move("id-1", Answers(responses={"a": 3}), SOON)
    whole = await store.move("id-1", Answers(responses={"b": None, "a": 4}), SOON)

    assert (asked.status, half.status) == (Status.INPUT_REQUIRED, Status.INPUT_REQUIRED)
    assert half.requests == {"b": {}}
    assert nobodys is None
    assert (whole.status, whole.responses) == (Status.WORKING, {"a": 1, "b": None})
    assert await one(store) == whole


async def test_a_question_never_comes_under_a_used_key(store):
    await store.open(draft(), START)
    await store.move("id-1", Asks(requests={"a": {}}), START)

    with pytest.raises(KeyReused, match="one question"):
        await store.move("id-1", Asks(requests={"a": {}}), START)
    await store.move("id-1", Answers(responses={"a": 1}), START)
    with pytest.raises(KeyReused):
        await store.move("id-1", Asks(requests={"a": {}}), START)


async def test_a_call_that_was_never_made_is_forgotten_with_its_key(store):
    await store.open(draft(1, key="k"), START)
    await store.forget("id-1")
    await store.forget("id-1")

    assert await one(store) is None
    assert (await store.open(draft(2, key="k"), START)).again is False


async def test_what_is_named_or_ended_is_not_forgotten(store):
    await store.open(draft(1), START)
    await store.name("id-1", [], None, START)
    await store.open(draft(2), START)
    await store.move("id-2", said("done"), START)
    await store.forget("id-1")
    await store.forget("id-2")

    assert len(await store.get(["id-1", "id-2"])) == 2


async def test_the_unfinished_are_found_oldest_first(store):
    for number, at in ((1, SOON), (2, START), (3, START)):
        await store.open(draft(number), at)
    await store.move("id-3", Cancelled(), START)

    assert [task.id for task in await store.unfinished()] == ["id-2", "id-1"]


async def test_nothing_goes_before_its_time_is_over_and_all_after(store):
    await store.open(draft(1, key="k"), START)
    await store.name("id-1", ["refund:1"], said("done"), START)
    await store.open(draft(2, ttl=None), START)
    await store.open(draft(3, ttl=timedelta(days=9)), START)
    await store.move("id-3", Cancelled(), START)
    await store.receive(callback("c1", "nobody:1"), START)

    kept = await store.prune(START + timedelta(hours=1), DAY)
    gone = await store.prune(START + timedelta(hours=1) + DAY, DAY)

    assert (kept, gone) == (0, 2)
    assert set(await store.get(["id-1", "id-2", "id-3"])) == {"id-2", "id-3"}
    assert (await store.receive(callback(), START)).reception is Reception.EARLY
    assert (await store.open(draft(4, key="k"), START)).again is False


async def test_a_change_of_nobodys_task_is_nothing(store):
    assert await store.move("id-9", Cancelled(), START) is None
    with pytest.raises(LookupError, match="id-9"):
        await store.name("id-9", [], None, START)
