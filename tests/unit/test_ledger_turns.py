"""R5: what each attempt costs, and that a recorded reply is never paid twice."""

import asyncio
from decimal import Decimal

import pytest

from orchestrator.ledger import turns
from orchestrator.ledger.turns import Charge, Turn
from tests.support.builders import AT, RUN, charge, ledger_at
from workflows.messages import Spent

NOTHING = Charge(usd=Decimal(0), input_tokens=0, output_tokens=0, cached_tokens=0)


@pytest.fixture
def ledger(tmp_path):
    with ledger_at(tmp_path) as database:
        yield database


async def reserve(ledger, attempt=1, usd="0.05", turn=1):
    return await ledger.write(turns.reserve, RUN, turn, attempt, charge(usd), AT)


async def settle(ledger, attempt=1, used=None, state="settled", turn=1):
    await ledger.write(turns.settle, RUN, turn, attempt, used or charge("0.01"), state)


async def reply(ledger, content='["said"]', turn=1):
    return await ledger.write(turns.reply, RUN, turn, content, "end_turn", "req_1", AT)


async def spent(ledger):
    return await ledger.read(turns.spent, RUN)


async def test_nothing_is_spent_before_the_first_turn(ledger):
    assert await spent(ledger) == Spent()


async def test_r5_money_is_spent_from_the_moment_it_is_reserved(ledger):
    assert await reserve(ledger) == 1

    assert (await spent(ledger)).usd == Decimal("0.05")


async def test_r5_a_settled_attempt_costs_what_it_used(ledger):
    await reserve(ledger)
    await settle(ledger)

    assert await spent(ledger) == Spent(
        usd=Decimal("0.01"), input_tokens=100, output_tokens=10, cached_tokens=5
    )


async def test_r5_an_attempt_that_never_came_back_is_charged_as_assumed(ledger):
    await reserve(ledger, 1)
    await reserve(ledger, 2)
    await settle(ledger, 2)

    found = await spent(ledger)
    assert (found.usd, found.assumed) == (Decimal("0.06"), 1)


async def test_r5_an_attempt_that_was_rejected_costs_nothing(ledger):
    await reserve(ledger, 1)
    await settle(ledger, 1, NOTHING, "rejected")
    await reserve(ledger, 2)
    await settle(ledger, 2)

    found = await spent(ledger)
    assert (found.usd, found.assumed) == (Decimal("0.01"), 0)


async def test_r5_a_resumed_turn_counts_its_attempts_from_one_and_forgets_no_lost_one(ledger):
    """Temporal numbers the attempts of every activity anew; the ledger's numbers go on."""
    await reserve(ledger, 1)
    await settle(ledger, 1, charge("0.05"), "assumed")

    number = await reserve(ledger, 1)
    assert number == 2
    assert (await spent(ledger)).usd == Decimal("0.10")
    await settle(ledger, number)

    found = await spent(ledger)
    assert (found.usd, found.assumed) == (Decimal("0.06"), 1)


async def test_r5_attempts_of_one_turn_do_not_end_those_of_another(ledger):
    await reserve(ledger, turn=1)
    await reserve(ledger, 2, turn=2)
    await settle(ledger, turn=1)

    assert (await spent(ledger)).assumed == 0


async def test_an_unknown_price_is_counted_not_called_zero(ledger):
    await reserve(ledger, usd=None)
    await settle(ledger, used=charge(None))

    found = await spent(ledger)
    assert (found.usd, found.unpriced, found.tokens) == (Decimal(0), 1, 110)


async def test_money_is_exact(ledger):
    for turn in range(1, 11):
        await reserve(ledger, turn=turn)
        await settle(ledger, used=charge("0.1"), turn=turn)

    assert (await spent(ledger)).usd == Decimal(1)


async def test_a1_a_recorded_reply_stays(ledger):
    assert await reply(ledger)
    assert not await reply(ledger, '["something else"]')

    assert await ledger.read(turns.replied, RUN) == [
        Turn(turn=1, content='["said"]', stop="end_turn")
    ]


async def test_a1_of_replies_that_are_recorded_at_once_one_stays(ledger):
    kept = await asyncio.gather(*(reply(ledger, f'["{n}"]') for n in range(20)))

    assert kept.count(True) == 1


async def test_replies_come_in_the_order_of_their_turns(ledger):
    for turn in (3, 1, 2):
        await reply(ledger, turn=turn)

    assert [turn.turn for turn in await ledger.read(turns.replied, RUN)] == [1, 2, 3]


async def test_a_place_before_a_turn_is_one_notes_and_it_is_known_whose(ledger):
    place = (RUN, 2, 1)
    assert await ledger.read(turns.free, *place)
    assert not await ledger.read(turns.stands, *place, None)

    assert await ledger.write(turns.note, *place, "An event.", "evt_2")
    assert not await ledger.write(turns.note, *place, "Our words.")
    assert not await ledger.read(turns.free, *place)
    whose = [await ledger.read(turns.stands, *place, who) for who in ("evt_2", "evt_3", None)]
    assert whose == [True, False, False]
    assert await ledger.read(turns.noted, RUN) == {2: ["An event."]}


async def test_a_turn_is_under_way_from_its_reservation_to_its_reply(ledger):
    assert await ledger.read(turns.under_way) == frozenset()
    await reserve(ledger)
    assert await ledger.read(turns.under_way) == {(RUN, 1)}
    await settle(ledger)
    await reply(ledger)
    assert await ledger.read(turns.under_way) == frozenset()


async def test_a_turn_that_is_asked_again_after_a_refusal_is_under_way(ledger):
    await reserve(ledger)
    await settle(ledger, 1, NOTHING, "rejected")
    await reserve(ledger)

    assert await ledger.read(turns.under_way) == {(RUN, 1)}


async def test_words_before_a_turn_are_said_once_and_in_order(ledger):
    for ordinal, text in ((1, "b"), (0, "a"), (1, "other")):
        await ledger.write(turns.note, RUN, 2, ordinal, text)
    await ledger.write(turns.note, RUN, 1, 0, "first")

    assert await ledger.read(turns.noted, RUN) == {1: ["first"], 2: ["a", "b"]}
