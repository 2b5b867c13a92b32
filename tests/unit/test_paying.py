"""R5: which cap holds a turn up, in which words, and what is waited for; the files count as they are at every try."""

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest

from orchestrator.agent.asking import paying
from orchestrator.agent.asking.paying import Begun, Blocked, Over
from orchestrator.agent.asking.preparing import USEFUL_REPLY, Question
from orchestrator.agent.means import Means
from orchestrator.ledger import conversations, reservations, shortfalls
from orchestrator.ledger.conversations import Conversation
from orchestrator.rules.caps import Allowance, Cap, Caps, Price
from tests.support.builders import (
    AT,
    RUN,
    comment,
    configuration,
    frozen,
    inbox_at,
    kept_rules,
    ledger_at,
    opening,
    payer,
    rule,
    spent,
    tool,
)
from tests.support.purses import books, cost
from workflows.messages import Ask
from workflows.playbook import Budget, OverBudget

RICH = Budget(usd=Decimal(100), tokens=10**9)
HELLO = [{"role": "user", "content": [{"type": "text", "text": "hello " * 200}]}]
QUESTION = Question(frozen=frozen(tool()), messages=HELLO, budget=RICH, spent=spent())
UNPRICED = replace(QUESTION, frozen=frozen(tool(), model="nobody-knows-its-price"))
TURN = QUESTION.charge(QUESTION.frozen.max_tokens)
LEAST = QUESTION.charge(USEFUL_REPLY)


@dataclass
class Desk:
    """A ledger with one run, the files as they are now, and who pauses in between."""

    ledger: Any
    run: Conversation
    caps: Caps = field(default_factory=Caps)
    allowance: Allowance = field(default_factory=Allowance)
    inbox: Any = None
    pauses: list[float] = field(default_factory=list)
    meanwhile: Any = None

    def files(self):
        found = configuration(rule("triage", caps=self.caps))
        return replace(found, allowance=self.allowance)

    async def pause(self, seconds):
        self.pauses.append(seconds)
        if self.meanwhile is not None:
            await self.meanwhile()

    async def begin(self, question=QUESTION, turn=1, attempt=1, at=AT):
        unused: dict[str, Any] = {"model": None, "hands": None, "scripted": True}
        means = Means(
            inbox=self.inbox,
            ledger=self.ledger,
            configuration=self.files,
            now=lambda: at,
            pause=self.pause,
            jitter=lambda: 0.5,
            **unused,
        )
        asked = Ask(run_id=RUN, turn=turn, budget=RICH)
        return await paying.begin(means, self.run, question, asked, attempt)

    async def spent(self, usd):
        """Another turn has used so much."""
        caps, self.caps = self.caps, Caps()
        begun = await self.begin(turn=9)
        self.caps = caps
        await self.ledger.write(reservations.settle, RUN, 9, begun.number, cost(usd), "settled")


@pytest.fixture
async def desk(tmp_path):
    with ledger_at(tmp_path) as ledger:
        run = await ledger.write(conversations.begin, opening(), AT)
        await ledger.write(shortfalls.pays, payer())
        yield Desk(ledger=ledger, run=run)


def of_day(usd=None, tokens=None, over=OverBudget.PARK):
    return Caps(day=Cap(usd=None if usd is None else Decimal(usd), tokens=tokens), over=over)


async def test_r5_with_room_the_whole_turn_is_reserved_under_all_four_caps(desk):
    begun = await desk.begin()

    assert isinstance(begun, Begun)
    assert begun.prepared.estimate == TURN
    found = await desk.ledger.read(books)
    assert sorted(key[:3] for key in found) == [
        ("actor", "", "github:1"),
        ("installation", "", ""),
        ("rule", "triage", ""),
        ("rule actor", "triage", "github:1"),
    ]


async def test_r5_a_spent_cap_is_named_with_what_is_settled_and_what_the_turn_could_use(desk):
    await desk.spent("19.99")
    desk.caps = of_day("20")
    over = await desk.begin()

    assert isinstance(over, Over)
    up_to = f"{TURN.usd:.4f}" if TURN.usd < Decimal("0.1") else f"{TURN.usd:.2f}"
    assert over.words == (
        f"rule triage: 20.00 USD per day is spent (19.99 settled, next turn up to {up_to})"
    )
    assert await desk.ledger.read(shortfalls.of_runs, [RUN])


