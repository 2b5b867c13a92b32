"""R5: who parked for money goes on by an inbox row when there is room: in order, a few at a time, no stampede."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import update

from orchestrator.inbox.inbox import Action, EntryState
from orchestrator.inbox.orders import Hold, Pausable
from orchestrator.ledger import caps, claims, conversations, reservations, schema, shortfalls
from orchestrator.ledger.shortfalls import Need
from orchestrator.rules.caps import Allowance, Cap, Caps, Price
from orchestrator.tending import releasing
from orchestrator.tending.releasing import (
    AT_ONCE,
    EVERY,
    LOST,
    TURNED_BACK,
    UNDER_WAY,
    Releaser,
)
from tests.support.builders import (
    AT,
    MODEL,
    NOW,
    OPERATOR_SOURCE,
    Log,
    configuration,
    inbox_at,
    ledger_at,
    opening,
    order,
    payer,
    rule,
)
from tests.support.purses import HOUSE, books, cost, wish
from tests.support.receiving import decision
from workflows.messages import Outcome, RunState

DAY = timedelta(days=1)
NEED = Need(model=MODEL, input_tokens=90, kept_long=0, output_tokens=10)
LARGE = replace(NEED, input_tokens=890)
HALF = replace(NEED, input_tokens=490)
BEYOND = replace(NEED, input_tokens=1000)
UNKNOWN = Need(model="nobody-knows", input_tokens=90, kept_long=0, output_tokens=10)


@dataclass
class Night:
    """A ledger and an inbox, rules with caps in tokens (a turn needs 100), and a clock that is moved by hand."""

    ledger: Any
    inbox: Any
    caps: Caps = field(default_factory=lambda: Caps(day=Cap(tokens=1000)))
    allowance: Allowance = field(default_factory=Allowance)
    at: timedelta = timedelta(0)
    parked: int = 0
    pokes: int = 0
    one: Releaser | None = None

    @property
    def releaser(self):
        if self.one is None:
            self.one = Releaser(
                inbox=self.inbox,
                ledger=self.ledger,
                configuration=self.files,
                now=lambda: NOW + self.at,
                poke=self.poke,
                log=Log(),
            )
        return self.one

    def files(self):
        rules = [rule(name, caps=self.caps) for name in ("triage", "other")]
        return replace(configuration(*rules), allowance=self.allowance)

    def poke(self):
        self.pokes += 1

    @property
    def now(self):
        return AT + self.at.total_seconds()

    async def said(self):
        entries = await self.inbox.undecided(100)
        return [
            OPERATOR_SOURCE.dialect.read(entry.headers, (await self.inbox.entry(entry.id)).body)
            for entry in entries
        ]

    async def let_go(self):
        await self.releaser.release_some()
        return [reading.subject for reading in await self.said()]

    async def park(self, name, need=NEED, of="triage"):
        self.parked += 1
        made = opening(f"dec_{name}", workflow_id=f"w~{name}", rule=of)
        run = await self.ledger.write(conversations.begin, made, self.now)
        await self.ledger.write(shortfalls.pays, payer(run_id=run.run_id, rule=of))
        await self.again(run.run_id, need)
        return run.run_id

    async def again(self, run_id, need=NEED):
        at = self.now + self.parked / 1000
        recorded = (run_id, 1, "spent", "2026-11-21", need, at)
        await self.ledger.write(shortfalls.record, *recorded)
        parked = (run_id, RunState.PARKED, "spent", None, at)
        await self.ledger.write(conversations.record, *parked)

    async def goes_on(self, run_id, tokens=100, turn=1):
        """A run that was let go on reserves its turn."""
        accounts = [
            (one, Cap())
            for one in (
                caps.Account(scope=caps.Scope.RULE, rule="triage", day=self.day, zone="UTC"),
                caps.Account(scope=caps.Scope.INSTALLATION, day=self.day, zone="UTC"),
            )
        ]
        await self.ledger.write(conversations.record, run_id, RunState.RUNNING, "", None, self.now)
        wished = wish(run_id, cost("0", tokens), *accounts, turn=turn)
        await self.ledger.write(reservations.begin, wished, self.now)

    async def pause(self, name):
        await self.inbox.keep([order(f"evt_{name}", "rule.pause", name)])
        hold = Hold(what=Pausable.RULE, name=name, by="ann")
        await self.inbox.decide(f"evt_{name}", [], NOW, hold)

    async def heard(self, how):
        """The runs take every row that lets them go on."""
        for entry in await self.inbox.undecided(100):
            word = decision(id=f"dec_{entry.id}", event_id=entry.id, action=Action.CONTROL)
            await self.inbox.decide(entry.id, [word], NOW)
            claimed = (word.id, "token", how, "w~a", self.now)
            await self.ledger.write(claims.claim, *claimed)

    @property
    def day(self):
        return (NOW + self.at).date().isoformat()


def forget(connection):
    connection.execute(update(schema.shortfalls).values(released=0, released_at=None))


@pytest.fixture
def night(tmp_path):
    with ledger_at(tmp_path) as ledger, inbox_at(tmp_path) as inbox:
        yield Night(ledger=ledger, inbox=inbox)


async def test_r5_without_room_nobody_goes_on(night):
    night.caps = Caps(day=Cap(tokens=99))
    await night.park("a")

    assert await night.let_go() == []
    assert night.pokes == 0


async def test_r5_on_a_new_day_a_run_goes_on_by_a_row_that_says_so(night):
    run_id = await night.park("a")
    night.at = DAY
    assert await night.let_go() == [run_id]

    (reading,) = await night.said()
    assert (reading.type, reading.data["by"]) == ("run.resume", "the new day")
    (entry,) = await night.inbox.undecided(9)
    assert (entry.source, entry.state) == ("operator", EntryState.RECEIVED)
    assert night.pokes == 1


async def test_r5_a_parking_is_ended_once_whoever_looks_how_often(night):
    run_id = await night.park("a")
    for _ in range(3):
        assert await night.let_go() == [run_id]


async def test_r5_a_row_written_and_not_noted_down_before_the_power_went_comes_once(night):
    run_id = await night.park("a")
    await night.let_go()
    await night.ledger.write(forget)

    assert await night.let_go() == [run_id]
    (found,) = (await night.ledger.read(shortfalls.of_runs, [run_id])).values()
    assert found.released == found.number == 1


async def test_r5_a_few_go_on_at_a_time_in_the_order_in_which_they_parked(night):
    runs = [await night.park(name) for name in "abcdef"]
    assert await night.let_go() == runs[:AT_ONCE]
    assert await night.let_go() == runs[:AT_ONCE]
    await night.goes_on(runs[0])
    assert await night.let_go() == runs[: AT_ONCE + 1]


async def test_r5_at_most_half_a_days_cap_goes_to_those_who_parked(night):
    runs = [await night.park(name) for name in "abcdefgh"]
    night.at = DAY
    for _ in range(8):
        for run_id in await night.let_go():
            await night.goes_on(run_id)

    assert len(await night.said()) == 5
    assert [reading.subject for reading in await night.said()] == runs[:5]
    night.at = 2 * DAY
    assert len(await night.let_go()) == 8


async def test_r5_one_whose_turn_needs_more_than_half_a_cap_goes_on_all_the_same(night):
    night.caps = Caps(day=Cap(tokens=150))
    run_id = await night.park("a")
    await night.park("b")

    assert await night.let_go() == [run_id]


async def test_r5_nobody_passes_who_waits_for_the_same_cap_and_others_are_not_held_up(night):
    await night.goes_on(await night.park("before"), tokens=200)
    await night.park("a", LARGE)
    await night.park("b")
    free = await night.park("c", of="other")

    assert await night.let_go() == [free]


async def test_r5_nobody_waits_behind_one_whose_turn_needs_more_than_the_whole_cap(night):
    await night.park("a", BEYOND)
    small = await night.park("b")

    assert await night.let_go() == [small]


async def test_r5_nobody_waits_behind_one_whose_price_nobody_knows(night):
    """A cap in dollars holds it until a price is declared; that in tokens, which it would fill, is the others' too."""
    night.caps = Caps(day=Cap(usd=Decimal(1), tokens=150))
    await night.goes_on(await night.park("before"))
    unknown = replace(UNKNOWN, input_tokens=140)
    await night.park("a", unknown)
    small = await night.park("b", replace(NEED, input_tokens=40))

    assert await night.let_go() == [small]


