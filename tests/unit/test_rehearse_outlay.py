"""R5: what the turns of a rehearsal cost is held against the caps of the day, in the installation's own ledger."""

from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal

import pytest

from orchestrator.agent.asking.outlay import TAKEN, Charged
from orchestrator.agent.rehearsing import Ending
from orchestrator.agent.reply import Rejected, Unavailable
from orchestrator.ledger import reservations, spending, turns
from orchestrator.ledger.caps import Account, Scope
from orchestrator.ledger.reservations import Wish
from orchestrator.rules.caps import Allowance, Cap
from tests.support.builders import AT, charge, configuration, ledger_at, rule
from tests.support.rehearsed import RUN_ID, ended, stage, used

DAY = "2026-11-21"
LOOK = used(("lab__look", {}))
WHOLE = Account(scope=Scope.INSTALLATION, day=DAY, zone="UTC")


class Killed(Exception):
    """The process ends in the middle of a turn."""


@asynccontextmanager
async def paying(tmp_path, *replies, day=None, **changes):
    """A rehearsal whose turns are held against another ledger; that ledger beside it."""
    (tmp_path / "kept").mkdir()
    files = configuration(rule())
    if day is not None:
        files = type(files)(
            digest="sha",
            sources={},
            servers={},
            playbooks={},
            rules=files.rules,
            allowance=Allowance(day=day),
        )
    with ledger_at(tmp_path / "kept") as kept:

        def charged(model, own):
            return Charged(
                model=model,
                own=own,
                kept=kept,
                configuration=lambda: files,
                now=lambda: AT,
                run_id=RUN_ID,
            )

        async with stage(tmp_path, replies, charged, **changes) as there:
            yield there, kept


async def day_of(kept):
    return await kept.read(spending.whole, DAY, "UTC")


async def reserved(kept, amount):
    """What a run that is under way has set aside."""
    wish = Wish(
        run_id="other.1", turn=1, attempt=1, estimate=amount, caps=[(WHOLE, Cap())], since=AT - 9
    )
    assert await kept.write(reservations.begin, wish, AT) == 1


async def test_what_was_said_is_settled_turn_by_turn(tmp_path):
    async with paying(tmp_path, LOOK, ended()) as (there, kept):
        await there.rehearse()
        day, own = await day_of(kept), await there.means.ledger.read(turns.spent, RUN_ID)
        assert (day.attempts, day.tokens_settled) == (2, own.tokens)
        assert day.usd_settled == int(own.usd * 10**9) > 0
        assert (day.usd_reserved, day.usd_assumed) == (0, 0)


async def test_money_is_set_aside_before_the_model_is_asked(tmp_path):
    async with paying(tmp_path, LOOK, ended()) as (there, kept):
        seen = []
        say = there.model.say

        async def watched(request):
            seen.append(await day_of(kept))
            return await say(request)

        there.model.say = watched
        await there.rehearse()
        assert [one.attempts for one in seen] == [1, 2]
        assert all(one.usd_reserved > 0 and one.tokens_reserved > 100 for one in seen)
        # The second estimate is of the second turn alone.
        assert seen[1].tokens_reserved < 2 * seen[0].tokens_reserved


async def test_a_reply_whose_usage_is_no_number_is_assumed_and_kept(tmp_path):
    odd = replace(ended(), usage={"input_tokens": 1_000, "output_tokens": "20"})
    async with paying(tmp_path, odd) as (there, kept):
        await there.rehearse()
        day, own = await day_of(kept), await there.means.ledger.read(turns.spent, RUN_ID)
        assert (day.attempts, day.tokens_settled, own.assumed) == (1, 0, 1)
        assert day.usd_assumed == int(own.usd * 10**9) > 0


@pytest.mark.parametrize(
    ("error", "counts"),
    [
        (Rejected("no key"), (0, 0)),
        (Unavailable("busy", 0.0), (0, 0)),
        (Unavailable("broken off", 0.0, begun=True), (1, 1)),
    ],
    ids=["rejected", "busy", "broken off"],
)
async def test_an_attempt_without_a_reply_counts_if_it_may_have_been_paid(tmp_path, error, counts):
    last = [] if isinstance(error, Rejected) else [ended()]
    async with paying(tmp_path, error, *last) as (there, kept):
        await there.rehearse()
        day = await day_of(kept)
        assert (day.usd_reserved, day.tokens_reserved) == (0, 0)
        assert (int(day.usd_assumed > 0), int(day.tokens_assumed > 0)) == counts
        assert day.attempts == sum(counts) // 2 + len(last)


async def test_a_rehearsal_that_is_killed_while_it_asks_is_assumed_to_have_paid(tmp_path):
    async with paying(tmp_path, Killed(), ended()) as (there, kept):
        with pytest.raises(Killed):
            await there.rehearse()
        held = await day_of(kept)
        assert await kept.write(reservations.expire, AT + 1) == 1
        day = await day_of(kept)
        assert day.usd_assumed == held.usd_reserved > 0
        assert (day.usd_reserved, day.tokens_assumed) == (0, held.tokens_reserved)


async def test_a_cap_that_is_spent_is_named_and_nothing_is_asked(tmp_path):
    day = Cap(usd=Decimal("0.01"))
    async with paying(tmp_path, ended(), day=day) as (there, kept):
        rehearsed = await there.rehearse()
        assert rehearsed.ending is Ending.PARKS
        assert rehearsed.reason.startswith("the whole installation: 0.01 USD per day is spent")
        assert there.model.asked == []
        assert (await day_of(kept)).attempts == 0


async def test_what_runs_have_set_aside_is_theirs(tmp_path):
    async with paying(tmp_path, ended(), day=Cap(usd=Decimal("1.00"))) as (there, kept):
        await reserved(kept, charge("0.9999"))
        rehearsed = await there.rehearse()
        assert (rehearsed.ending, rehearsed.reason) == (Ending.PARKS, TAKEN)
        assert there.model.asked == []


async def test_a_model_without_a_price_counts_its_tokens(tmp_path):
    async with paying(tmp_path, LOOK, ended(), model="my-own") as (there, kept):
        await there.rehearse()
        day = await day_of(kept)
        assert (day.attempts, day.unpriced, day.usd_settled) == (2, 2, 0)
        assert day.tokens_settled == 220