@pytest.mark.parametrize(
    ("caps", "allowance", "whose"),
    [
        (Caps(actor_day=Cap(tokens=10)), Allowance(), "rule triage, actor github:ann: 10 tokens"),
        (Caps(), Allowance(actor_day=Cap(usd=Decimal(0))), "actor github:ann: 0.00 USD"),
        (Caps(), Allowance(day=Cap(tokens=0)), "the whole installation: 0 tokens"),
    ],
)
async def test_r5_every_cap_holds_and_is_named(desk, caps, allowance, whose):
    desk.caps, desk.allowance = caps, allowance
    over = await desk.begin()

    assert over.words.startswith(whose)
    assert await desk.ledger.read(books) == {}


async def test_r5_the_reply_is_clamped_to_what_is_left_of_the_day(desk):
    room = QUESTION.needed + USEFUL_REPLY + 7
    desk.caps = of_day(tokens=room)
    begun = await desk.begin()

    assert begun.prepared.request.max_tokens == USEFUL_REPLY + 7


async def test_r5_blocked_by_others_alone_it_waits_and_goes_on_when_they_have_settled(desk):
    desk.caps = of_day(str(TURN.usd * Decimal("1.5")))
    await desk.begin(turn=7)

    async def settles():
        if len(desk.pauses) == 3:
            await desk.ledger.write(reservations.settle, RUN, 7, 1, cost("0"), "settled")

    desk.meanwhile = settles
    assert isinstance(await desk.begin(), Begun)
    assert desk.pauses == [1.0, 1.0, 1.0]


async def test_r5_blocked_for_long_it_gives_its_place_away_and_says_when_to_come_again(desk):
    desk.caps = of_day(str(TURN.usd * Decimal("1.5")))
    await desk.begin(turn=7)
    with pytest.raises(Blocked) as blocked:
        await desk.begin()

    assert sum(desk.pauses) <= paying.PATIENCE
    assert blocked.value.retry_after == 10.0
    assert await desk.ledger.read(shortfalls.of_runs, [RUN]) == {}


async def test_r5_a_cap_that_is_raised_while_it_waits_counts_at_once(desk):
    desk.caps = of_day(str(TURN.usd * Decimal("1.5")))
    await desk.begin(turn=7)

    async def raised():
        desk.caps = of_day("9")

    desk.meanwhile = raised
    assert isinstance(await desk.begin(), Begun)
    assert len(desk.pauses) == 1


async def test_r5_at_midnight_the_day_is_new_and_the_old_one_settles_in_itself(desk):
    desk.caps = of_day(str(TURN.usd))
    old = await desk.begin()
    begun = await desk.begin(turn=2, at=AT + 24 * 3600)
    await desk.ledger.write(reservations.settle, RUN, 1, old.number, TURN, "settled")

    assert isinstance(begun, Begun)
    found = await desk.ledger.read(books)
    rows = {key[3]: values for key, values in found.items() if key[0] == "rule"}
    assert sorted(rows) == ["2026-11-21", "2026-11-22"]
    assert rows["2026-11-21"]["usd_reserved"] == rows["2026-11-22"]["usd_settled"] == 0


async def test_r5_without_a_price_a_dollar_cap_parks_and_says_what_to_set(desk):
    desk.caps = replace(of_day("9"), over=OverBudget.FAIL)
    over = await desk.begin(UNPRICED)

    words = "price of nobody-knows-its-price unknown: set prices in limits.yaml or use token caps"
    assert over == Over(over=OverBudget.PARK, words=words)


async def test_r5_without_a_price_token_caps_hold(desk):
    desk.caps = of_day(tokens=UNPRICED.needed + USEFUL_REPLY)
    assert isinstance(await desk.begin(UNPRICED), Begun)
    desk.caps = of_day(tokens=UNPRICED.needed)
    assert isinstance(await desk.begin(UNPRICED, turn=2), Over)


async def test_r5_a_declared_price_makes_a_model_priced(desk):
    desk.caps = of_day("9")
    price = Price(input=Decimal(1), output=Decimal(2))
    desk.allowance = Allowance(prices={"nobody-knows-its-price": price})
    begun = await desk.begin(UNPRICED)

    out = UNPRICED.frozen.max_tokens
    assert begun.prepared.estimate.usd == Decimal(UNPRICED.needed + 2 * out) / 10**6


