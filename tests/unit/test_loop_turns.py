"""A3 and A8: `turns: N` is enough for whoever needs N; who wants a tool in the last one sums up after it, and parks."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import spent
from tests.support.looping import BUDGET, COMMENT, READ, acted, loop, says
from workflows.loop import Act, AskModel, End, Stay, TakeLeave
from workflows.messages import CallOutcome, CallState, Outcome, Reply, Stop
from workflows.own_tools import FINISH, WAIT
from workflows.playbook import OverBudget

USED_UP = "turns budget: 2 of 2 used"
SUMMARY = Reply(turn=3, stop=Stop.END_TURN, refusal=USED_UP, stays=True)


def two_turns(**changes):
    return loop(budget=replace(BUDGET, turns=2, **changes))


def used_up(over=OverBudget.PARK, **changes):
    """A loop that wanted a tool in the last of its turns, and had it."""
    subject = two_turns(**changes)
    acted(subject, READ.alias)
    subject.receive(replace(says(2, COMMENT.alias), over=over))
    assert isinstance(subject.next(), Act)
    subject.answered((CallOutcome(call_id="c2.0", state=CallState.DONE),))
    return subject


@given(st.integers(1, 30))
def test_a3_a_run_that_needs_exactly_its_turns_completes(turns):
    subject = loop(budget=replace(BUDGET, turns=turns, tool_calls=99))
    for turn in range(1, turns):
        subject.noted(nudge=True)
        assert subject.next() == AskModel(turn, None)
        subject.receive(says(turn, READ.alias))
        subject.answered((CallOutcome(call_id=f"c{turn}.0", state=CallState.DONE),))
    subject.receive(says(turns))

    assert subject.next() == End(Outcome.COMPLETED, "")


def test_a3_a_run_that_finishes_with_its_last_turn_ends_as_it_says():
    subject = two_turns()
    acted(subject, READ.alias)
    subject.receive(says(2, FINISH))
    (call,) = subject.state.calls
    subject.state = replace(subject.state, calls=(replace(call, ends=Outcome.COMPLETED),))
    subject.answered((CallOutcome(call_id=call.call_id, state=CallState.DONE),))

    assert subject.next() == End(Outcome.COMPLETED, "")


def test_a3_the_calls_of_the_last_turn_are_made_and_then_it_sums_up():
    subject = used_up()

    assert subject.state.tally.done == 2
    assert subject.next() == TakeLeave(3, USED_UP, Stay(USED_UP))


def test_a3_a_wait_in_the_last_turn_is_waited_for_before_it_sums_up():
    subject = two_turns()
    acted(subject, READ.alias)
    acted(subject, WAIT)

    assert isinstance(subject.next(), TakeLeave)


def test_a3_what_comes_meanwhile_does_not_spare_the_summary():
    subject = used_up()
    subject.noted()

    assert isinstance(subject.next(), TakeLeave)


def test_r5_where_the_rule_wants_an_end_the_summary_is_its_last_word():
    subject = used_up(OverBudget.FINISH)
    assert subject.next() == TakeLeave(3, USED_UP, End(Outcome.NEEDS_ATTENTION, USED_UP))
    subject.receive(replace(SUMMARY, stays=False, over=OverBudget.FINISH))

    assert subject.next() == End(Outcome.NEEDS_ATTENTION, USED_UP)


def test_r5_where_the_rule_wants_a_failure_nobody_is_asked_for_a_summary():
    assert used_up(OverBudget.FAIL).next() == End(Outcome.FAILED, USED_UP)


@pytest.mark.parametrize("used", [spent("0.10"), spent(tokens=1000)], ids=["usd", "tokens"])
def test_r5_without_money_for_a_summary_there_is_none(used):
    subject = two_turns()
    acted(subject, READ.alias)
    subject.receive(says(2, READ.alias, used=used))
    subject.answered((CallOutcome(call_id="c2.0", state=CallState.DONE),))

    assert isinstance(subject.next(), Stay)


def test_r5_a_summary_that_no_cap_allows_is_not_asked_for_again():
    subject = used_up()
    subject.receive(Reply(turn=3, stop=Stop.OVER_BUDGET))

    assert subject.next() == Stay(USED_UP)


@pytest.mark.parametrize("turns", [2, 5])
def test_a3_held_before_it_summed_up_it_does_so_when_it_goes_on_or_works_where_it_may(turns):
    subject = used_up()
    subject.resumed(replace(subject.state.budget, turns=turns), subject.state.stop)

    assert isinstance(subject.next(), TakeLeave if turns == 2 else AskModel)


def test_r5_the_summary_is_no_turn_so_one_turn_more_is_one_turn_more():
    subject = used_up()
    subject.receive(SUMMARY)
    assert subject.next() == Stay(USED_UP)
    subject.resumed(subject.state.budget)
    assert subject.next() == Stay(USED_UP)

    subject.resumed(replace(subject.state.budget, turns=3))
    subject.noted(nudge=True)
    assert subject.next() == AskModel(4, None)
    subject.receive(says(4))
    assert subject.next() == End(Outcome.COMPLETED, "")
