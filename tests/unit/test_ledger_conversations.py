"""Conversations: begun once for a decision, numbered, and what has ended stays ended."""

import asyncio
from decimal import Decimal

import pytest

from orchestrator.ledger import conversations, turns, waits
from orchestrator.ledger.turns import Charge
from tests.support.builders import AT, KEY, RUN, WORKFLOW, ledger_at, opening, wait
from workflows.messages import Outcome, RunState


@pytest.fixture
def ledger(tmp_path):
    with ledger_at(tmp_path) as database:
        yield database


async def begin(ledger, decision="dec_1", at=AT, **changes):
    return await ledger.write(conversations.begin, opening(decision, **changes), at)


async def record(ledger, state, reason="", outcome=None, at=AT):
    await ledger.write(conversations.record, RUN, state, reason, outcome, at)


async def the(ledger, run_id=RUN):
    return await ledger.read(conversations.one, run_id)


async def test_a_conversation_begins_as_it_was_opened(ledger):
    begun = await begin(ledger)

    assert begun == await the(ledger)
    assert (begun.run_id, begun.number, begun.workflow_id) == (RUN, 1, WORKFLOW)
    assert (begun.state, begun.reason, begun.outcome) == (RunState.RUNNING, "choosing tools", None)
    assert (begun.opened_at, begun.ended_at, begun.scripted) == (AT, None, True)
    assert await ledger.read(conversations.heard, RUN) == ["evt_1"]


async def test_a_decision_begins_one_conversation_however_often_it_asks(ledger):
    first = await begin(ledger)

    assert await begin(ledger, at=AT + 9) == first
    assert await ledger.read(conversations.by_decision, "dec_1") == first
    assert len(await ledger.read(conversations.newest, 10)) == 1


async def test_the_conversations_of_a_run_are_numbered(ledger):
    begun = [await begin(ledger, f"dec_{n}") for n in range(1, 4)]
    other = await begin(ledger, "dec_9", workflow_id="digest~fedcba987654")

    assert [each.run_id for each in begun] == [f"0123456789ab.{n}" for n in range(1, 4)]
    assert (other.run_id, other.number) == ("fedcba987654.1", 1)


async def test_many_that_begin_at_once_get_numbers_of_their_own(ledger):
    asked = [begin(ledger, f"dec_{n % 10}") for n in range(30)]
    begun = await asyncio.gather(*asked)

    assert {each.number for each in begun} == set(range(1, 11))
    assert all(begun[n].run_id == begun[n + 10].run_id for n in range(20))


async def test_a8_where_a_conversation_is_can_be_read(ledger):
    await begin(ledger)
    await record(ledger, RunState.WAITING, "github/* for issue:7")

    found = await the(ledger)
    assert (found.state, found.reason) == (RunState.WAITING, "github/* for issue:7")
    assert (found.outcome, found.ended_at) == (None, None)


async def test_a8_an_ended_conversation_stays_ended(ledger):
    await begin(ledger)
    await record(ledger, RunState.ENDED, "", Outcome.NEEDS_ATTENTION, AT + 5)
    await record(ledger, RunState.RUNNING, "a late word", None, AT + 9)
    await record(ledger, RunState.ENDED, "", Outcome.COMPLETED, AT + 9)

    found = await the(ledger)
    assert (found.state, found.outcome, found.ended_at) == (
        RunState.ENDED,
        Outcome.NEEDS_ATTENTION,
        AT + 5,
    )


async def states_of_waits(ledger):
    listed = [*await ledger.read(waits.of_run, RUN), *await ledger.read(waits.of_run, "other.1")]
    return {found.wait_id: found.state for found in listed}


async def test_a5_an_ended_conversation_leaves_no_wait_open_that_would_swallow_events(ledger):
    await begin(ledger)
    for changes in ({}, {"wait_id": "past"}, {"wait_id": "foreign", "run_id": "other.1"}):
        await ledger.write(waits.begin, wait(**changes))
    await ledger.write(waits.end, "past", "resolved", "evt_2")
    await record(ledger, RunState.ENDED, "", Outcome.CANCELLED)

    assert await states_of_waits(ledger) == {
        "wait_1": "closed",
        "past": "resolved",
        "foreign": "open",
    }
    wanting = await ledger.read(waits.wanting, [KEY])
    assert [found.wait_id for found in wanting] == ["foreign"]
    assert not await ledger.write(waits.end, "wait_1", "resolved", "evt_3")


