"""The REST API takes a person's words: rows of the same inbox as the CLI's, from whom the token proves."""

import pytest

from orchestrator.ledger import approvals, calls
from orchestrator.ledger.approvals import Approval
from orchestrator.sources.source import OPERATOR
from tests.support.api import ALICE, APPROVES, OPERATES, READS, answering
from tests.support.builders import AT, RUN, WORKFLOW, comment, intent, rule
from tests.support.installed import Installed
from workflows.approvals import Standing
from workflows.messages import Outcome, RunState
from workflows.own_tools import ASK
from workflows.playbook import InputType, OnTimeout, Playbook

LASTS = 10 * 365 * 86_400.0
ID, CODE = approvals.named(RUN, "1.0", 1, "digest")
NOW = {"wait": 0}


@pytest.fixture
def there(tmp_path):
    there = Installed(tmp_path / "state")
    there.only_kept(comment("evt_1"))
    return there


def ask(there, by=("operator",), **changes):
    there.began("evt_1")
    there.write(calls.intend, RUN, 1, intent("1.0", **changes), AT)
    approval_id, code = approvals.named(RUN, "1.0", 1, "digest")
    request = Approval(
        approval_id=approval_id,
        code=code,
        run_id=RUN,
        workflow_id=WORKFLOW,
        call_id="1.0",
        number=1,
        tool="" if changes.get("alias") == ASK else "github.comment",
        digest="digest",
        by=by,
        on_timeout=OnTimeout.DENY,
        standing=Standing.OPEN,
        asked_at=AT,
        expires_at=AT + LASTS,
    )
    there.write(approvals.open_request, request)


def words(there, kind):
    """The kept words of that kind, with their decisions."""

    async def act(stores):
        found = await stores.inbox.entries(100)
        said = [one for one in found if (one.source, one.type) == (OPERATOR, kind)]
        decided = await stores.inbox.decisions([one.id for one in said])
        return [(one, decided[one.id]) for one in said]

    return there.use(act)


@pytest.mark.parametrize("verb", ["resume", "cancel"])
def test_o2_a_word_to_a_run_is_a_row_of_the_inbox_and_its_receipt_names_it(there, verb):
    there.began("evt_1")
    there.stood(RunState.PARKED, "no model key")
    with answering(there) as api:
        answer = api.post(f"/runs/{RUN[:6]}/{verb}")

    told = answer.json()
    ((entry, (decision, *_)),) = words(there, f"run.{verb}")
    assert answer.status_code == 200
    assert (told["event"], told["accepted"], told["run"]) == (entry.id, True, RUN)
    assert entry.actor.login == "token:worker"
    assert decision.action == "control"


def test_o2_a_word_nobody_has_decided_about_is_accepted_for_later(there):
    there.began("evt_1")
    with answering(there, deciding=False) as api:
        answer = api.post(f"/runs/{RUN}/cancel", params=NOW)

    assert answer.status_code == 202
    assert answer.json()["accepted"] is None


def test_o2_there_is_nothing_to_say_to_a_run_that_has_ended(there):
    there.began("evt_1")
    there.stood(RunState.ENDED, "", Outcome.COMPLETED)
    with answering(there) as api:
        answers = [api.post(f"/runs/{RUN}/{verb}") for verb in ("resume", "cancel", "apply")]

    assert {answer.status_code for answer in answers} == {409}
    assert "has ended (completed): there is nothing to cancel" in answers[1].json()["detail"]
    assert "it has proposed nothing" in answers[2].json()["detail"]
    assert words(there, "run.cancel") == []


def test_o2_a_word_that_changes_nothing_is_a_problem_with_its_receipt(there):
    with answering(there, rule()) as api:
        answer = api.post("/rules/nope/pause")

    told = answer.json()
    assert (answer.status_code, told["type"]) == (409, "urn:doorbell:problem:refused")
    assert "there is no rule 'nope'" in told["detail"]
    assert words(there, "rule.pause")[0][0].id == told["receipt"]["event"]


def test_o2_rules_and_sources_are_paused_and_unpaused(there):
    with answering(there, rule()) as api:
        assert api.post("/rules/triage/pause").status_code == 200
        assert api.post("/sources/github/pause").status_code == 200
        paused = [one["name"] for one in api.get("/rules").json()["paused"]]
        assert api.post("/rules/triage/unpause").status_code == 200
        assert api.post("/sources/github/unpause").status_code == 200
        left = api.get("/rules").json()["paused"]

    assert sorted(paused) == ["github", "triage"]
    assert left == []


def test_o2_an_event_is_redelivered(there):
    there.kept(comment("evt_2", number=9), rule("old"))
    with answering(there, rule()) as api:
        told = api.post("/events/evt_2/redeliver").json()
        why = api.get("/events/evt_2/why").json()

    assert told["accepted"] is True
    assert [one["rule"] for one in why["decisions"] if one["redelivery"]] == ["triage"]


