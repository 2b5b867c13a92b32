"""What a person's word about the inbox means, and when it is refused."""

import pytest
from msgspec.structs import replace

from orchestrator.dispatch.words import Found, answer, ordered, redelivered, refused
from orchestrator.inbox.inbox import Action, Decision, DecisionState, Entry, EntryState
from orchestrator.inbox.orders import Discard, Drain, Hold, Pausable, Retry
from orchestrator.sources.operator import NAMES
from orchestrator.sources.source import OPERATOR
from tests.support.builders import NOW, event

DEAD = Decision(
    id="dec_1",
    event_id="evt_1",
    cause="triage",
    rule="triage",
    action=Action.START,
    reason="matched",
    workflow_id="w1",
    state=DecisionState.DEAD,
    note="the server said no",
)


def word(said, named="dec_1", **data):
    return event(
        id="evt_w", source=OPERATOR, type=said, data={NAMES[said]: named, "by": "ann", **data}
    )


def entry(state=EntryState.DECIDED, **changes):
    values = {
        "position": 1,
        "id": "evt_1",
        "source": "github",
        "delivery_id": "d1",
        "type": "issues.opened",
        "subject": None,
        "actor": None,
        "keys": (),
        "headers": {},
        "body": b"{}",
        "received_at": NOW,
        "state": state,
    }
    return Entry(**values | changes)


def test_a_dead_letter_is_retried_or_discarded():
    found = Found(decision=DEAD)

    assert ordered(word("decision.retry"), found) == Retry("dec_1")
    assert ordered(word("decision.discard"), found) == Discard(
        "dec_1", "discarded by ann; it was dead: the server said no"
    )


@pytest.mark.parametrize("said", ["decision.retry", "decision.discard"])
@pytest.mark.parametrize("state", set(DecisionState) - {DecisionState.DEAD})
def test_what_is_not_dead_is_left_alone(said, state):
    told = ordered(word(said), Found(decision=replace(DEAD, state=state)))

    assert told == f"dec_1 is not a dead letter: it is {state}"
    assert ordered(word(said), Found()) == "there is no decision 'dec_1'"


def test_r2_a_resume_is_not_retried_when_its_rule_has_acted_in_its_place():
    wake = replace(DEAD, action=Action.RESUME)
    start = replace(DEAD, id="dec_2", state=DecisionState.DELIVERED)

    assert "dec_2" in ordered(word("decision.retry"), Found(decision=wake, beside=[wake, start]))
    for other in (
        replace(start, state=DecisionState.READY),
        replace(start, workflow_id="w2"),
        replace(start, again=4),
    ):
        found = Found(decision=wake, beside=[wake, other])
        assert ordered(word("decision.retry"), found) == Retry("dec_1")


@pytest.mark.parametrize("what", Pausable)
def test_a_rule_or_a_source_is_paused_and_unpaused_by_its_name(what):
    found = Found(rules={"triage"}, sources={"triage"})

    assert ordered(word(f"{what}.pause", "triage"), found) == Hold(
        what=what, name="triage", by="ann"
    )
    assert ordered(word(f"{what}.unpause", "triage"), found) == Drain(what=what, name="triage")


@pytest.mark.parametrize("what", Pausable)
def test_a_name_nobody_knows_is_not_paused_and_the_known_ones_are_told(what):
    known = Found(rules={"triage", "digest"}, sources={"triage", "digest"})

    assert ordered(word(f"{what}.pause", "triaje"), known) == (
        f"there is no {what} 'triaje'; expected one of digest, triage"
    )


def test_what_a_person_says_can_not_be_paused():
    assert "can't be paused" in ordered(word("source.pause", OPERATOR), Found(sources={OPERATOR}))


@pytest.mark.parametrize("state", set(EntryState) - {EntryState.DECIDED})
def test_d3_only_what_was_decided_about_is_redelivered(state):
    assert refused(entry(), "evt_1") is None
    assert refused(entry(state), "evt_1").startswith("evt_1 ")
    assert refused(None, "evt_9") == "there is no event 'evt_9'"


def test_d3_a_persons_word_is_not_redelivered():
    assert "say it again" in refused(entry(source=OPERATOR), "evt_1")


def test_r1_the_word_itself_has_a_decision_that_says_what_came_of_it():
    said = word("decision.retry")
    done, not_done = answer(said, Retry("dec_1")), answer(said, "there is nothing")

    assert (done.action, done.reason) == (Action.CONTROL, "decision.retry by ann")
    assert (not_done.action, not_done.reason) == (Action.IGNORE, "there is nothing")
    assert done.state is not_done.state is DecisionState.SETTLED
    acted = redelivered(
        word("event.redeliver", "evt_1"), [DEAD, replace(DEAD, action=Action.IGNORE)]
    )
    assert acted.reason == "event.redeliver by ann: 2 decided anew, 1 of them act"