@pytest.mark.parametrize("state", [RunState.RUNNING, RunState.WAITING, RunState.PARKED])
async def test_a5_a_conversation_that_goes_on_keeps_its_wait(ledger, state):
    await begin(ledger)
    await ledger.write(waits.begin, wait())
    await record(ledger, state)

    assert await states_of_waits(ledger) == {"wait_1": "open"}


async def test_r5_a_turn_that_was_under_way_at_the_end_is_charged_as_assumed(ledger):
    estimate = Charge(usd=Decimal("0.10"), input_tokens=10, output_tokens=5, cached_tokens=0)
    await begin(ledger)
    for run_id in (RUN, "other.1"):
        await ledger.write(turns.reserve, run_id, 1, 1, estimate, AT)
    await record(ledger, RunState.ENDED, "", Outcome.CANCELLED)

    assert await ledger.read(turns.under_way) == {("other.1", 1)}
    told = await ledger.read(turns.spent, RUN)
    assert (told.usd, told.assumed) == (Decimal("0.10"), 1)


async def test_what_was_pinned_first_stays_pinned(ledger):
    await begin(ledger)
    await ledger.write(conversations.freeze, RUN, "digest-1", "model-1")
    await ledger.write(conversations.freeze, RUN, "digest-2", "model-2")

    found = await the(ledger)
    assert (found.frozen, found.model) == ("digest-1", "model-1")


async def test_an_event_reaches_a_conversation_once(ledger):
    await begin(ledger)

    heard = [("evt_3", 3), ("evt_2", 2), ("evt_3", 3), ("evt_1", 1)]
    first = [await ledger.write(conversations.hear, RUN, *each, "handed in", AT) for each in heard]
    assert first == [True, True, False, False]
    assert await ledger.read(conversations.heard, RUN) == ["evt_1", "evt_2", "evt_3"]


async def test_a_conversation_nobody_opened_has_heard_nothing(ledger):
    assert await ledger.read(conversations.heard, "x.1") == []
    assert await ledger.read(conversations.find, "x.1") is None
    assert await ledger.read(conversations.by_decision, "dec_9") is None
    with pytest.raises(LookupError, match=r"there is no run 'x\.1'"):
        await the(ledger, "x.1")


async def test_conversations_are_found_by_how_their_id_begins(ledger):
    for number in range(1, 4):
        await begin(ledger, f"dec_{number}")

    found = await ledger.read(conversations.beginning_with, "0123")
    assert [each.number for each in found] == [3, 2, 1]
    assert await ledger.read(conversations.beginning_with, "%") == []


async def test_the_newest_stand_first(ledger):
    for number in range(1, 5):
        await begin(ledger, f"dec_{number}", at=AT + number)

    assert [each.number for each in await ledger.read(conversations.newest, 2)] == [4, 3]


async def test_it_is_known_which_run_an_event_reached(ledger):
    await begin(ledger)
    await ledger.write(conversations.hear, RUN, "evt_2", 2, "waited for", AT)

    reached = await ledger.read(conversations.by_events, ["evt_1", "evt_2", "evt_9"])
    assert reached == {
        ("dec_1", WORKFLOW): RUN,
        ("evt_1", WORKFLOW): RUN,
        ("evt_2", WORKFLOW): RUN,
    }


async def test_it_is_known_which_decision_about_an_event_opened_which_run(ledger):
    first, again = await begin(ledger), await begin(ledger, "dec_2", at=AT + 1)

    reached = await ledger.read(conversations.by_events, ["evt_1"])
    assert reached["dec_1", WORKFLOW] == first.run_id
    assert reached["dec_2", WORKFLOW] == reached["evt_1", WORKFLOW] == again.run_id
