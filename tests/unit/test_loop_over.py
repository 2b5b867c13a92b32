"""R5 and A8: over a cap a run waits for money, takes its leave, or fails, and its outcome says why."""

import pytest

from tests.support.looping import BUDGET, COMMENT, READ, acted, loop, says
from workflows.loop import AskModel, End, Stay
from workflows.messages import Outcome, Reply, Spent, Stop
from workflows.playbook import OverBudget

WORDS = "rule triage: 20.00 USD per day is spent"


def refused(over=OverBudget.PARK, words=WORDS):
    return Reply(turn=2, stop=Stop.OVER_BUDGET, refusal=words, over=over)


@pytest.mark.parametrize(
    ("over", "step"),
    [
        (OverBudget.PARK, Stay(WORDS)),
        (OverBudget.FINISH, End(Outcome.NEEDS_ATTENTION, WORDS)),
        (OverBudget.FAIL, End(Outcome.FAILED, WORDS)),
    ],
)
def test_r5_over_a_cap_the_rule_says_what_happens(over, step):
    subject = loop()
    acted(subject, READ.alias)
    subject.receive(refused(over))

    assert subject.next() == step
    assert subject.state.turn == 1


def test_r5_resumed_it_asks_the_same_turn_again():
    subject = loop()
    acted(subject, READ.alias)
    subject.receive(refused())
    subject.resumed(BUDGET)

    assert subject.next() == AskModel(2, None)


def test_a8_a_last_turn_ends_the_run_with_the_reason_and_nothing_follows():
    subject = loop()
    acted(subject, COMMENT.alias)
    subject.receive(Reply(turn=2, stop=Stop.END_TURN, refusal=WORDS, over=OverBudget.FINISH))

    assert subject.next() == End(Outcome.NEEDS_ATTENTION, WORDS)


@pytest.mark.parametrize(
    ("over", "outcome"),
    [(OverBudget.FINISH, Outcome.NEEDS_ATTENTION), (OverBudget.FAIL, Outcome.FAILED)],
)
def test_r5_the_runs_own_budget_follows_the_rule_too(over, outcome):
    subject = loop()
    used = Spent(usd=BUDGET.usd)
    subject.receive(Reply(turn=1, stop=Stop.PAUSE_TURN, spent=used, over=over))

    assert subject.next() == End(outcome, "usd budget: 0.10 of 0.10 used")


def test_r5_without_words_the_runs_own_budget_is_named():
    subject = loop()
    subject.receive(says(1, stop=Stop.PAUSE_TURN))
    subject.receive(refused(words=""))

    step = subject.next()
    assert isinstance(step, Stay)
    assert "what is left of 0.10 usd and 1000 tokens" in step.reason


LEFT = "turns budget: 2 of 2 used"


def left(**changes):
    given = {"turn": 2, "stop": Stop.END_TURN, "refusal": LEFT, "stays": True}
    return Reply(**given | changes)


def test_r5_a_run_that_parks_over_its_own_budget_stays_with_its_leave_taken():
    subject = loop()
    acted(subject, READ.alias)
    subject.receive(left())

    assert subject.next() == Stay(LEFT)
    assert subject.next() == Stay(LEFT)


def test_r5_what_comes_while_it_leaves_is_heard_when_it_goes_on_and_ends_nothing():
    subject = loop()
    acted(subject, READ.alias)
    subject.receive(left())
    subject.noted()

    assert subject.next() == Stay(LEFT)
    subject.resumed(BUDGET)
    assert subject.next() == AskModel(3, None)


def test_r5_let_go_on_it_asks_the_next_turn():
    subject = loop()
    acted(subject, READ.alias)
    subject.receive(left())
    subject.resumed(BUDGET)

    assert subject.next() == AskModel(3, None)
    assert not subject.state.stays


def test_a8_a_failure_outdoes_a_leave():
    subject = loop()
    acted(subject, READ.alias)
    subject.receive(left())
    subject.failed("nobody answered in time")

    assert subject.next() == End(Outcome.FAILED, "nobody answered in time")
