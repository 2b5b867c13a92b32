"""R5: no turn is begun that could pass a limit; and a recorded reply is the one that counts."""

import json
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.agent import prices
from orchestrator.agent.asking import turning
from orchestrator.agent.asking.preparing import SMALLEST_REPLY, Question
from orchestrator.agent.asking.preparing import prepare as prepared_of
from orchestrator.agent.conversation import frozen, weighing
from orchestrator.agent.means import Means
from orchestrator.agent.reply import Rejected, Request, Said, Unavailable
from orchestrator.ledger import artifacts, calls, conversations, shortfalls, turns
from orchestrator.rules.caps import Cap, Caps
from tests.support.builders import (
    AT,
    MARK,
    MODEL,
    RUN,
    configuration,
    ledger_at,
    opening,
    payer,
    rule,
    spent,
    tool,
)
from tests.support.builders import frozen as pinned
from workflows.messages import Ask, CallState, Stop
from workflows.playbook import Budget, OverBudget

HELLO = [{"role": "user", "content": [{"type": "text", "text": "hello " * 200}]}]
RICH = Budget(usd=Decimal(100), tokens=10**9)
PIN = pinned(tool())
STATIC = weighing.tokens(frozen.system(PIN), frozen.definitions(PIN))
DONE = calls.Result(state=CallState.DONE, content=[], is_error=False)
NEEDED = STATIC + weighing.tokens(HELLO)
UNPRICED = pinned(tool(), model="nobody-knows-its-price")


def prepare(pin, messages, budget, used):
    return prepared_of(Question(frozen=pin, messages=messages, budget=budget, spent=used))


def price(output_tokens):
    return prices.estimated(MODEL, NEEDED, output_tokens, kept_long=STATIC)


def test_with_enough_left_the_whole_reply_is_allowed():
    prepared = prepare(PIN, HELLO, RICH, spent())

    assert prepared is not None
    assert prepared.request.max_tokens == PIN.max_tokens
    assert (prepared.request.model, prepared.request.tools) == (MODEL, frozen.definitions(PIN))
    assert prepared.estimate.input_tokens == NEEDED
    assert prepared.estimate.output_tokens == PIN.max_tokens
    assert prepared.estimate.usd == price(PIN.max_tokens)


def test_r5_the_reply_is_clamped_to_the_tokens_that_are_left():
    prepared = prepare(PIN, HELLO, Budget(usd=Decimal(100), tokens=NEEDED + 1500), spent("0", 500))

    assert prepared is not None
    assert prepared.request.max_tokens == 1000


def test_r5_the_reply_is_clamped_to_the_money_that_is_left():
    usd = price(1000)
    prepared = prepare(PIN, HELLO, Budget(usd=usd + 1, tokens=10**9), spent("1"))

    assert prepared is not None
    assert prepared.request.max_tokens == pytest.approx(1000, abs=1)


@pytest.mark.parametrize(
    "budget",
    [
        Budget(usd=Decimal(100), tokens=NEEDED + SMALLEST_REPLY - 1),
        Budget(usd=Decimal(100), tokens=NEEDED),
        Budget(usd=Decimal(100), tokens=0),
        Budget(usd=price(SMALLEST_REPLY - 1), tokens=10**9),
        Budget(usd=price(0), tokens=10**9),
        Budget(usd=Decimal(0), tokens=10**9),
    ],
)
def test_r5_a_turn_that_has_no_room_for_a_short_reply_is_not_begun(budget):
    assert prepare(PIN, HELLO, budget, spent()) is None


def test_r5_a_playbook_may_want_replies_shorter_than_that():
    prepared = prepare(pinned(tool(), max_tokens=50), HELLO, RICH, spent())

    assert prepared is not None
    assert prepared.request.max_tokens == 50


def test_without_a_price_only_the_tokens_hold():
    poor = Budget(usd=Decimal("0.000001"), tokens=10**6)
    prepared = prepare(UNPRICED, HELLO, poor, spent())

    assert prepared is not None
    assert prepared.request.max_tokens == UNPRICED.max_tokens
    assert prepared.estimate.usd is None
    assert prepare(UNPRICED, HELLO, Budget(usd=Decimal(9), tokens=100), spent()) is None


