"""R2: of an event that came before a wait it is known whether it reaches the run otherwise, or it is asked again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.dispatch.reaching import TAKEN, Reach, reach
from orchestrator.inbox.inbox import Action, Decision, DecisionState
from workflows.flow import Flow, Mode
from workflows.messages import Claim

WORKFLOW, WAIT = "w1", "wait_1"
WAYS = (DecisionState.DELIVERED, DecisionState.SETTLED)


def decision(number=1, state=DecisionState.DELIVERED, **changes):
    values = {
        "id": f"dec_{number}",
        "event_id": "e1",
        "cause": "triage",
        "rule": "triage",
        "action": Action.START,
        "reason": "",
        "workflow_id": WORKFLOW,
        "state": state,
    }
    return Decision(**values | changes)


def found(*decided, how=None):
    taken = {} if how is None else {one.id: how for one in decided}
    return reach(decided, taken, WORKFLOW, WAIT)


@pytest.mark.parametrize("state", WAYS)
@pytest.mark.parametrize("how", list(Claim))
def test_r2_what_a_run_has_claimed_reaches_it_where_the_word_says_that_it_was_heard(state, how):
    assert found(decision(state=state), how=how) is (Reach.YES if how in TAKEN else Reach.NO)


@pytest.mark.parametrize("mode", list(Mode))
def test_r2_what_stands_in_the_mailbox_is_heard_unless_an_open_run_may_turn_it_away(mode):
    may = mode in {Mode.SINGLE, Mode.SUPERSEDE}
    assert found(decision(flow=Flow(mode=mode))) is (Reach.UNKNOWN if may else Reach.YES)


@pytest.mark.parametrize("state", [DecisionState.READY, DecisionState.FOLDED])
def test_r2_of_what_is_not_delivered_yet_nobody_knows(state):
    assert found(decision(state=state)) is Reach.UNKNOWN


def test_r2_what_is_buried_or_was_discarded_reaches_nobody():
    assert found(decision(state=DecisionState.DEAD)) is Reach.NO
    assert found(decision(state=DecisionState.SETTLED)) is Reach.NO


def test_r2_a_wake_up_of_another_wait_may_still_come_too_late():
    other = decision(action=Action.RESUME, wait_id="wait_2")
    assert found(other) is Reach.UNKNOWN
    assert found(other, how=Claim.LATE) is Reach.NO


def test_r2_a_start_that_was_folded_into_a_late_wake_up_will_act_yet():
    late = decision(action=Action.RESUME, wait_id="wait_2")
    folded = decision(2, state=DecisionState.FOLDED)
    assert reach([late, folded], {late.id: Claim.LATE}, WORKFLOW, WAIT) is Reach.UNKNOWN
    assert reach([late, folded], {late.id: Claim.CONSUMED}, WORKFLOW, WAIT) is Reach.YES


def test_r2_what_goes_to_other_runs_or_nowhere_says_nothing_of_this_one():
    assert found(decision(workflow_id="w2"), how=Claim.CONSUMED) is Reach.NO
    assert found(decision(action=Action.IGNORE), how=Claim.CONSUMED) is Reach.NO


@given(st.lists(st.sampled_from(list(DecisionState)), max_size=4))
def test_r2_an_event_that_was_found_for_the_wait_before_is_its_own_whatever_else_there_is(states):
    own = decision(9, action=Action.RESUME, wait_id=WAIT)
    others = [decision(number, state=state) for number, state in enumerate(states)]
    assert found(own, *others) is Reach.NO


@given(st.lists(st.tuples(st.sampled_from(list(DecisionState)), st.sampled_from([None, *Claim]))))
def test_r2_one_way_is_enough_and_an_open_question_is_no_answer(ways):
    decided = [decision(number, state=state) for number, (state, _) in enumerate(ways)]
    taken = {one.id: how for one, (_, how) in zip(decided, ways, strict=True) if how is not None}
    each = [reach([one], taken, WORKFLOW, WAIT) for one in decided]
    whole = reach(decided, taken, WORKFLOW, WAIT)
    order = (Reach.YES, Reach.UNKNOWN, Reach.NO)
    assert whole is next((one for one in order if one in each), Reach.NO)
