"""A5: what an event is to the waits of runs: it ends one, passes one by, or comes too late; as a pure function."""

from dataclasses import replace

import pytest

from orchestrator.dispatch.awaited import lacking
from orchestrator.dispatch.decide import decide
from orchestrator.inbox.inbox import Action, DecisionState
from orchestrator.rules.reading import Reading
from tests.support.builders import AT, RUN, WORKFLOW, event, known, rule, wanted

POSITION = 5
ADA = "event.comment.user.login == 'ada'"


def said(login):
    return event(data={"comment": {"user": {"login": login}}})


def decided(happened, *waits, rules=()):
    return decide(happened, POSITION, known(*rules, waits=list(waits)))


def told(decisions):
    return [(decision.action, decision.reason) for decision in decisions]


def test_a5_an_event_that_its_condition_holds_of_ends_a_wait():
    (decision,) = decided(said("ada"), wanted(cel=ADA))
    assert (decision.action, decision.wait_id) == (Action.RESUME, "wait_1")


def test_a5_an_event_that_its_condition_does_not_hold_of_passes_a_wait_by_and_says_why():
    (decision,) = decided(said("bob"), wanted(cel=ADA))
    assert decision.action is Action.IGNORE
    assert decision.state is DecisionState.SETTLED
    assert decision.cause == "wait:wait_1"
    assert decision.reason == f"run {RUN} still waits: {ADA!r} doesn't hold"


@pytest.mark.parametrize("cel", [ADA, "event.nothing.there > 1", "size(event.comment) in 3"])
def test_a5_a_condition_that_cannot_be_answered_holds_of_nothing(cel):
    why = lacking(wanted(cel=cel), Reading(event(data={"comment": {}})))
    assert why


def test_r2_of_two_waits_of_one_run_an_event_ends_the_older_only():
    newer = wanted(wait_id="wait_2")
    first, second = decided(event(), wanted(), newer)
    assert (first.action, first.wait_id) == (Action.RESUME, "wait_1")
    assert (second.action, second.cause) == (Action.IGNORE, "wait:wait_2")


def test_r2_an_event_ends_waits_of_several_runs():
    other = wanted(wait_id="wait_2", run_id="other.1", workflow_id="other~1")
    assert [one.action for one in decided(event(), wanted(), other)] == [Action.RESUME] * 2


def test_a5_an_event_that_comes_after_its_wait_has_ended_names_the_run():
    ended = wanted(ended="expired", deadline_at=AT - 5)
    (decision,) = decided(event(), ended)
    assert decision.action is Action.IGNORE
    assert (
        decision.reason == f"late: run {RUN} waited for it until 2026-11-21 11:59:55 UTC (expired)"
    )


def test_a5_an_event_that_comes_after_the_deadline_of_an_open_wait_is_late():
    (decision,) = decided(event(), wanted(deadline_at=AT - 5))
    assert decision.reason.startswith("late: ")


@pytest.mark.parametrize(
    "changes", [{"patterns": ("github/push",)}, {"key": "issue:other"}, {"since": POSITION}]
)
def test_an_event_that_was_never_wanted_is_not_late(changes):
    assert decided(event(), wanted(ended="closed", **changes)) == []


def test_an_event_is_not_late_for_a_run_that_hears_of_it_otherwise():
    old, new = wanted(ended="resolved"), wanted(wait_id="wait_2")
    assert [one.action for one in decided(event(), old, new)] == [Action.RESUME]
    starting = rule()
    (started,) = decided(event(), rules=[starting])
    same = replace(old, workflow_id=started.workflow_id)
    assert [one.action for one in decided(event(), same, rules=[starting])] == [Action.START]


def test_of_many_runs_that_no_longer_wait_the_newest_are_named():
    waits = [
        wanted(wait_id=f"wait_{n}", run_id=f"run.{n}", workflow_id=f"w~{n}", ended="closed")
        for n in range(9)
    ]
    assert [one.cause for one in decided(event(), *waits)] == [
        "wait:wait_8",
        "wait:wait_7",
        "wait:wait_6",
    ]


def test_r4_our_own_writes_are_neither_wanted_nor_late():
    ours = replace(event(), actor=replace(event().actor, login="bot", id="9"))
    decisions = decide(
        ours,
        POSITION,
        known(waits=[wanted(), wanted(ended="closed")], own_actors=frozenset({"bot"})),
    )
    assert [one.cause for one in decisions] == ["doorbell:ourselves"]
    assert WORKFLOW not in {one.workflow_id for one in decisions}