@pytest.mark.parametrize(
    ("cap", "needed"),
    [
        (Cap(usd=Decimal("0.0001")), f"{LEAST.usd:.4f} USD"),
        (Cap(tokens=9), f"{QUESTION.needed + USEFUL_REPLY} tokens"),
    ],
)
async def test_r5_where_the_whole_cap_is_too_little_for_one_turn_it_says_that_no_day_mends_it(
    desk, cap, needed
):
    desk.caps = Caps(day=cap)
    over = await desk.begin()

    told = f"no new day lets it go on, for that turn alone needs {needed} at least"
    assert over.words.endswith(f"{told}: raise the cap of rule triage")
    (found,) = (await desk.ledger.read(shortfalls.of_runs, [RUN])).values()
    assert found.words == over.words


async def test_r5_where_a_new_day_has_room_nothing_is_said_of_raising_the_cap(desk):
    await desk.spent("19.99")
    desk.caps = of_day("20")

    assert "no new day" not in (await desk.begin()).words


async def test_r5_a_broken_limits_file_allows_nothing(desk):
    desk.allowance = Allowance(broken=True)
    over = await desk.begin()

    assert over.over is OverBudget.PARK
    assert "limits.yaml has a mistake" in over.words


async def test_r5_finish_keeps_enough_for_a_last_turn_and_asks_it_without_tools(desk):
    desk.caps = of_day(tokens=QUESTION.needed + USEFUL_REPLY + 500, over=OverBudget.FINISH)
    begun = await desk.begin()

    assert begun.prepared.request.tools_forbidden
    assert begun.last.startswith("rule triage:")
    assert "This is your last turn" in str(begun.prepared.request.messages[-1])


async def test_r5_finish_ends_where_not_even_a_last_turn_fits(desk):
    desk.caps = of_day(tokens=QUESTION.needed, over=OverBudget.FINISH)
    over = await desk.begin()

    assert over.over is OverBudget.FINISH
    assert over.words.startswith("rule triage:")


async def test_r5_fail_says_why(desk):
    desk.caps = of_day(tokens=0, over=OverBudget.FAIL)
    over = await desk.begin()

    assert over.over is OverBudget.FAIL
    assert over.words.startswith("rule triage: 0 tokens per day are spent")


async def test_r5_a_rule_that_left_the_files_keeps_the_caps_it_had(desk):
    desk.caps = of_day(tokens=0)
    await desk.begin()
    desk.files = configuration
    over = await desk.begin()

    assert over.words.startswith("rule triage: 0 tokens per day are spent")


async def test_r5_a_rule_that_left_before_the_first_turn_of_its_run_keeps_its_caps(tmp_path):
    with ledger_at(tmp_path) as ledger, inbox_at(tmp_path) as inbox:
        await kept_rules(ledger, "triage: {limits: {tokens_per_day: 0}}")
        run = await ledger.write(conversations.begin, opening(), AT)
        desk = Desk(ledger=ledger, run=run, inbox=inbox)
        desk.files = configuration
        over = await desk.begin()

    assert over.words.startswith("rule triage: 0 tokens per day are spent")


async def test_r5_the_runs_own_budget_speaks_for_itself(desk):
    poor = replace(QUESTION, budget=Budget(usd=Decimal(0), tokens=10))
    assert await desk.begin(poor) == Over(over=OverBudget.PARK)


async def test_r5_a_budget_that_went_on_replies_that_never_came_says_so(desk):
    poor = replace(
        QUESTION, budget=Budget(usd=Decimal(0), tokens=10), spent=replace(spent(), assumed=5)
    )
    over = await desk.begin(poor)

    assert over.over is OverBudget.PARK
    assert over.words.startswith("budget: what is left of 0 usd and 10 tokens is too little")
    assert "5 attempts at an answer are charged as assumed: none came whole" in over.words


async def test_r5_who_pays_is_the_actor_of_the_event_that_opened_the_run_by_id(tmp_path):
    with ledger_at(tmp_path) as ledger, inbox_at(tmp_path) as inbox:
        await inbox.keep([comment("evt_1", login="ann")])
        run = await ledger.write(conversations.begin, opening(), AT)
        await Desk(ledger=ledger, run=run, inbox=inbox).begin()

        found = await ledger.read(shortfalls.payer, RUN)
    assert found is not None
    assert (found.actor, found.named, found.rule) == ("github:3", "github:ann", "triage")
