"""A token for some rules reaches their runs, approvals and rules, and nothing else; of the rest it learns nothing."""

import pytest

from orchestrator.ledger import approvals, calls
from orchestrator.ledger.approvals import Approval
from tests.support.api import APPROVES, FENCED, answering
from tests.support.builders import AT, comment, intent, rule
from tests.support.installed import Installed
from workflows.approvals import Standing
from workflows.playbook import OnTimeout

MINE, OTHER = "aaaaaaaaaaaa.1", "bbbbbbbbbbbb.1"
CODES = {run: approvals.named(run, "1.0", 1, "digest")[1] for run in (MINE, OTHER)}
NOW = {"wait": 0}


@pytest.fixture
def there(tmp_path):
    there = Installed(tmp_path / "state")
    there.only_kept(comment("evt_1"), comment("evt_2"))
    for number, (run, name) in enumerate(((MINE, "guest-triage"), (OTHER, "secret")), 1):
        workflow = f"{name}:x~{run.removesuffix('.1')}"
        there.began(f"evt_{number}", workflow_id=workflow, rule=name)
        there.write(calls.intend, run, 1, intent("1.0"), AT)
        approval_id, code = approvals.named(run, "1.0", 1, "digest")
        request = Approval(
            approval_id=approval_id,
            code=code,
            run_id=run,
            workflow_id=workflow,
            call_id="1.0",
            number=1,
            tool="github.comment",
            digest="digest",
            by=("operator",),
            on_timeout=OnTimeout.DENY,
            standing=Standing.OPEN,
            asked_at=AT,
            expires_at=AT + 10 * 365 * 86_400,
        )
        there.write(approvals.open_request, request)
    return there


RULES = (rule("guest-triage"), rule("secret"))


def test_a6_lists_hold_only_what_is_of_its_rules(there):
    with answering(there, *RULES, deciding=False) as api:
        runs = api.get("/runs", token=FENCED).json()["runs"]
        asked = api.get("/approvals", token=FENCED).json()["approvals"]
        rules = api.get("/rules", token=FENCED).json()["rules"]
        me = api.get("/me", token=FENCED).json()
        everything = api.get("/runs", token=APPROVES).json()["runs"]

    assert [one["id"] for one in runs] == [MINE]
    assert [one["code"] for one in asked] == [CODES[MINE]]
    assert [one["name"] for one in rules] == ["guest-triage"]
    assert me["rules"] == ["guest-*"]
    assert len(everything) == 2


def test_a6_what_is_of_another_rule_is_as_if_it_were_not_there(there):
    unknown = "cccccccccccc.1"
    with answering(there, *RULES, deciding=False) as api:
        for path, named in (
            ("/runs/{}", (MINE, OTHER, unknown)),
            ("/runs/{}/log", (MINE, OTHER, unknown)),
            ("/runs/{}/calls/1.0", (MINE, OTHER, unknown)),
            ("/approvals/{}", (CODES[MINE], CODES[OTHER], "AAAAAAAAAA")),
            ("/rules/{}", ("guest-triage", "secret", "nothing")),
        ):
            answers = [api.get(path.format(one), token=FENCED) for one in named]
            assert [one.status_code for one in answers] == [200, 404, 404], path
            assert alike(answers, named), path
        for path, named in (
            ("/runs/{}/cancel", (MINE, OTHER, unknown)),
            ("/approvals/{}/deny", (CODES[MINE], CODES[OTHER], "AAAAAAAAAA")),
            ("/rules/{}/pause", ("guest-triage", "secret", "nothing")),
        ):
            answers = [api.post(path.format(one), token=FENCED, params=NOW) for one in named]
            assert [one.status_code for one in answers] == [202, 404, 404], path
            assert alike(answers, named), path


def alike(answers, named):
    """Whether the last two say the same, but for the name that was asked for."""
    pairs = list(zip(answers, named, strict=True))[1:]
    told = [one.json()["detail"].replace(name, "X") for one, name in pairs]
    return told[0] == told[1]


def test_a6_no_hint_names_what_is_of_another_rule(there):
    with answering(there, *RULES, deciding=False) as api:
        answers = [
            api.get("/rules/guest-triaje", token=FENCED),
            api.post("/rules/guest-triaje/pause", token=FENCED),
            api.get("/runs/bbb", token=FENCED),
        ]

    for answer in answers:
        assert answer.status_code == 404
        assert "secret" not in answer.text
        assert OTHER not in answer.text


def test_a6_what_belongs_to_no_rule_is_not_for_it(there):
    asked = ("/events", "/events/evt_1", "/events/evt_1/why", "/refusals", "/dead-letters",
             "/spend", "/status")  # fmt: skip
    said = ("/runs", "/events/evt_1/redeliver", "/sources/github/pause", "/dead-letters/x/retry")
    with answering(there, *RULES, deciding=False) as api:
        answers = [api.get(path, token=FENCED) for path in asked]
        answers += [api.post(path, {"playbook": "x"}, token=FENCED) for path in said]

    assert {answer.status_code for answer in answers} == {403}
    assert "this one is for guest-*" in answers[0].json()["detail"]
