"""`doorbell runs`: what the agent did, and a person's word to it, which is a signed delivery like any other."""

import asyncio

import pytest

from orchestrator.dispatch.decide import decide
from orchestrator.inbox.inbox import Action, event_of
from orchestrator.inbox.sought import Sought
from orchestrator.ledger import turns, waits
from orchestrator.secrets import Secret
from orchestrator.sources.operator import operator_source
from orchestrator.sources.source import OPERATOR
from orchestrator.state import StateDirectory
from orchestrator.stores import Stores
from tests.support.builders import AT, KEY, RUN, WORKFLOW, charge, comment, known, wait
from tests.support.installed import UI, Installed, door_at
from workflows.messages import CallState, Outcome, RunState
from workflows.playbook import Effect

ADDRESS = (
    f"{UI}/namespaces/default/workflows/triage%3Aissue%3Aacme-api-7~{WORKFLOW.partition('~')[2]}"
)


@pytest.fixture
def there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    there = Installed(tmp_path / "state")
    there.only_kept(comment("evt_1"))
    there.began("evt_1")
    return there


def proposed(there, call_id="c1", turn=1):
    there.called(call_id, CallState.PROPOSED, turn, arguments={"body": "Hello\n" + "x" * 200})


def applied(there, state=CallState.DONE):
    there.called("c1:applied", state, 0)


def test_a_run_as_json_is_all_a_program_needs(there):
    there.said(1, {"type": "tool_use", "id": "c1", "name": "github__comment", "input": {}})
    there.called("c1", CallState.DONE)
    there.said(2, {"type": "text", "text": "I commented."})
    there.stood(RunState.ENDED, outcome=Outcome.COMPLETED)

    shown = there.told("runs", "show", RUN)
    listed = there.told("runs", "list")[0]
    assert shown | listed == shown
    (call,) = shown.pop("tool_calls")
    assert {name: call[name] for name in ("server", "tool", "effect", "state", "attempts")} == {
        "server": "github",
        "tool": "comment",
        "effect": "write-once",
        "state": "done",
        "attempts": 0,
    }
    assert shown.pop("spent") == {
        "usd": 0.02,
        "input_tokens": 200,
        "output_tokens": 20,
        "cached_tokens": 10,
        "unpriced_turns": 0,
        "assumed_attempts": 0,
    }
    written = shown.pop("writes")
    assert {state for state, count in written.items() if count} == {"done"}
    assert shown == {
        "id": RUN,
        "rule": "triage",
        "playbook": "triage",
        "key": KEY,
        "stage": "live",
        "state": "ended",
        "reason": "",
        "outcome": "completed",
        "opened_at": "2026-11-21T12:00:00.000Z",
        "ended_at": "2026-11-21T12:01:00.000Z",
        "pruned_at": None,
        "model": None,
        "scripted": True,
        "workflow_id": WORKFLOW,
        "configuration": "sha",
        "events": ["evt_1"],
        "turns": 2,
        "account": "I commented.",
        "waiting_for": None,
        "quarantines": [],
        "people": {},
        "notices": [],
        "cleared_through": 0,
        "temporal_url": None,
    }


def test_the_list_shows_whole_ids_and_why_a_run_stands_still(there):
    there.stood(RunState.PARKED, "no model key: set ANTHROPIC_API_KEY, restart, resume")

    shown = there.doorbell("runs", "list").stdout
    assert RUN in shown
    assert "no model key: set ANTHROPIC_API_KEY, restart, resume" in " ".join(shown.split())


def test_people_read_what_was_done_and_the_agents_own_account(there):
    there.said(1, {"type": "text", "text": "I commented.\nLook at #7."})
    there.called("c1", CallState.DONE)
    there.called("c2", CallState.REFUSED, alias="made_up", server="", tool="made_up")
    there.stood(RunState.ENDED, outcome=Outcome.COMPLETED_WITH_DENIALS)

    shown = there.doorbell("runs", "show", RUN).stdout
    assert "ended: completed_with_denials" in shown
    assert "The model was scripted" in shown
    assert '1  github.comment  done  {"body": "Hello"}' in shown
    assert "1  made_up  refused" in shown
    assert "  > I commented.\n  > Look at #7.\n" in shown


def test_a_run_that_still_works_has_no_account_yet(there):
    there.said(1, {"type": "text", "text": "I'll look."})

    assert there.told("runs", "show", RUN)["account"] is None


def test_r5_a_run_whose_money_went_on_answers_that_never_came_says_so(there):
    there.write(turns.reserve, RUN, 1, 1, charge(), AT)
    there.write(turns.settle, RUN, 1, 1, charge(), "assumed")

    shown = " ".join(there.doorbell("runs", "show", RUN).stdout.split())
    assert "of which 1 attempt charged as assumed: no whole answer came" in shown


def test_r5_a_run_over_its_own_budget_names_the_file_to_change(there):
    there.stood(RunState.PARKED, "budget: the next turn could use more than what is left")

    shown = there.doorbell("runs", "show", RUN).stdout
    assert "waits for you: raise `budget:` in playbooks/triage.md, then `doorbell runs" in shown


def test_a_parked_run_says_what_to_do(there):
    there.stood(RunState.PARKED, "no model key")

    shown = there.doorbell("runs", "show", RUN).stdout
    assert "parked  no model key" in shown
    assert f"`doorbell runs resume {RUN}`" in shown


def test_a_waiting_run_says_for_what_and_until_when(there):
    there.write(waits.begin, wait())
    there.stood(RunState.WAITING, "a reply")

    assert f"waits for github/issue_comment.* of {KEY}, until 2" in (
        there.doorbell("runs", "show", RUN).stdout
    )


