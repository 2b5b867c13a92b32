"""R5: money is set aside under every cap at once before it is spent, and no interleaving passes a cap."""

import asyncio
import random
from contextlib import contextmanager
from decimal import Decimal

import pytest

from orchestrator.database import Database
from orchestrator.ledger import caps, conversations, reservations, turns
from orchestrator.ledger import migrations as ledger_migrations
from orchestrator.ledger.caps import Account, Scope
from orchestrator.rules.caps import Cap
from tests.support.builders import AT, RUN, ledger_at, opening
from tests.support.purses import HOUSE, RULE, books, cost, total, usd, wish
from workflows.messages import Outcome, RunState


@contextmanager
def on_postgres(_directory, postgres):
    with postgres.database() as url:
        database = Database.open(url, ledger_migrations.MIGRATIONS)
        try:
            yield database
        finally:
            database.close()


@contextmanager
def on_sqlite(directory, _postgres):
    with ledger_at(directory) as database:
        yield database


@pytest.fixture(params=[on_sqlite, on_postgres], ids=["sqlite", "postgres"])
def ledger(request, tmp_path, postgres):
    with request.param(tmp_path, postgres) as opened:
        yield opened


async def begin(ledger, wished, at=AT):
    return await ledger.write(reservations.begin, wished, at)


async def settle(ledger, run_id="run.1", used="0.02", state="settled", attempt=1):
    await ledger.write(reservations.settle, run_id, 1, attempt, cost(used, 50), state)


async def test_r5_what_is_reserved_counts_against_every_cap_at_once(ledger):
    assert await begin(ledger, wish()) == 1

    found = await ledger.read(books)
    assert [values["usd_reserved"] for values in found.values()] == [100_000_000] * 2
    assert [values["tokens_reserved"] for values in found.values()] == [100] * 2


async def test_r5_a_settled_attempt_counts_what_it_used_and_gives_back_the_rest(ledger):
    await begin(ledger, wish())
    await settle(ledger)

    assert await ledger.read(total, RULE) == caps.nano(Decimal("0.02"))
    assert await ledger.read(total, HOUSE, "tokens") == 50


@pytest.mark.parametrize("state", ["failed", "rejected"])
async def test_r5_an_attempt_that_was_not_paid_counts_nothing(ledger, state):
    await begin(ledger, wish())
    await settle(ledger, state=state)

    assert await ledger.read(total, RULE) == 0


async def test_r5_settling_twice_counts_once(ledger):
    await begin(ledger, wish())
    await settle(ledger)
    await settle(ledger)

    assert await ledger.read(total, RULE) == caps.nano(Decimal("0.02"))


async def test_r5_a_cap_that_is_full_lets_nothing_of_the_call_through(ledger):
    full = ((RULE, usd("9")), (HOUSE, usd("0.15")))
    assert await begin(ledger, wish("run.1", None, *full)) == 1
    assert await begin(ledger, wish("run.2", None, *full)) is None

    assert await ledger.read(total, RULE) == await ledger.read(total, HOUSE) == 100_000_000
    assert (await ledger.read(turns.spent, "run.2")).usd == 0


async def test_r5_a_token_cap_holds_where_no_price_is_known(ledger):
    capped = ((RULE, Cap(tokens=150)),)
    assert await begin(ledger, wish("run.1", cost(None), *capped)) == 1
    assert await begin(ledger, wish("run.2", cost(None), *capped)) is None


async def test_r5_a_lost_attempt_is_assumed_even_when_the_next_one_finds_no_room(ledger):
    capped = ((RULE, usd("0.15")),)
    await begin(ledger, wish("run.1", None, *capped))
    assert await begin(ledger, wish("run.1", None, *capped, attempt=2)) is None

    (values,) = (await ledger.read(books)).values()
    assert (values["usd_assumed"], values["usd_reserved"]) == (100_000_000, 0)
    assert (await ledger.read(turns.spent, "run.1")).assumed == 1


async def test_r5_an_assumed_attempt_that_comes_back_settles_at_what_it_used(ledger):
    await begin(ledger, wish())
    await begin(ledger, wish(attempt=2))
    await settle(ledger, used="0.03", attempt=1)

    (values, _) = (await ledger.read(books)).values()
    assert (values["usd_settled"], values["usd_assumed"]) == (30_000_000, 0)


async def test_r5_a_usage_nobody_can_read_counts_what_was_set_aside(ledger):
    await begin(ledger, wish())
    await settle(ledger, used=None)

    assert await ledger.read(total, RULE) == 100_000_000


async def test_r5_a_run_that_ends_leaves_nothing_reserved(ledger):
    await ledger.write(conversations.begin, opening(), AT)
    await begin(ledger, wish(RUN))
    ended = (RUN, RunState.ENDED, "", Outcome.CANCELLED, AT)
    await ledger.write(conversations.record, *ended)

    (values, _) = (await ledger.read(books)).values()
    assert (values["usd_reserved"], values["usd_assumed"]) == (0, 100_000_000)


async def test_r5_what_never_came_back_is_assumed_in_time_and_holds_nobody_up(ledger):
    await begin(ledger, wish("run.1"), AT)
    await begin(ledger, wish("run.2"), AT + 100)

    assert await ledger.write(reservations.expire, AT + 50) == 1
    assert await ledger.write(reservations.expire, AT + 50) == 0
    (values, _) = (await ledger.read(books)).values()
    assert (values["usd_reserved"], values["usd_assumed"]) == (100_000_000, 100_000_000)


async def test_r5_a_reservation_settles_in_the_day_it_was_made_in(ledger):
    tomorrow = Account(scope=Scope.RULE, rule="triage", day="2026-11-22", zone="UTC")
    await begin(ledger, wish("run.1", None, (RULE, usd("1"))))
    await begin(ledger, wish("run.2", None, (tomorrow, usd("1")), since=AT + 1), AT + 1)
    await settle(ledger)

    assert await ledger.read(total, RULE) == 20_000_000
    assert await ledger.read(total, tomorrow) == 100_000_000


async def test_r5_a_changed_zone_does_not_forget_what_its_day_has_spent(ledger):
    berlin = Account(scope=Scope.RULE, rule="triage", day="2026-11-21", zone="Europe/Berlin")
    await begin(ledger, wish("run.1", cost("0.90"), (RULE, usd("1")), since=AT - 10))
    await settle(ledger, used="0.90")

    assert await begin(ledger, wish("run.2", None, (berlin, usd("1")), since=AT - 10)) == 1
    assert await begin(ledger, wish("run.3", None, (berlin, usd("1")), since=AT - 10)) is None


async def test_r5_a_dollar_under_fifty_runs_at_once_is_never_passed(ledger):
    """Each reserves 0.12 and uses between nothing and that; some are killed before they settle."""
    capped = ((RULE, usd("1")), (HOUSE, usd("1")))
    dice, refused = random.Random(7), 0

    async def run(number):
        nonlocal refused
        for turn in range(1, 4):
            name = f"run.{number}"
            wished = wish(name, cost("0.12"), *capped, turn=turn)
            attempt = await begin(ledger, wished)
            standing = await ledger.read(caps.standing, HOUSE, 0.0)
            assert standing.usd_spent + standing.usd_reserved <= 10**9
            refused += attempt is None
            if attempt is None or dice.random() < 0.2:
                continue
            used = cost(f"{dice.uniform(0, 0.12):.4f}")
            await ledger.write(reservations.settle, name, turn, attempt, used, "settled")

    await asyncio.gather(*[run(number) for number in range(50)])

    assert refused
    assert await ledger.read(total, RULE) == await ledger.read(total, HOUSE) <= 10**9
