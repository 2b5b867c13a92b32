"""A8: the model may say how its run ended, and can't say it better than it was."""

import pytest

from orchestrator.agent.conversation import frozen as pins
from orchestrator.agent.tools.builtins import BUILT_INS
from tests.support.builders import RUN, frozen, tool_call
from tests.support.looping import COMMENT, acted, ended, loop
from workflows import own_tools
from workflows.loop import AskModel, End
from workflows.messages import CallState, Outcome, Reply, Stop
from workflows.policy import Finish, Refuse

FINISH = own_tools.FINISH


def finishing(subject, claimed, *beside):
    turn = subject.next().turn
    calls = tuple(tool_call(alias, f"c{turn}.{n}") for n, alias in enumerate(beside))
    calls += (tool_call(FINISH, f"c{turn}.9", ends=claimed),)
    subject.receive(Reply(turn=turn, stop=Stop.TOOL_USE, calls=calls))
    verdicts = subject.next().verdicts
    subject.answered(tuple(ended(verdict) for verdict in verdicts))
    return verdicts


@pytest.mark.parametrize(
    ("state", "claimed", "found"),
    [
        (CallState.DONE, Outcome.COMPLETED, Outcome.COMPLETED),
        (CallState.DONE, Outcome.NEEDS_ATTENTION, Outcome.NEEDS_ATTENTION),
        (CallState.UNKNOWN, Outcome.COMPLETED, Outcome.NEEDS_ATTENTION),
        (CallState.FAILED, Outcome.COMPLETED, Outcome.NEEDS_ATTENTION),
    ],
)
def test_a8_what_the_model_claims_hides_no_write_that_went_wrong(state, claimed, found):
    subject = loop()
    acted(subject, COMMENT.alias, state=state)
    (verdict,) = finishing(subject, claimed)
    assert isinstance(verdict, Finish)
    step = subject.next()
    assert isinstance(step, End)
    assert step.outcome is found


def test_a8_a_run_ends_only_when_the_model_has_seen_everything():
    subject = loop()
    _, refused = finishing(subject, Outcome.COMPLETED, "github__look")
    assert isinstance(refused, Refuse)
    assert not refused.denied
    assert isinstance(subject.next(), AskModel)


def test_an_event_that_comes_with_the_last_word_is_heard_all_the_same():
    subject = loop()
    finishing(subject, Outcome.COMPLETED)
    assert subject.next() == End(Outcome.COMPLETED, "")
    subject.noted()
    assert isinstance(subject.next(), AskModel)


def planned(name, **given):
    pinned = frozen(built_ins=own_tools.BUILT_INS)
    content = [{"type": "tool_use", "id": "t1", "name": name, "input": given}]
    (plan,) = pins.planned(pinned, RUN, 1, content)
    return plan


def test_a8_a_claim_is_one_of_two_words():
    fine = planned(FINISH, outcome="needs_attention", summary="Nobody answered.")
    assert (fine.complaint, fine.call.ends) == (None, Outcome.NEEDS_ATTENTION)
    wrong = planned(FINISH, outcome="superseded", summary="x")
    assert (wrong.call.usable, wrong.call.ends) == (False, None)


@pytest.mark.parametrize("until", ["30m", "7d", "2026-11-23T09:00:00+01:00", "2026-11-23 09:00Z"])
def test_a5_a_sleep_ends_at_a_moment_or_after_a_time(until):
    assert planned(own_tools.SLEEP, until=until, reason="r").complaint is None


@pytest.mark.parametrize(
    "until", ["", "soon", "0m", "2026-11-23T09:00:00", "2026-02-31T09:00Z", "7d\n", "100000d"]
)
def test_a5_a_sleep_without_an_end_is_refused(until):
    assert planned(own_tools.SLEEP, until=until, reason="r").complaint


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, None),
        ({"when": "event.issue.number > 7"}, None),
        ({"when": "event.issue.number >"}, "`when` can't be read"),
        ({"when": "nothing"}, "undeclared reference to 'nothing'"),
        ({"events": ["elsewhere/push"]}, "Nobody rings as 'elsewhere'"),
    ],
)
def test_a5_a_wait_says_of_which_events_something_must_hold(given, said):
    asked = {"events": ["github/push"], "reason": "r"} | given
    complaint = planned(own_tools.WAIT, **asked).complaint
    assert complaint is None if said is None else said in complaint


def test_every_tool_that_a_run_answers_itself_is_defined():
    assert set(BUILT_INS) == set(own_tools.BUILT_INS)
    assert [definition["name"] for definition in BUILT_INS.values()] == list(BUILT_INS)
