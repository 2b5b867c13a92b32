"""The agent loop under a driver that answers anything: promises A3 and A8, whatever model and world do."""

from collections import Counter
from dataclasses import dataclass, field, replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from temporalio.contrib.pydantic import pydantic_data_converter

from tests.support.builders import card, opened, spent, tool_call
from workflows.loop import Act, AskModel, End, Loop, State, Stay
from workflows.messages import (
    WAIT,
    CallOutcome,
    CallState,
    Entry,
    Kind,
    Outcome,
    Reply,
    Spent,
    Stop,
)
from workflows.playbook import Budget, Effect, Stage
from workflows.policy import Propose, Refuse, Send, WaitFor
from workflows.run import Carried

READ = card()
LABEL = card("github__label", Effect.WRITE, max=2)
COMMENT = card("github__comment", Effect.WRITE_ONCE, max=1)
TOOLS = (READ, LABEL, COMMENT)
BUDGET = Budget(usd=Decimal("0.10"), tokens=1000, turns=6, tool_calls=5)
CONVERTER = pydantic_data_converter.payload_converter


def loop(**changes):
    return Loop(State.of(opened(*TOOLS, **{"budget": BUDGET} | changes)))


def says(turn, *aliases, stop=None, used=None):
    calls = tuple(tool_call(alias, f"c{turn}.{at}") for at, alias in enumerate(aliases))
    default = Stop.TOOL_USE if calls else Stop.END_TURN
    return Reply(turn=turn, stop=stop or default, calls=calls, spent=used or Spent())


def ended(verdict, state=CallState.DONE):
    forced = {Propose: CallState.PROPOSED, Refuse: CallState.REFUSED, WaitFor: CallState.DONE}
    return CallOutcome(call_id=verdict.call.call_id, state=forced.get(type(verdict), state))


def acted(subject, *aliases, state=CallState.DONE):
    turn = subject.next().turn
    subject.receive(says(turn, *aliases))
    verdicts = subject.next().verdicts
    subject.answered(tuple(ended(verdict, state) for verdict in verdicts))
    return verdicts


def carried_over(value):
    """The value after a journey through Temporal's history."""
    (payload,) = CONVERTER.to_payloads([value])
    return CONVERTER.from_payloads([payload], [type(value)])[0]


def test_a_conversation_begins_with_its_first_turn():
    assert loop().next() == AskModel(1, None)


def test_last_words_end_it():
    subject = loop()
    subject.receive(says(1))

    assert subject.next() == End(Outcome.COMPLETED, "")


def test_an_event_that_comes_at_the_end_keeps_it_going():
    subject = loop()
    subject.receive(says(1))

    assert subject.noted() == 0
    assert subject.next() == AskModel(2, None)


def test_notes_before_one_turn_are_numbered_after_the_opening_event():
    subject = loop()

    assert [subject.noted(), subject.noted()] == [1, 2]
    subject.receive(says(1, READ.alias))
    assert subject.noted() == 0


def test_verdicts_of_one_turn_count_each_other():
    verdicts = acted(loop(), COMMENT.alias, COMMENT.alias, WAIT, WAIT)

    assert [type(verdict) for verdict in verdicts] == [Send, Refuse, WaitFor, Refuse]


def test_a2_a_write_of_an_earlier_turn_counts():
    subject = loop()
    acted(subject, COMMENT.alias)

    assert isinstance(acted(subject, COMMENT.alias)[0], Refuse)


def test_calls_of_a_reply_that_was_cut_are_not_carried_out():
    subject = loop()
    subject.receive(replace(says(1, COMMENT.alias), stop=Stop.MAX_TOKENS))

    step = subject.next()
    assert isinstance(step, End)
    assert step.outcome is Outcome.NEEDS_ATTENTION
    assert "nothing of it was carried out" in step.reason


@pytest.mark.parametrize("stop", [Stop.MAX_TOKENS, Stop.REFUSAL, Stop.CONTEXT_EXCEEDED, Stop.OTHER])
def test_a8_a_model_that_did_not_finish_needs_attention_also_after_another_event(stop):
    subject = loop()
    subject.receive(says(1, stop=stop))
    subject.noted()

    step = subject.next()
    assert isinstance(step, End)
    assert (step.outcome, bool(step.reason)) == (Outcome.NEEDS_ATTENTION, True)


