"""Which run is shown at which sending of an event: its own, never one that a later sending opened."""

import pytest

from orchestrator.dispatch.reached import run_reached
from orchestrator.inbox.inbox import Action, DecisionState
from tests.conformance.inboxes import decision

INTO = "w"


def sending(name, again=None, state=DecisionState.DELIVERED, **changes):
    return decision(name, workflow_id=INTO, again=again, state=state, **changes)


FIRST, SECOND = sending("d1"), sending("d2", again=7)


@pytest.mark.parametrize(
    ("mine", "reached", "found"),
    [
        (FIRST, {("e1", INTO): "r1"}, "r1"),
        (FIRST, {("e1", INTO): "r2", ("d1", INTO): "r1", ("d2", INTO): "r2"}, "r1"),
        (SECOND, {("e1", INTO): "r2", ("d1", INTO): "r1", ("d2", INTO): "r2"}, "r2"),
        # The first joined a run of another event, of which the ledger keeps the newest only.
        (FIRST, {("e1", INTO): "r2", ("d2", INTO): "r2"}, None),
        # The second joined the run that the first opened.
        (SECOND, {("e1", INTO): "r1", ("d1", INTO): "r1"}, "r1"),
        (FIRST, {("e1", "elsewhere"): "r1"}, None),
    ],
)
def test_r1_each_sending_is_shown_with_its_own_run(mine, reached, found):
    assert run_reached(mine, "e1", [FIRST, SECOND], reached) == found


def test_r1_a_sending_that_still_waits_is_shown_with_no_run_of_before():
    held = sending("d2", again=7, state=DecisionState.READY)
    assert run_reached(held, "e1", [FIRST, held], {("e1", INTO): "r1", ("d1", INTO): "r1"}) is None


def test_r1_a_first_sending_whose_delivery_is_not_known_yet_is_shown_with_the_run_it_reached():
    sent = sending("d1", state=DecisionState.READY)
    assert run_reached(sent, "e1", [sent], {("e1", INTO): "r1"}) == "r1"


def test_r1_what_wakes_a_run_names_it_and_what_was_ignored_reached_none():
    wakes = sending("d1", action=Action.RESUME, with_={"run": "r9"})
    assert run_reached(wakes, "e1", [wakes], {}) == "r9"
    ignored = sending("d1", action=Action.IGNORE)
    assert run_reached(ignored, "e1", [ignored], {("e1", INTO): "r1"}) is None