async def test_r5_behind_a_line_of_runs_that_cannot_go_on_the_others_are_found(night, monkeypatch):
    monkeypatch.setattr(releasing, "LOOKED_AT", 2)
    for name in "abcde":
        await night.park(name, BEYOND)
    small = await night.park("f")

    assert [await night.let_go() for _ in range(3)] == [[], [], [small]]


async def test_r5_who_is_found_further_behind_passes_nobody_who_waits_for_the_same_cap(
    night, monkeypatch
):
    monkeypatch.setattr(releasing, "LOOKED_AT", 2)
    await night.goes_on(await night.park("before"), tokens=200)
    large = await night.park("a", LARGE)
    for name in "bcd":
        await night.park(name)
    free = [await night.park(name, of="other") for name in "efg"]

    assert [await night.let_go() for _ in range(3)] == [[], [], free[:2]]
    # From the front again, as soon as somebody was let go on: there is room now.
    night.at = DAY
    assert await night.let_go() == [*free[:2], large]


async def test_r5_a_raised_cap_lets_a_run_go_on_the_same_day(night):
    night.caps = Caps(day=Cap(tokens=50))
    run_id = await night.park("a")
    assert await night.let_go() == []
    night.caps = Caps(day=Cap(tokens=500))

    assert await night.let_go() == [run_id]
    assert (await night.said())[0].data["by"] == "room under its caps"


