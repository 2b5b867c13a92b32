"""Catching up has an age limit: what comes very late wakes who waits for it, and starts nothing by itself."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.dispatch.decide import decide
from orchestrator.dispatch.late import DELIVERED_AT, too_late
from orchestrator.inbox.inbox import Action, DecisionState
from orchestrator.rules.rule import Destination
from tests.support.builders import NOW, event, known, rule, wanted

DAY = timedelta(days=1)


def late(length, **changes):
    return event(headers={DELIVERED_AT: (NOW - length).isoformat()}, **changes)


def test_r1_a_rule_leaves_what_is_too_late_alone_and_says_how_to_act_on_it():
    (decision,) = decide(late(timedelta(hours=26)), 9, known(rule(), catch_up=DAY))

    assert decision.action is Action.IGNORE
    assert decision.state is DecisionState.SETTLED
    assert decision.lane is None
    assert decision.reason == (
        "came 26 hours late: older than catch_up 24 hours; "
        "`doorbell events redeliver evt_1` acts on it deliberately"
    )


def test_what_came_in_time_or_is_of_unknown_age_starts_what_it_would():
    for one in (late(DAY), event(), event(headers={DELIVERED_AT: "yesterday"})):
        (decision,) = decide(one, 9, known(rule(), catch_up=DAY))
        assert (decision.action, decision.reason) == (Action.START, "matched")


def test_r1_a_rule_that_would_not_have_matched_anyway_keeps_its_own_reason():
    (decision,) = decide(late(2 * DAY), 9, known(rule(on=("stripe/*",)), catch_up=DAY))

    assert decision.reason.startswith("no match")


def test_a5_who_waits_for_it_is_woken_however_late_it_comes_and_the_folded_start_is_none():
    woken, started = decide(late(7 * DAY), 9, known(rule(), waits=[wanted()], catch_up=DAY))

    assert woken.action is Action.RESUME
    assert (started.action, started.state) == (Action.IGNORE, DecisionState.SETTLED)


def test_a_forward_is_left_alone_too():
    to = Destination(url="https://a.example/in", label="https://a.example", secrets=(), timeout=DAY)
    (decision,) = decide(late(2 * DAY), 9, known(rule(forward=to, playbook=None), catch_up=DAY))

    assert decision.action is Action.IGNORE


def test_d3_a_person_who_redelivers_it_means_it_however_old_it_is():
    (decision,) = decide(late(7 * DAY), 9, known(rule(), catch_up=DAY, again=12))

    assert decision.action is Action.START


@pytest.mark.parametrize(
    ("length", "limit", "said"),
    [
        (
            timedelta(minutes=31),
            timedelta(minutes=30),
            "came 31 minutes late: older than catch_up 30 minutes",
        ),
        (
            timedelta(seconds=61),
            timedelta(minutes=1),
            "came 2 minutes late: older than catch_up 1 minute",
        ),
        (
            timedelta(minutes=61),
            timedelta(hours=1),
            "came 2 hours late: older than catch_up 1 hour",
        ),
    ],
)
def test_the_reason_rounds_what_was_late_up(length, limit, said):
    assert too_late(late(length), limit).startswith(said)


@given(
    st.timedeltas(timedelta(), timedelta(days=400)), st.timedeltas(timedelta(), timedelta(days=400))
)
def test_too_late_is_exactly_what_came_later_than_the_limit(length, limit):
    assert (too_late(late(length), limit) is not None) == (length > limit)