@settings(max_examples=100, deadline=None)
@given(
    st.decimals(0, 1, places=4),
    st.integers(0, 10_000),
    st.decimals(0, 1, places=4),
    st.integers(0, 10_000),
)
def test_r5_whatever_is_left_the_next_turn_can_not_pass_it(usd, tokens, used_usd, used_tokens):
    used = spent(str(used_usd), used_tokens)
    prepared = prepare(PIN, HELLO, Budget(usd=usd, tokens=tokens), used)

    if prepared is not None:
        assert used.usd + prepared.estimate.usd <= usd
        assert used.tokens + prepared.estimate.input_tokens + prepared.request.max_tokens <= tokens
        assert prepared.request.max_tokens >= SMALLEST_REPLY


@dataclass
class Model:
    """Says what it is told to, after doing what happens meanwhile."""

    answers: list[Said | Exception]
    meanwhile: Any = None
    asked: list[Request] = field(default_factory=list)

    async def say(self, request: Request) -> Said:
        self.asked.append(request)
        if self.meanwhile is not None:
            await self.meanwhile()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def said(text: str, *call_ids: str) -> Said:
    uses = [
        {"type": "tool_use", "id": call_id, "name": "github__comment", "input": {"body": text}}
        for call_id in call_ids
    ]
    stop = "tool_use" if uses else "end_turn"
    usage = {"input_tokens": 1000, "output_tokens": 100}
    content = [{"type": "text", "text": text}, *uses]
    return Said(content=content, stop=stop, usage=usage, request_id="req_1")


@pytest.fixture
async def ledger(tmp_path):
    with ledger_at(tmp_path) as database:
        await database.write(conversations.begin, opening(), AT)
        digest = await database.write(artifacts.put, frozen.dump(PIN), "application/json", AT)
        await database.write(conversations.freeze, RUN, digest, MODEL)
        await database.write(turns.note, RUN, 1, 0, "An event.")
        await database.write(shortfalls.pays, payer())
        yield database


def means(ledger, *answers, meanwhile=None):
    model = Model(list(answers), meanwhile)
    given: dict[str, Any] = {"inbox": None, "hands": None, "configuration": configuration}
    return Means(ledger=ledger, model=model, now=lambda: AT, scripted=True, **given)


async def ask(found, attempt=1, turn=1, budget=RICH):
    return await turning.ask(found, Ask(run_id=RUN, turn=turn, budget=budget), attempt)


async def test_a1_a_recorded_reply_is_never_paid_twice(ledger):
    found = means(ledger, said("Hello", "c1"))
    first = await ask(found)

    assert await ask(found, attempt=2) == first
    assert len(found.model.asked) == 1
    assert (first.stop, [call.call_id for call in first.calls]) == (Stop.TOOL_USE, ["1.0"])
    assert first.spent.usd == prices.charged(MODEL, said("Hello").usage)


async def test_a1_when_two_attempts_overtake_each_other_the_recorded_reply_is_the_one_told(ledger):
    async def meanwhile():
        await ask(means(ledger, said("First", "c1")), attempt=1)

    second = said("Second", "c1", "c2")
    told = await ask(means(ledger, second, meanwhile=meanwhile), attempt=2)

    assert [call.call_id for call in told.calls] == ["1.0"]
    (row,) = await ledger.read(calls.of_run, RUN)
    assert (row.call_id, row.arguments["body"]) == ("1.0", f"First\n\n{MARK}")
    (kept,) = await ledger.read(turns.replied, RUN)
    assert json.loads(kept.content)[0]["text"] == "First"
    assert told.spent.usd == 2 * prices.charged(MODEL, said("").usage)


async def test_r5_a_turn_over_budget_asks_nobody_and_reserves_nothing(ledger):
    found = means(ledger)
    told = await ask(found, budget=Budget(tokens=10))

    assert (told.stop, told.calls, found.model.asked) == (Stop.OVER_BUDGET, (), [])
    assert await ledger.read(turns.under_way) == frozenset()