async def test_r5_a_price_that_becomes_known_lets_a_run_go_on(night):
    night.caps = Caps(day=Cap(usd=Decimal(1)))
    run_id = await night.park("a", UNKNOWN)
    assert await night.let_go() == []
    price = Price(input=Decimal(1), output=Decimal(1))
    night.allowance = Allowance(prices={"nobody-knows": price})

    assert await night.let_go() == [run_id]


async def test_r5_while_limits_yaml_is_broken_nobody_goes_on(night):
    await night.park("a")
    night.allowance = Allowance(broken=True)

    assert await night.let_go() == []


async def test_r5_one_that_is_turned_back_at_once_is_left_alone_for_a_minute(night):
    run_id = await night.park("a")
    await night.let_go()
    night.at = timedelta(seconds=EVERY)
    await night.again(run_id)

    assert len(await night.let_go()) == 1
    night.at = timedelta(seconds=EVERY + TURNED_BACK + 1)
    assert len(await night.let_go()) == 2


async def test_r5_who_is_paused_gets_no_row_and_holds_up_nobody(night):
    for name in "abcd":
        await night.park(name)
    free = await night.park("e", of="other")
    await night.pause("triage")
    assert await night.let_go() == [free]
    await night.pause("other")
    await night.goes_on(free)

    assert await night.let_go() == [free]


@pytest.mark.parametrize("words", ["rule 'triage' is paused", "budget: too little is left"])
async def test_r5_who_is_parked_for_something_else_since_gets_no_row_and_holds_up_nobody(
    night, words
):
    """It was let go on, and stood still before its turn was held against the caps once more."""
    runs = [await night.park(name) for name in "abcd"]
    await night.let_go()
    for run_id in runs[:AT_ONCE]:
        parked = (run_id, RunState.PARKED, words, None, night.now)
        await night.ledger.write(conversations.record, *parked)

    assert await night.let_go() == runs


async def test_r5_who_was_let_go_on_and_stays_parked_holds_up_the_others_for_minutes_only(night):
    runs = [await night.park(name) for name in "abcd"]
    await night.let_go()
    night.at = timedelta(seconds=UNDER_WAY - 1)
    assert await night.let_go() == runs[:AT_ONCE]
    night.at = timedelta(seconds=UNDER_WAY + 1)

    assert await night.let_go() == runs


async def test_r5_what_was_promised_to_those_who_stay_parked_is_free_on_the_next_day(night):
    """Half of it went to the first; to which day the hour belongs at which it takes it nobody knows before."""
    runs = [await night.park(name, HALF) for name in "ab"]
    await night.let_go()
    night.at = timedelta(hours=1)
    assert await night.let_go() == runs[:1]
    night.at = DAY

    assert await night.let_go() == runs


async def test_r5_one_that_took_the_row_for_one_that_came_too_late_is_told_again_in_minutes(night):
    run_id = await night.park("a")
    await night.let_go()
    await night.heard("late")
    night.at = timedelta(seconds=UNDER_WAY - 1)
    assert await night.let_go() == []
    night.at = timedelta(seconds=UNDER_WAY + 1)

    assert await night.let_go() == [run_id]
    assert await night.let_go() == [run_id]


async def test_r5_one_that_has_heard_the_row_and_is_slow_is_not_told_again(night):
    await night.park("a")
    await night.let_go()
    await night.heard("consumed")
    night.at = DAY

    assert [await night.let_go() for _ in range(2)] == [[], []]


async def test_r5_one_that_did_not_hear_the_row_yet_is_not_told_again(night):
    """Its worker is away; the row waits for it."""
    run_id = await night.park("a")
    await night.let_go()
    night.at = DAY

    assert [await night.let_go() for _ in range(2)] == [[run_id]] * 2


async def test_r5_who_is_no_longer_parked_is_not_told_to_go_on(night):
    run_id = await night.park("a")
    ended = (run_id, RunState.ENDED, "", Outcome.CANCELLED, AT)
    await night.ledger.write(conversations.record, *ended)

    assert await night.let_go() == []


async def test_r5_what_a_lost_run_has_reserved_is_assumed_in_time(night):
    await night.ledger.write(reservations.begin, wish("gone.1"), AT)
    night.at = timedelta(seconds=LOST + 1)
    await night.let_go()

    found = await night.ledger.read(books)
    assert {values["usd_reserved"] for values in found.values()} == {0}
    assert (await night.ledger.read(caps.standing, HOUSE, 0.0)).usd_assumed == 100_000_000
