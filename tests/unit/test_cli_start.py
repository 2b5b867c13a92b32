"""`doorbell runs start`: checked before it is said, decided by the service, and told as what it came to."""

import json
from dataclasses import replace

import pytest

from orchestrator.cli import start
from orchestrator.dispatch.decide import PERSON
from orchestrator.inbox.inbox import Action
from orchestrator.ledger import conversations
from tests.support.builders import AT, KEY, opening
from tests.support.configurations import configuration
from tests.support.installed import Installed
from tests.support.rehearsing import secrets, written
from tests.support.service import until, working

NOTED = """\
---
model: claude-sonnet-5-5
inputs: {text: text, loud: boolean}
---
Note it.
"""
WITH = ("--with", "owner=acme", "--with", "number=7")


@pytest.fixture
def there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(start, "PATIENCE", 0.5)
    secrets(monkeypatch)
    written(tmp_path / "doorbell.d", playbooks__noted_md=NOTED)
    there = Installed(tmp_path / "state")
    there.only_kept()
    return there


def serving(there):
    return working(there, playbooks=configuration(playbooks__noted_md=NOTED).playbooks)


def decided(there, event_id):
    async def look(stores):
        (decision,) = (await stores.inbox.decisions([event_id]))[event_id]
        return decision

    return there.use(look)


def begin(there, runs, **changes):
    """Open the run that was delivered last, as its worker would; its id."""
    until(lambda: runs.arrived)
    (event_id, _) = runs.arrived[-1]
    decision = decided(there, event_id)
    given = {
        "workflow_id": decision.workflow_id,
        "event_id": event_id,
        "key": decision.key,
        "source": "operator",
    }
    begun = replace(opening(decision.id), **given | changes)
    there.write(conversations.begin, begun, AT)
    return there.use(lambda stores: stores.ledger.read(conversations.by_decision, decision.id))


def test_a_start_is_an_event_with_a_decision_of_its_own(there):
    with serving(there):
        told = there.told("runs", "start", "triage", *WITH, "--key", KEY, "--stage", "live")

    decision = decided(there, told["event"])
    assert (decision.action, decision.cause, decision.playbook) == (Action.START, PERSON, "triage")
    assert (decision.with_, decision.key, decision.stage) == (
        {"owner": "acme", "number": 7},
        KEY,
        "live",
    )
    assert (told["done"], told["workflow"]) == (True, decision.workflow_id)
    assert (told["run"], told["opened"]) == (None, False)
    shown = there.doorbell("why", told["event"]).stdout
    assert "operator/run.start" in shown
    assert "no rule's limits apply" in shown


def test_values_get_the_types_of_the_playbooks_inputs(there):
    given = ("--with", "text=a = b", "--with", "loud=true")
    with serving(there):
        told = there.told("runs", "start", "noted", *given)

    assert decided(there, told["event"]).with_ == {"text": "a = b", "loud": True}


def test_without_a_worker_it_says_that_nobody_has_taken_it_up(there):
    with serving(there):
        result = there.doorbell("runs", "start", "triage", *WITH)

    assert result.exit_code == 0
    assert "not taken up yet: run.start by" in result.stdout


def test_r3_a_second_start_of_an_open_run_is_told_to_it_and_says_so(there):
    words = ("runs", "start", "triage", *WITH, "--key", KEY)
    with serving(there) as runs:
        there.doorbell(*words)
        run = begin(there, runs)
        told = there.told(*words)

    assert f"run {run.run_id} of this key is open and is told (mode signal)" in told["reason"]
    assert told["workflow"] == run.workflow_id


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("traige", *WITH), "there is no sound playbook 'traige'; did you mean 'triage'?"),
        (("triage", "--with", "owner=acme"), "missing ['number'], not declared []"),
        (("triage", *WITH, "--with", "nr=7"), "not declared ['nr']"),
        (("triage", "--with", "owner=a", "--with", "number=x"), "expected a whole number, got 'x'"),
        (("triage", "--with", "owner=a b", "--with", "number=7"), "expected a slug"),
        (("noted", "--with", "text=x", "--with", "loud=yes"), "expected true or false"),
        (("triage", "--with", "owner"), "expected --with NAME=VALUE, got 'owner'"),
        (("triage", *WITH, "--with", "number=8"), "an input is given twice"),
        (("triage", *WITH, "--key", "seven"), "expected a key such as issue:7, got 'seven'"),
        (("triage", *WITH, "--stage", "loud"), "'loud' is not one of"),
    ],
)
def test_what_does_not_fit_is_never_said(there, words, said):
    result = there.doorbell("runs", "start", *words)

    assert result.exit_code != 0
    assert said in " ".join(result.output.split())
    assert there.told("events", "list") == []


def test_what_the_service_refuses_is_exit_one(there):
    """Its files are older than ours: it knows no such playbook yet."""
    with working(there):
        result = there.doorbell("runs", "start", "triage", *WITH, "--json")

    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert not told["done"]
    assert told["reason"].startswith("there is no sound playbook 'triage'")


def test_nothing_is_written_past_a_service_that_is_down(there):
    result = there.doorbell("runs", "start", "triage", *WITH)

    assert result.exit_code != 0
    assert "the service is not running here" in result.output
