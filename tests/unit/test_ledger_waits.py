"""A5: a wait ends once, however many ways it could."""

import asyncio

import pytest

from orchestrator.database import DatabaseError
from orchestrator.ledger import waits
from tests.support.builders import AT, KEY, RUN, ledger_at, wait


@pytest.fixture
def ledger(tmp_path):
    with ledger_at(tmp_path) as database:
        yield database


async def begin(ledger, wait_id="wait_1", **changes):
    return await ledger.write(waits.begin, wait(wait_id, **changes))


async def end(ledger, state, event_id=None, wait_id="wait_1"):
    return await ledger.write(waits.end, wait_id, state, event_id)


async def names(ledger, question, *given):
    return [found.wait_id for found in await ledger.read(question, *given)]


async def test_a_wait_comes_back_as_it_was(ledger):
    assert await begin(ledger) == wait()
    assert await ledger.read(waits.one, "wait_1") == wait()


async def test_a_wait_that_is_registered_again_is_the_first_one(ledger):
    await begin(ledger)

    assert (await begin(ledger, deadline_at=AT + 9, key="issue:other")) == wait()


async def test_a_wait_that_is_registered_again_after_its_end_stays_ended(ledger):
    await begin(ledger)
    await end(ledger, "expired")

    assert (await begin(ledger)).state == "expired"
    assert await names(ledger, waits.unlooked) == []


async def test_a5_the_first_end_counts_and_its_repeats_say_so(ledger):
    await begin(ledger)

    assert await end(ledger, "resolved", "evt_2")
    assert await end(ledger, "resolved", "evt_2")
    assert not await end(ledger, "resolved", "evt_3")
    assert not await end(ledger, "expired")
    found = await ledger.read(waits.one, "wait_1")
    assert (found.state, found.event_id) == ("resolved", "evt_2")


async def test_a5_of_many_ends_at_once_one_counts(ledger):
    await begin(ledger)
    ways = [("expired", None), *(("resolved", f"evt_{n}") for n in range(20))]

    ended = await asyncio.gather(*(end(ledger, *way) for way in ways))
    assert ended.count(True) == 1


async def test_only_open_waits_for_one_of_the_keys_want_an_event(ledger):
    await begin(ledger, "late", opened_at=AT + 5)
    await begin(ledger, "other", key="deployment:1")
    await begin(ledger, "early")
    await begin(ledger, "ended")
    await end(ledger, "expired", wait_id="ended")

    assert await names(ledger, waits.wanting, [KEY, "x:1"]) == ["early", "late"]
    assert await names(ledger, waits.wanting, []) == []


async def test_a_wait_is_looked_for_until_somebody_looked(ledger):
    await begin(ledger, "one")
    await begin(ledger, "two")
    assert sorted(await names(ledger, waits.unlooked)) == ["one", "two"]

    await ledger.write(waits.looked, ["one"])
    assert await names(ledger, waits.unlooked) == ["two"]
    await end(ledger, "interrupted", wait_id="two")
    assert await names(ledger, waits.unlooked) == []


async def test_the_waits_of_a_conversation_are_in_order(ledger):
    await begin(ledger, "second", opened_at=AT + 1)
    await begin(ledger, "first")
    await begin(ledger, "foreign", run_id="other.1")

    assert await names(ledger, waits.of_run, RUN) == ["first", "second"]


async def test_a_wait_that_is_not_there_is_not_found(ledger):
    with pytest.raises(DatabaseError, match="No row was found"):
        await ledger.read(waits.one, "wait_9")


async def test_a5_a_prepared_wait_wants_nothing_until_its_key_is_known(ledger):
    await begin(ledger, state="prepared", key="")
    assert await names(ledger, waits.wanting, ["", KEY]) == []
    for _ in range(2):
        opened = await ledger.write(waits.open_, "wait_1", KEY, AT + 5, AT + 65)
        assert (opened.state, opened.key, opened.deadline_at) == ("open", KEY, AT + 65)
    assert await names(ledger, waits.wanting, [KEY]) == ["wait_1"]


async def test_a5_a_wait_that_ended_before_its_key_was_known_is_not_opened(ledger):
    await begin(ledger, state="prepared", key="")
    await ledger.write(waits.close, RUN, AT + 1)
    assert (await ledger.write(waits.open_, "wait_1", KEY, AT, AT)).state == "closed"


async def test_a5_a_wait_whose_call_has_an_answer_still_wants_its_event(ledger):
    await begin(ledger)
    assert await ledger.write(waits.leave_open, "wait_1")
    assert not await ledger.write(waits.leave_open, "wait_1")
    assert await names(ledger, waits.wanting, [KEY]) == ["wait_1"]
    assert await names(ledger, waits.unlooked) == ["wait_1"]
    assert await end(ledger, "resolved", "evt_1")


async def test_a_wait_is_settled_by_one_word_only(ledger):
    await begin(ledger)
    assert await ledger.write(waits.settle, "wait_1", "resolved", "evt_1", AT)
    assert not await ledger.write(waits.settle, "wait_1", "resolved", "evt_1", AT)


async def test_a5_who_waited_for_what_is_known_for_a_while_after_the_end(ledger):
    await begin(ledger, "open", opened_at=AT + 1)
    await begin(ledger, "ended", opened_at=AT)
    await ledger.write(waits.settle, "ended", "expired", None, AT)
    late = AT + waits.REMEMBERED
    assert await names(ledger, waits.known, [KEY], late - 1) == ["ended", "open"]
    assert await names(ledger, waits.known, [KEY], late) == ["open"]
    assert await names(ledger, waits.known, ["another"], AT) == []


async def test_a5_of_many_beyond_their_turn_those_whose_time_is_up_come_page_by_page(ledger):
    for number in range(5):
        await begin(ledger, f"wait_{number}", state="left")
    await begin(ledger, "young", state="left", deadline_at=AT + 9_000)
    await begin(ledger, "open")
    await ledger.write(waits.looked, ["wait_1", "wait_4"])

    before, limit = AT + 8_000, 2
    first = await names(ledger, waits.left_over, before, "", limit)
    second = await names(ledger, waits.left_over, before, "wait_1", limit)
    assert (first, second) == (["wait_0", "wait_1"], ["wait_2", "wait_3"])
    assert await names(ledger, waits.left_over, before, "wait_3", limit) == ["wait_4"]
