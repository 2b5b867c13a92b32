"""R5 on a real Temporal: a day's caps hold under many runs; what parks for money goes on by an inbox row."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import structlog

from orchestrator.ledger import caps
from orchestrator.ledger.caps import Account, Scope
from orchestrator.rules import days
from orchestrator.tending.releasing import Releaser
from tests.support.house import RULE, Files, House, house, opened
from tests.support.purses import books
from tests.support.scripts import Turns, says, use, uses
from tests.support.town import Town
from tests.support.zones import ZONE

pytestmark = pytest.mark.temporal

PRICED = "claude-sonnet-5-5"
READ = uses(use("read_thing"))


def limited(limits: str, model: str = PRICED) -> Files:
    return Files(rule=RULE + f"  limits: {limits}\n", limits=f"zone: {ZONE}\n", model=model)


def releaser(home: House, ahead: timedelta = timedelta(0)) -> Releaser:
    return Releaser(
        inbox=home.stores.inbox,
        ledger=home.stores.ledger,
        configuration=home.read,
        now=lambda: datetime.now(UTC) + ahead,
        poke=home.dispatcher.poke,
        log=structlog.get_logger("releaser"),
    )


def rewrite(home: House, old: str, new: str) -> None:
    """A person edits the rule."""
    path = home.directory / "doorbell.d" / "rules" / "work.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


async def whole_day(home: House) -> caps.Standing:
    today = days.day_of(datetime.now(UTC).timestamp(), ZONE)
    account = Account(scope=Scope.INSTALLATION, day=today, zone=ZONE)
    return await home.stores.ledger.read(caps.standing, account, 0.0)


async def test_r5_twelve_runs_at_once_never_pass_a_rules_day(tmp_path: Path, town: Town) -> None:
    files = limited("{usd_per_day: 0.02}")
    script = Turns([READ, READ, says()])
    async with house(tmp_path, town, script, files) as home:
        await asyncio.gather(*[home.ring(opened(number)) for number in range(12)])
        seen = []

        async def at_rest() -> bool:
            standing = await whole_day(home)
            seen.append(standing.usd_spent + standing.usd_reserved)
            runs = await home.runs()
            return len(runs) == 12 and all(run["state"] in {"parked", "ended"} for run in runs)

        await home.until(at_rest, "twelve runs at rest")
        runs = await home.runs()
        spent = sum(Decimal(str(run["spent"]["usd"])) for run in runs)
        await home.stores.ledger.read(books)
    assert max(seen) <= 20_000_000
    assert spent <= Decimal("0.0200001")
    parked = [run for run in runs if run["state"] == "parked"]
    assert parked
    assert all("rule work: 0.02 USD per day is spent" in run["reason"] for run in parked)


async def test_r5_a_raised_cap_in_the_file_lets_a_parked_run_go_on_by_an_inbox_row(
    tmp_path: Path, town: Town
) -> None:
    files = limited("{usd_per_day: 0.001}")
    script = Turns([READ, says()])
    async with house(tmp_path, town, script, files) as home:
        await home.ring(opened())
        run = await home.one("parked")
        assert script.asked == []
        assert await releaser(home).release_some() == 0
        rewrite(home, "0.001", "5")
        assert await releaser(home).release_some() == 1
        assert await releaser(home).release_some() == 0
        run = await home.ended()
        entries = await home.stores.inbox.entries(10)
    assert run["outcome"] == "completed"
    (word,) = [entry for entry in entries if entry.source == "operator"]
    assert word.actor is not None
    assert (word.type, word.actor.login) == ("run.resume", "room under its caps")


async def test_r5_a_run_takes_its_leave_where_the_rule_says_finish(
    tmp_path: Path, town: Town
) -> None:
    """The day has room for one short reply more."""
    files = limited("{tokens_per_day: 6000, on_over_budget: finish}")
    script = Turns([READ, READ, READ, READ, READ, says("I looked.")])

    def answer(request):
        if (request.get("tool_choice") or {}).get("type") == "none":
            script.asked.append(request)
            return says("I looked, and ran out of money.")
        return READ

    async with house(tmp_path, town, Turns([answer]), files) as home:
        await home.ring(opened())
        run = await home.ended()
    assert run["outcome"] == "needs_attention"
    assert "rule work: 6000 tokens per day are spent" in run["reason"]
    assert len(script.asked) == 1
    assert "This is your last turn" in str(script.asked[0]["messages"][-1])
    assert run["account"] == "I looked, and ran out of money."


async def test_r5_a_run_fails_with_the_reason_where_the_rule_says_fail(
    tmp_path: Path, town: Town
) -> None:
    files = limited("{usd_per_day: 0, on_over_budget: fail}")
    script = Turns([says()])
    async with house(tmp_path, town, script, files) as home:
        await home.ring(opened())
        run = await home.ended()
    assert (run["outcome"], script.asked) == ("failed", [])
    assert "rule work: 0.00 USD per day is spent" in run["reason"]


async def test_r5_a_model_without_a_price_parks_under_a_dollar_cap_until_one_is_declared(
    tmp_path: Path, town: Town
) -> None:
    files = limited("{usd_per_actor_day: 1}", model="scripted-1")
    script = Turns([says()])
    async with house(tmp_path, town, script, files) as home:
        await home.ring(opened())
        run = await home.one("parked")
        words = "price of scripted-1 unknown: set prices in limits.yaml or use token caps"
        assert run["reason"] == words
        prices = "prices: {scripted-1: {input: 1, output: 2}}\n"
        (home.directory / "doorbell.d" / "limits.yaml").write_text(prices)
        assert await releaser(home).release_some() == 1
        run = await home.ended()
    assert run["outcome"] == "completed"
    assert run["spent"]["usd"] > 0