def test_every_field_of_a_proposal_is_shown_whole_until_it_is_applied(there):
    proposed(there)

    shown = there.doorbell("runs", "show", RUN).stdout
    assert r"body: Hello\n" + "x" * 200 in shown
    assert f"`doorbell runs apply {RUN}`" in shown

    applied(there)
    assert "runs apply" not in there.doorbell("runs", "show", RUN).stdout


def test_the_link_to_temporal_is_there_while_somebody_said_where_its_ui_is(there, monkeypatch):
    monkeypatch.setenv("DOORBELL_TEMPORAL_UI", UI)

    assert there.told("runs", "show", RUN)["temporal_url"] == ADDRESS


def test_an_exact_run_is_meant_even_where_longer_ids_begin_with_it(there):
    for number in range(2, 12):
        there.began(f"evt_{number}")

    assert there.told("runs", "show", RUN)["id"] == RUN
    result = there.doorbell("runs", "show", RUN.removesuffix("1"))
    assert result.exit_code == 1
    assert "names more than one run" in result.stderr


@pytest.mark.parametrize("name", ["nobody", "", "%"])
@pytest.mark.parametrize("word", ["show", "resume", "apply", "cancel"])
def test_a_run_nobody_knows_is_exit_one(there, word, name):
    result = there.doorbell("runs", word, name)

    assert result.exit_code == 1
    assert f"there is no run whose id is or begins with {name!r}" in result.stderr


@pytest.mark.parametrize("word", ["resume", "cancel"])
def test_an_ended_run_is_not_told_to_go_on_or_to_end(there, word):
    there.stood(RunState.ENDED, outcome=Outcome.COMPLETED)

    result = there.doorbell("runs", word, RUN)
    assert result.exit_code == 1
    assert f"has ended (completed): there is nothing to {word}" in result.stderr


@pytest.mark.parametrize("state", [RunState.RUNNING, RunState.WAITING])
def test_a_run_that_is_not_parked_is_not_told_to_go_on(there, state):
    """Kept for later, the word would outrun whoever is asked when it parks."""
    there.stood(state, "consent to github.comment")

    result = there.doorbell("runs", "resume", RUN)
    assert result.exit_code == 1
    assert f"run {RUN} is {state}, not parked: there is nothing to resume" in result.stderr


def test_nothing_is_applied_where_nothing_was_proposed_or_all_of_it_already_is(there):
    there.called("read", CallState.DONE, effect=Effect.READ)
    assert "it has proposed nothing" in there.doorbell("runs", "apply", RUN).stderr

    proposed(there)
    applied(there)
    result = there.doorbell("runs", "apply", RUN)
    assert result.exit_code == 1
    assert result.stderr.rstrip().endswith("what it proposed has been applied")


@pytest.mark.parametrize("state", [CallState.INTENDED, CallState.SENT])
def test_what_a_lost_run_left_half_applied_can_be_applied_again(there, state):
    proposed(there)
    applied(there, state)

    # It gets as far as the door, and there is none here.
    assert "the service is not running here" in there.doorbell("runs", "apply", RUN).stderr


def test_a_proposal_whose_applied_call_failed_says_so_and_how_to_begin_anew(there):
    proposed(there)
    applied(there, CallState.FAILED)

    said = there.doorbell("runs", "apply", RUN).stderr
    assert "what it proposed has been applied (github.comment: failed)" in said
    assert f"`doorbell runs retry {RUN} --again` begins anew" in said


def test_a_word_without_a_service_is_exit_two_and_says_what_to_start(there):
    result = there.doorbell("runs", "cancel", RUN)

    assert result.exit_code == 2
    assert "the service is not running here: start it with `doorbell up`" in result.stderr


async def test_a_word_while_the_service_only_seems_to_be_there_is_exit_two(there):
    there.announced("http://127.0.0.1:9")

    result = await said(there, "cancel")
    assert result.exit_code == 2
    assert "nobody answers at http://127.0.0.1:9/hooks/operator" in result.stderr


async def test_a_word_that_the_door_refuses_is_exit_two_with_its_reason(there, tmp_path):
    stores = Stores.open(StateDirectory(there.path), None)
    try:
        async with door_at(stores.inbox, {OPERATOR: operator(Installed(tmp_path / "else"))}) as url:
            there.announced(url)
            result = await said(there, "cancel")
    finally:
        stores.close()

    assert result.exit_code == 2
    assert "the door answered 401" in result.stderr
    assert "The signature does not fit" in result.stderr


@pytest.mark.parametrize("word", ["resume", "apply", "cancel"])
async def test_a_word_is_a_signed_delivery_that_becomes_a_decision_for_that_run(there, word):
    await asyncio.to_thread(proposed, there)
    await asyncio.to_thread(there.stood, RunState.PARKED, "no model key")
    stores = Stores.open(StateDirectory(there.path), None)
    try:
        async with door_at(stores.inbox, {OPERATOR: operator(there)}) as url:
            there.announced(url)
            result = await said(there, word, "--json")
        assert result.exit_code == 0, result.output
        (entry,) = await stores.inbox.entries(1, Sought(source=OPERATOR))
        (entry,) = await stores.inbox.find(entry.id)
        happened = event_of(entry, operator(there).dialect.read(entry.headers, entry.body).data)
        (decision,) = decide(happened, entry.position, known(runs={RUN: WORKFLOW}))
    finally:
        stores.close()

    assert entry.type == f"run.{word}"
    assert (decision.action, decision.workflow_id) == (Action.CONTROL, WORKFLOW)
    assert decision.with_ == {"run": RUN, "kind": word}


def operator(there):
    return operator_source(Secret("file:s", StateDirectory(there.path).operator_secret()))


async def said(there, word, *options):
    return await asyncio.to_thread(there.doorbell, "runs", word, RUN, *options)
