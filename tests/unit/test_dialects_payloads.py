"""GitHub's unusual events: read as what they are, and never as another event (promise D4)."""

import json
from pathlib import Path

import pytest

from orchestrator.errors import Malformed, Reason
from orchestrator.sources.github import GithubDialect
from orchestrator.sources.github_shapes import SHAPES

SUPPORT = Path(__file__).parents[1] / "support"
RECORDED = json.loads((SUPPORT / "github_payloads.json").read_text(encoding="utf-8"))["payloads"]
REPOSITORY = {"id": 1, "full_name": "acme/api"}
WHO = {"id": 1, "login": "ann"}
HERE = {"repository": REPOSITORY, "sender": WHO}


def pull(number, home=1):
    return {"number": number, "base": {"repo": {"id": home}}}


# What no recorded payload shows, by GitHub's own description of its webhooks.
DESCRIBED = [
    (
        "sub_issues",
        {
            "action": "sub_issue_added",
            "parent_issue_id": 5,
            "parent_issue": {"number": 7},
            "sub_issue": {"number": 3},
            "sub_issue_repo": {"full_name": "acme/web"},
        },
        ("sub_issues.sub_issue_added", ("issue:acme/api#7", "issue:acme/web#3")),
    ),
    (
        "issue_dependencies",
        {
            "action": "blocked_by_added",
            "blocked_issue": {"number": 1},
            "blocking_issue": {"number": 2},
            "blocking_issue_repo": {"full_name": "acme/web"},
        },
        ("issue_dependencies.blocked_by_added", ("issue:acme/api#1", "issue:acme/web#2")),
    ),
    (
        "deployment_protection_rule",
        {
            "action": "requested",
            "deployment": {"id": 9},
            "deployment_callback_url": "https://api.github.com/x",
            "pull_requests": [pull(4), pull(5, home=2)],
        },
        ("deployment_protection_rule.requested", ("issue:acme/api#4", "deployment:9")),
    ),
    (
        "deployment_review",
        {"action": "approved", "since": "x", "workflow_run": {"id": 8}, "approver": WHO},
        ("deployment_review.approved", ("workflow_run:8",)),
    ),
    (
        "workflow_run",
        {"action": "completed", "workflow": {}, "workflow_run": {"id": 8, "pull_requests": [pull(4)]}},
        ("workflow_run.completed", ("issue:acme/api#4", "workflow_run:8")),
    ),
    (
        "workflow_job",
        {"action": "queued", "workflow_job": {"id": 3, "run_id": 8}, "deployment": {"id": 9}},
        ("workflow_job.queued", ("deployment:9", "workflow_run:8")),
    ),
    (
        "check_suite",
        {"action": "completed", "check_suite": {"pull_requests": [pull(n) for n in range(1, 99)]}},
        ("check_suite.completed", tuple(f"issue:acme/api#{n}" for n in range(1, 33))),
    ),
]  # fmt: skip


def headers(event):
    return {"x-github-event": event, "x-github-delivery": "d1"}


def read(event, payload):
    return GithubDialect().read(headers(event), json.dumps(payload).encode())


@pytest.mark.parametrize("one", RECORDED, ids=lambda one: one["said"][0])
def test_an_unusual_event_is_read_as_what_it_is(one):
    type_, subject, login, keys = one["said"]

    reading = read(one["event"], one["payload"])

    assert (reading.type, reading.subject, list(reading.keys)) == (type_, subject, keys)
    assert (reading.actor and reading.actor.login) == login


@pytest.mark.parametrize("one", RECORDED, ids=lambda one: one["said"][0])
def test_d4_an_unusual_event_passes_for_no_other(one):
    for event in SHAPES:
        if event != one["event"]:
            with pytest.raises(Malformed) as caught:
                read(event, one["payload"])
            assert caught.value.reason is Reason.TYPE_MISMATCH


@pytest.mark.parametrize(("event", "payload", "expected"), DESCRIBED, ids=lambda v: str(v)[:20])
def test_an_event_that_is_only_described_has_its_keys(event, payload, expected):
    reading = read(event, HERE | payload)

    assert (reading.type, reading.keys) == expected
    assert reading.subject == "acme/api"


@pytest.mark.parametrize("junk", [None, 7, "x", [], {}, [7], [{"number": "x"}], [{"base": 1}]])
@pytest.mark.parametrize("name", ["pull_requests", "check_run", "check_suite", "workflow_run"])
def test_d7_strange_lists_of_pull_requests_give_no_key(name, junk):
    body = HERE | {name: junk, "sub_issue": junk, "parent_issue_repo": junk}

    assert read("brand_new", body).keys == ()
    assert read("brand_new", body | {"check_run": {"pull_requests": junk}}).keys == ()


def test_d4_actions_that_are_no_text_are_malformed_whatever_the_event():
    for event in ("watch", "public", "issues", "team"):
        with pytest.raises(Malformed):
            read(event, HERE | {"action": ["started"], "issue": {}, "team": {}})
