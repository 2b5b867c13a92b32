"""A person's `run.start`: a start like others, or a word that says why it is none."""

from typing import Any

import pytest

from orchestrator.dispatch.decide import PERSON
from orchestrator.dispatch.starting import started, workflow_of
from orchestrator.inbox.inbox import Action, DecisionState
from orchestrator.sources.source import OPERATOR
from tests.support.builders import KEY, event
from workflows.flow import Flow, Mode
from workflows.playbook import InputType, Playbook, Stage

TRIAGE = Playbook(
    name="triage",
    digest="p1",
    model="m",
    max_tokens=1,
    inputs={"number": InputType.INTEGER, "note": InputType.TEXT},
    tools={},
)
PLAYBOOKS = {"triage": TRIAGE}


def word(id_: str = "evt_1", **said: Any):
    data = {"type": "run.start", "playbook": "triage", "by": "ann"}
    given = {"with": {"number": 7, "note": "Look."}} | said
    return event(id=id_, source=OPERATOR, type="run.start", data=data | given)


def decided(there: str | None = None, **said: Any):
    return started(word(**said), PLAYBOOKS, "sha", there)


def test_it_is_a_start_with_its_inputs_and_previews_unless_told_otherwise():
    found = decided()

    assert (found.action, found.state, found.cause) == (
        Action.START,
        DecisionState.READY,
        PERSON,
    )
    assert (found.playbook, found.with_) == ("triage", {"number": 7, "note": "Look."})
    assert (found.stage, found.configuration) == (Stage.PREVIEW, "sha")
    assert found.flow == Flow(mode=Mode.SIGNAL)
    assert found.reason == "run.start by ann: no rule's limits apply, the caps of the day do"
    assert decided(stage="live").stage == Stage.LIVE


def test_r3_one_key_is_one_run_and_without_one_each_word_has_its_own():
    assert workflow_of(word("a", key=KEY)) == workflow_of(word("b", key=KEY))
    assert workflow_of(word("a")) != workflow_of(word("b"))
    assert (decided(key=KEY).key, decided().key) == (KEY, "evt_1")


def test_r3_a_run_by_hand_is_no_rules_run_of_the_same_name_and_key():
    assert workflow_of(word(key=KEY)).startswith("operator:triage:issue:acme-api-7~")


def test_r1_what_an_open_run_is_told_is_said():
    found = decided(there="0123456789ab.1", key=KEY)

    assert found.reason == (
        "run.start by ann: run 0123456789ab.1 of this key is open and is told (mode signal);"
        " its own inputs and stage stay"
    )


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"playbook": "traige"}, "there is no sound playbook 'traige'; did you mean 'triage'?"),
        ({"with": {"number": 7}}, "missing ['note'], not declared []"),
        ({"with": {"number": "7", "note": ""}}, "'number': expected a whole number"),
        ({"with": {"number": True, "note": ""}}, "'number': expected a whole number"),
        ({"with": None}, "expected inputs by name in `with`, got NoneType"),
        ({"with": "number"}, "expected inputs by name in `with`, got str"),
        ({"key": ""}, "expected a key such as issue:7, got ''"),
        ({"key": 7}, "expected a key such as issue:7, got 7"),
        ({"key": "issue:"}, "expected a key such as issue:7, got 'issue:'"),
        ({"stage": "Live"}, "expected the stage preview or live, got 'Live'"),
        ({"stage": None}, "expected the stage preview or live, got 'None'"),
    ],
)
def test_r1_what_does_not_fit_starts_nothing_and_says_why(said, why):
    found = decided(**said)

    assert (found.action, found.state, found.cause) == (
        Action.IGNORE,
        DecisionState.SETTLED,
        PERSON,
    )
    assert why in found.reason
