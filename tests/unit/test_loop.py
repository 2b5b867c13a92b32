"""The agent loop, step by step: promises A2, A3 and A8."""

from dataclasses import replace
from decimal import Decimal

import pytest

from tests.support.builders import spent
from tests.support.looping import BUDGET, COMMENT, LABEL, READ, acted, loop, says
from workflows.loop import Act, AskModel, End, Stay, Tally
from workflows.messages import CallOutcome, CallState, Outcome, Stop
from workflows.own_tools import WAIT
from workflows.playbook import Stage
from workflows.policy import Refuse, Send, WaitFor


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
        (READ.alias, CallState.FAILED, Outcome.COMPLETED),
        (READ.alias, CallState.REFUSED, Outcome.COMPLETED),
        (COMMENT.alias, CallState.FAILED, Outcome.NEEDS_ATTENTION),
        (COMMENT.alias, CallState.REFUSED, Outcome.NEEDS_ATTENTION),
        (LABEL.alias, CallState.FAILED, Outcome.NEEDS_ATTENTION),
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


@pytest.mark.parametrize("state", [CallState.FAILED, CallState.REFUSED])
def test_a8_a_write_that_was_made_good_later_is_forgiven(state):
    subject = loop()
    acted(subject, LABEL.alias, state=state)
    acted(subject, LABEL.alias)
    subject.receive(says(3))

    assert subject.next() == End(Outcome.COMPLETED, "")


def test_a8_a_write_is_not_made_good_by_another_tool():
    subject = loop()
    acted(subject, LABEL.alias, state=CallState.FAILED)
    acted(subject, COMMENT.alias)
    subject.receive(says(3))

    assert subject.next() == End(Outcome.NEEDS_ATTENTION, "")


def test_a8_it_is_the_newest_write_of_a_tool_that_counts():
    subject = loop()
    acted(subject, LABEL.alias)
    acted(subject, LABEL.alias, state=CallState.FAILED)
    subject.receive(says(3))

    assert subject.next() == End(Outcome.NEEDS_ATTENTION, "")


def test_a8_a_proposal_that_was_recorded_needs_no_attention():
    subject = loop(stage=Stage.PREVIEW)
    acted(subject, COMMENT.alias)
    subject.receive(says(2))

    assert subject.next() == End(Outcome.COMPLETED, "")


def test_a2_a_write_that_never_left_uses_up_neither_its_max_nor_the_budget():
    subject = loop()
    for _ in range(4):
        (verdict,) = acted(subject, COMMENT.alias, state=CallState.REFUSED)
        assert isinstance(verdict, Send)

    assert (subject.state.tool_calls, subject.state.writes.get(COMMENT.alias, 0)) == (0, 0)
    assert isinstance(acted(subject, COMMENT.alias)[0], Send)
    assert isinstance(acted(subject, COMMENT.alias)[0], Refuse)


@pytest.mark.parametrize("state", [CallState.FAILED, CallState.UNKNOWN, CallState.DONE])
def test_a2_a_write_that_may_have_left_is_used_up(state):
    subject = loop()
    acted(subject, COMMENT.alias, state=state)

    assert subject.state.tool_calls == 1
    assert isinstance(acted(subject, COMMENT.alias)[0], Refuse)


def test_a3_a_turn_that_was_not_begun_says_what_is_left():
    subject = loop()
    subject.receive(says(1, stop=Stop.OVER_BUDGET))

    step = subject.next()
    assert isinstance(step, Stay)
    assert str(BUDGET.usd) in step.reason
    assert str(BUDGET.tokens) in step.reason


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


def test_a3_a_resumed_run_is_told_to_finish_again_near_its_new_limit():
    subject = loop()
    subject.receive(says(1, READ.alias, used=spent("0.10")))
    subject.answered((CallOutcome(call_id="c1.0", state=CallState.DONE),))
    subject.noted(nudge=True)
    subject.resumed(replace(BUDGET, usd=Decimal("0.12")))

    step = subject.next()
    assert isinstance(step, AskModel)
    assert "0.10 of 0.12 usd" in step.nudge


def test_a3_an_event_that_is_handed_in_is_no_nudge():
    subject = loop()
    subject.receive(says(1, READ.alias, used=spent("0.08")))
    subject.answered((CallOutcome(call_id="c1.0", state=CallState.DONE),))
    subject.noted()

    assert subject.next().nudge is not None


def test_r5_the_calls_of_one_turn_share_the_budget_of_tool_calls():
    verdicts = acted(loop(), *[READ.alias] * (BUDGET.tool_calls + 2))

    allowed = [isinstance(verdict, Send) for verdict in verdicts]
    assert allowed == [True] * BUDGET.tool_calls + [False] * 2


def test_a2_the_writes_of_one_turn_share_the_limit_of_their_tool():
    verdicts = acted(loop(), *[LABEL.alias] * 3, COMMENT.alias)

    assert [type(verdict) for verdict in verdicts] == [Send, Send, Refuse, Send]


def test_a8_what_was_done_is_counted_exactly():
    subject = loop()
    acted(subject, READ.alias, LABEL.alias)
    acted(subject, LABEL.alias, state=CallState.FAILED)
    acted(subject, READ.alias, state=CallState.REFUSED)
    acted(subject, COMMENT.alias, COMMENT.alias, state=CallState.UNKNOWN)
    acted(subject, COMMENT.alias, "github__erase")

    assert subject.state.tally == Tally(done=2, failed=2, unknown=1, denied=2, written=1)
    rehearsed = loop(stage=Stage.PREVIEW)
    acted(rehearsed, COMMENT.alias, LABEL.alias, LABEL.alias)
    assert rehearsed.state.tally == Tally(proposed=3)