def test_d3_the_same_word_under_one_key_is_one_word_even_after_it_worked(there):
    there.began("evt_1")
    key = {"headers": {"idempotency-key": "cancel-1"}}
    with answering(there) as api:
        first = api.post(f"/runs/{RUN}/cancel", **key).json()
        there.stood(RunState.ENDED, "", Outcome.CANCELLED)
        second = api.post(f"/runs/{RUN}/cancel", **key)
        other = api.post("/rules/triage/pause", **key)
        another = api.post("/rules/triage/pause", token=APPROVES, **key)

    assert second.json()["event"] == first["event"]
    assert len(words(there, "run.cancel")) == 1
    assert (other.status_code, other.json()["type"]) == (409, "urn:doorbell:problem:key_reused")
    # Another's key is another key.
    assert another.json()["type"] == "urn:doorbell:problem:refused"


PLAYBOOK = Playbook(
    name="triage",
    digest="sha",
    model="claude-sonnet-5-5",
    max_tokens=100,
    inputs={"number": InputType.INTEGER},
    tools={},
)


def test_o2_a_run_is_started_by_hand_with_inputs_of_their_types(there):
    with answering(there, playbooks={"triage": PLAYBOOK}) as api:
        answers = [
            api.post("/runs", said, params=NOW)
            for said in (
                {"playbook": "triage", "with": {"number": 7}, "key": "issue:7"},
                {"playbook": "triaje", "with": {"number": 7}},
                {"playbook": "triage", "with": {"number": "7"}},
                {"playbook": "triage", "with": {"number": 7}, "key": "issue"},
                {"playbook": "triage", "with": {"number": 7}, "stage": "lively"},
                {"playbook": "triage", "with": {"number": 7}, "steady": 1},
                {},
                [],
                None,
            )
        ]

    assert [one.status_code for one in answers] == [202, 404, 400, 400, 400, 400, 400, 400, 400]
    assert "did you mean 'triage'?" in answers[1].json()["detail"]
    assert len(words(there, "run.start")) == 1


def test_a6_an_approval_is_from_the_tokens_person_and_checked_against_the_roles(there):
    ask(there, by=("role:maintainer",))
    with answering(there) as api:
        of_nobody = api.post(f"/approvals/{CODE}/approve", token=APPROVES)
        of_alice = api.post(f"/approvals/{CODE.lower()}/approve", token=ALICE, params={"wait": 1})

    assert of_nobody.status_code == 409
    assert "operator token:boss may not: expected role:maintainer" in of_nobody.json()["detail"]
    assert of_alice.json()["accepted"] is True
    assert of_alice.json()["reason"] == "recorded; its run has not taken it yet"
    said = there.use(lambda stores: stores.ledger.read(approvals.words_of, ID))
    assert [one.person for one in said] == ["alice"]


def test_a6_a_person_whose_token_may_only_approve_is_not_the_command_line(there):
    ask(there, by=("operator",))
    with answering(there) as api:
        of_alice = api.post(f"/approvals/{CODE}/approve", token=ALICE)
        of_boss = api.post(f"/approvals/{CODE}/approve", token=APPROVES, params={"wait": 1})

    assert of_alice.status_code == 409
    assert "alice may not: expected operator" in of_alice.json()["detail"]
    assert of_boss.json()["accepted"] is True


def test_a6_a_yes_carries_edited_arguments_a_no_its_reason_and_an_answer_its_value(there):
    ask(there)
    with answering(there) as api:
        shown = api.get(f"/approvals/{CODE}").json()
        for verb, said in (
            ("approve", {"args": {"body": "Bye"}}),
            ("deny", {"why": "not today"}),
            ("answer", {"answer": {"n": 1}}),
        ):
            answer = api.post(f"/approvals/{CODE}/{verb}", said, token=APPROVES, params=NOW)
            assert answer.status_code in {200, 202}

        def decided():
            return [words(there, f"run.{verb}")[0][1] for verb in ("approve", "deny", "answer")]

        while not all(decided()):
            pass
    yes, no, value = (decisions[0].with_ for decisions in decided())
    assert (yes["args"], no["why"], value["answer"]) == ({"body": "Bye"}, "not today", {"n": 1})
    assert shown["by"] == ["operator"]


READING = [
    "/events/evt_1/redeliver",
    "/runs/X/cancel",
    "/runs/X/resume",
    "/runs/X/apply",
    "/runs/X/retry",
    "/runs",
    "/rules/triage/pause",
    "/rules/triage/unpause",
    "/sources/github/pause",
    "/sources/github/unpause",
    "/dead-letters/X/retry",
    "/dead-letters/X/discard",
]
CONSENTING = [f"/approvals/{CODE}/{verb}" for verb in ("approve", "deny", "answer")]


def test_a6_a_token_is_for_what_its_scopes_say_and_nothing_else(there):
    ask(there)
    with answering(there) as api:
        by_reader = [api.post(path, token=READS) for path in [*READING, *CONSENTING]]
        by_worker = [api.post(path, token=OPERATES) for path in CONSENTING]
        by_alice = [api.post(path, token=ALICE) for path in READING]

    for answer in [*by_reader, *by_worker, *by_alice]:
        assert answer.status_code == 403
        assert answer.json()["type"] == "urn:doorbell:problem:not_allowed"
    assert (
        "expected a token with the scope 'approve'; 'worker' has operate"
        in (by_worker[0].json()["detail"])
    )