def test_a_paused_turn_goes_on():
    subject = loop()
    subject.receive(says(1, stop=Stop.PAUSE_TURN))

    assert subject.next() == AskModel(2, None)


@pytest.mark.parametrize(
    ("alias", "state", "outcome"),
    [
        (READ.alias, CallState.DONE, Outcome.COMPLETED),
        (COMMENT.alias, CallState.DONE, Outcome.COMPLETED),
        (COMMENT.alias, CallState.FAILED, Outcome.COMPLETED),
        (COMMENT.alias, CallState.UNKNOWN, Outcome.NEEDS_ATTENTION),
        ("github__erase", CallState.REFUSED, Outcome.COMPLETED),
    ],
)
def test_a8_the_outcome_is_honest(alias, state, outcome):
    subject = loop()
    acted(subject, alias, state=state)
    subject.receive(says(2))

    assert subject.next() == End(outcome, "")


def test_a8_a_denied_call_is_told():
    subject = loop()
    acted(subject, COMMENT.alias, COMMENT.alias)
    subject.receive(says(2))

    assert subject.next() == End(Outcome.COMPLETED_WITH_DENIALS, "")


def test_a8_what_nobody_knows_weighs_more_than_a_denial():
    subject = loop()
    acted(subject, COMMENT.alias, COMMENT.alias, state=CallState.UNKNOWN)
    subject.receive(says(2))

    assert subject.next() == End(Outcome.NEEDS_ATTENTION, "")


@pytest.mark.parametrize(
    ("used", "limit"), [(spent("0.10"), "usd"), (spent(tokens=1000), "tokens")]
)
def test_a3_over_budget_it_stays_and_goes_on_when_the_budget_was_raised(used, limit):
    subject = loop()
    subject.receive(says(1, READ.alias, used=used))
    subject.answered((CallOutcome(call_id="c1.0", state=CallState.DONE),))

    step = subject.next()
    assert isinstance(step, Stay)
    assert step.reason.startswith(f"{limit} budget")

    subject.resumed(replace(BUDGET, usd=Decimal(5), tokens=50_000))
    assert subject.next() == AskModel(2, None)


def test_a3_resumed_without_more_money_it_stays():
    subject = loop()
    subject.receive(says(1, READ.alias, used=spent("0.10")))
    subject.answered((CallOutcome(call_id="c1.0", state=CallState.DONE),))
    subject.resumed(BUDGET)

    assert isinstance(subject.next(), Stay)


def test_a3_a_turn_that_could_cost_too_much_was_not_begun():
    subject = loop()
    subject.noted()
    subject.receive(says(1, stop=Stop.OVER_BUDGET, used=spent("0.09")))

    assert isinstance(subject.next(), Stay)
    assert (subject.state.turn, subject.state.notes) == (0, 2)

    subject.resumed(replace(BUDGET, usd=Decimal(5)))
    assert subject.next() == AskModel(1, None)


def test_a3_answers_to_calls_come_before_the_end_of_the_budget():
    subject = loop()
    subject.receive(says(1, READ.alias, used=spent("9")))

    assert isinstance(subject.next(), Act)


def test_a3_at_four_fifths_it_is_told_to_finish_once():
    subject = loop()
    subject.receive(says(1, READ.alias, used=spent("0.08")))
    subject.answered((CallOutcome(call_id="c1.0", state=CallState.DONE),))

    step = subject.next()
    assert isinstance(step, AskModel)
    assert "0.08 of 0.10 usd" in step.nudge

    subject.noted(nudge=True)
    assert subject.next() == AskModel(2, None)


CALLS = st.lists(
    st.tuples(
        st.sampled_from([READ.alias, LABEL.alias, COMMENT.alias, WAIT, "github__erase"]),
        st.sampled_from([None, None, None, "it does not fit"]),
    ),
    min_size=1,
    max_size=4,
)
REPLIES = st.one_of(
    st.tuples(st.just(Stop.TOOL_USE), CALLS),
    st.tuples(st.just(Stop.TOOL_USE), CALLS),
    st.tuples(st.sampled_from(Stop), st.one_of(st.just([]), CALLS)),
)