async def test_r5_a_reply_that_was_begun_and_lost_is_charged_as_assumed(ledger):
    lost = Unavailable("the stream ended", begun=True)
    found = means(ledger, lost, Unavailable("busy"), Rejected("no key"), said("Hello"))
    for attempt, error in ((1, Unavailable), (2, Unavailable), (3, Rejected)):
        with pytest.raises(error):
            await ask(found, attempt)

    told = await ask(found, attempt=1)
    assumed = found.model.asked[0].max_tokens
    needed = told.spent.input_tokens - 1000
    estimate = prices.estimated(MODEL, needed, assumed, kept_long=STATIC)
    assert told.spent.assumed == 1
    assert told.spent.usd == estimate + prices.charged(MODEL, said("").usage)


@pytest.mark.parametrize(
    ("stop", "call_ids", "told"),
    [
        ("end_turn", (), Stop.END_TURN),
        ("tool_use", (), Stop.OTHER),
        ("model_context_window_exceeded", (), Stop.CONTEXT_EXCEEDED),
        ("a word of tomorrow", (), Stop.OTHER),
        ("over_budget", (), Stop.OTHER),
        ("over_budget", ("c1",), Stop.OTHER),
        ("other", (), Stop.OTHER),
        ("tool_use", ("c1", "c2"), Stop.TOOL_USE),
        ("end_turn", ("c1",), Stop.TOOL_USE),
        ("stop_sequence", ("c1",), Stop.TOOL_USE),
        ("pause_turn", ("c1",), Stop.TOOL_USE),
        ("stop_sequence", (), Stop.STOP_SEQUENCE),
        ("pause_turn", (), Stop.PAUSE_TURN),
        ("max_tokens", ("c1",), Stop.MAX_TOKENS),
        ("refusal", ("c1",), Stop.REFUSAL),
    ],
)
async def test_a3_why_the_model_stopped_is_one_of_our_words(ledger, stop, call_ids, told):
    answer = said("Hello", *call_ids)
    reply = Said(content=answer.content, stop=stop, usage={}, request_id=None)
    found = means(ledger, reply, reply)

    reply = await ask(found)
    assert (reply.stop, len(reply.calls)) == (told, len(call_ids))


async def test_a2_a_provider_that_repeats_its_ids_loses_no_call(ledger):
    found = means(ledger, said("One", "call_0"), said("Two", "call_0", "call_0"))
    await ask(found)
    await ledger.write(calls.finish, RUN, "1.0", DONE, AT)
    told = await ask(found, turn=2)

    assert [call.call_id for call in told.calls] == ["2.0", "2.1"]
    assert [call.call_id for call in await ledger.read(calls.of_run, RUN)] == ["1.0", "2.0", "2.1"]


async def test_a3_a_call_that_can_not_be_used_is_answered_when_its_reply_is_recorded(ledger):
    wrong = said("Hello", "c1")
    wrong.content[1]["input"] = {"body": 7}
    (call,) = (await ask(means(ledger, wrong))).calls

    row = await ledger.read(calls.one, RUN, call.call_id)
    assert not call.usable
    assert (row.state, row.is_error) == (CallState.REFUSED, True)
    assert "body: 7 is not of type 'string'" in row.content[0]["text"]


async def test_r5_a_last_turn_says_why_also_when_its_worker_was_lost_after_it(ledger):
    """Its calls are refused, whatever the model was told."""
    found = means(ledger, said("I did what I could.", "c1"))
    found = replace(found, configuration=finishing)
    first = await ask(found)
    again = await ask(found, attempt=2)

    assert found.model.asked[0].tools_forbidden
    assert first == again
    assert first.refusal.startswith("rule triage:")
    assert (first.calls, first.over) == ((), OverBudget.FINISH)
    (row,) = await ledger.read(calls.of_run, RUN)
    assert row.state is CallState.REFUSED


def finishing():
    room = Cap(tokens=STATIC + 400 + 1500)
    return configuration(rule("triage", caps=Caps(day=room, over=OverBudget.FINISH)))