@dataclass
class World:
    """Answers every step with what Hypothesis draws, and remembers what it saw."""

    subject: Loop
    data: st.DataObject
    sent: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    ended: list[tuple[object, CallState]] = field(default_factory=list)
    nudges: int = 0

    def step(self):
        """One step of the run; False when it is over."""
        self.subject = Loop(carried_over(self.subject.state))
        if self.data.draw(st.integers(0, 9)) == 0:
            self.subject.noted()
        step = self.subject.next()
        assert step == self.subject.next()
        match step:
            case AskModel(turn, None):
                self._reply(turn)
            case AskModel():
                assert self.nudges == 0
                self.nudges = 1
                self.subject.noted(nudge=True)
            case Act(verdicts):
                self._carry_out(verdicts)
            case Stay() if self.data.draw(st.booleans()):
                self.nudges = 0
                self.subject.resumed(replace(BUDGET, usd=Decimal(1), tokens=9000, turns=12))
            case Stay():
                return False
            case End():
                self._end(step)
                return False
        return True

    def _reply(self, turn):
        state = self.subject.state
        assert turn == state.turn + 1 <= state.budget.turns
        assert state.spent.usd < state.budget.usd
        assert state.spent.tokens < state.budget.tokens
        stop, asked = self.data.draw(REPLIES)
        if stop is Stop.TOOL_USE and not asked:
            stop = Stop.OTHER  # what `asking` makes of it
        calls = tuple(
            tool_call(alias, f"c{turn}.{at}", problem=problem)
            for at, (alias, problem) in enumerate(asked)
        )
        cost = Decimal(self.data.draw(st.integers(0, 4))) / 100
        tokens = state.spent.tokens + self.data.draw(st.integers(0, 400))
        used = Spent(usd=state.spent.usd + cost, input_tokens=tokens)
        self.subject.receive(Reply(turn=turn, stop=stop, calls=calls, spent=used))

    def _carry_out(self, verdicts):
        asked = [call.call_id for call in self.subject.state.calls]
        assert [verdict.call.call_id for verdict in verdicts] == asked
        assert sum(isinstance(verdict, WaitFor) for verdict in verdicts) <= 1
        self.answered.update(asked)
        states = st.sampled_from(
            [CallState.DONE, CallState.DONE, CallState.FAILED, CallState.UNKNOWN]
        )
        outcomes = [ended(verdict, self.data.draw(states)) for verdict in verdicts]
        for verdict, outcome in zip(verdicts, outcomes, strict=True):
            self.ended.append((verdict, outcome.state))
            if isinstance(verdict, Send):
                assert verdict.card in TOOLS
                self.sent[verdict.card.alias] += 1
        self.subject.answered(tuple(reversed(outcomes)))
        assert self.subject.state.calls == ()

    def _end(self, end):
        unknown = any(state is CallState.UNKNOWN for _, state in self.ended)
        denied = any(isinstance(verdict, Refuse) and verdict.denied for verdict, _ in self.ended)
        if unknown or end.reason:
            assert end.outcome is Outcome.NEEDS_ATTENTION
        else:
            expected = Outcome.COMPLETED_WITH_DENIALS if denied else Outcome.COMPLETED
            assert end.outcome is expected


@settings(max_examples=150, deadline=None)
@given(st.data(), st.sampled_from(Stage))
def test_a3_whatever_comes_limits_hold_and_every_call_is_answered_once(data, stage):
    world = World(loop(stage=stage), data)
    for _ in range(60):
        if not world.step():
            break

    assert set(world.answered.values()) <= {1}
    assert world.subject.state.tool_calls <= BUDGET.tool_calls
    for found in (LABEL, COMMENT):
        assert world.sent[found.alias] <= (found.max if stage is Stage.LIVE else 0)


def test_all_that_is_carried_over_comes_back_as_it_was():
    subject = loop()
    acted(subject, COMMENT.alias, COMMENT.alias, READ.alias)
    subject.receive(says(2, LABEL.alias, used=spent("0.0123456789", 77)))
    entry = Entry(decision_id="dec_1", kind=Kind.WOKEN, event_id="evt_1", wait_id="w", token="t")
    carried = Carried(mailbox=(entry,), conversation=subject.state)

    assert carried_over(carried) == carried
    assert carried_over(Carried()) == Carried()
