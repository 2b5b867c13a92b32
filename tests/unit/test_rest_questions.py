"""The REST API answers questions: what the CLI shows, a page at a time, to whoever shows a token."""

import pytest

from orchestrator.rules.rule import All, Leaf, Operator
from tests.support.api import APPROVES, EXPIRED, READS, answering
from tests.support.builders import RUN, comment, rule
from tests.support.installed import Installed
from tests.support.service import until
from workflows.messages import CallState, Outcome, RunState


@pytest.fixture
def there(tmp_path):
    there = Installed(tmp_path / "state")
    there.only_kept()
    return there


def only(expected):
    leaf = Leaf(path="comment.body", operator=Operator.EQ, expected=expected)
    return rule("only", when=All((leaf,)))


def test_o2_events_are_what_the_command_line_lists(there):
    there.kept(comment("evt_1"), only("no"))
    there.kept(comment("evt_2"), rule())
    with answering(there, deciding=False) as api:
        page = api.get("/events").json()
        found = there.told("events", "list")

    assert page == {"events": found, "next": None}
    assert [one["id"] for one in found] == ["evt_2", "evt_1"]


def test_o2_pages_follow_each_other_without_a_gap_though_new_events_come(there):
    there.only_kept(*(comment(f"evt_{n}") for n in range(5)))
    seen = []
    with answering(there, deciding=False) as api:
        page = api.get("/events", params={"limit": 2}).json()
        there.only_kept(comment("evt_new"))
        while True:
            seen += [one["id"] for one in page["events"]]
            if page["next"] is None:
                break
            page = api.get("/events", params={"limit": 2, "before": page["next"]}).json()

    assert seen == [f"evt_{n}" for n in (4, 3, 2, 1, 0)]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"source": "github"}, ["evt_1"]),
        ({"source": "nobody"}, []),
        ({"type": "issue_comment.*"}, ["evt_1"]),
        ({"type": "star.*"}, []),
        ({"is": "received"}, ["evt_1"]),
        ({"is": "dead"}, []),
        ({"since": "2026-01-01T00:00:00Z"}, ["evt_1"]),
        ({"since": "2026-01-01"}, None),
        ({"until": "2026-01-01T00:00:00"}, []),
    ],
)
def test_o2_events_are_filtered_as_on_the_command_line(there, asked, expected):
    there.only_kept(comment("evt_1"))
    with answering(there, deciding=False) as api:
        answer = api.get("/events", params=asked)

    if expected is None:
        assert answer.status_code == 400
    else:
        assert [one["id"] for one in answer.json()["events"]] == expected


def test_o2_one_event_is_shown_whole(there):
    there.kept(comment("evt_1"), only("no"))
    with answering(there) as api:
        shown = api.get("/events/evt_1").json()
        told = there.told("events", "show", "evt_1", "--config", str(there.path))

    assert {**shown, "scheme": None} == {**told, "scheme": None}
    assert "It fails." in shown["body"]


@pytest.mark.parametrize("name", ["evt_1", "evt", "d-evt_1", "last"])
def test_r1_why_is_answered_for_either_id_the_beginning_of_one_or_the_last(there, name):
    there.kept(comment("evt_1"), only("no"))
    with answering(there) as api:
        told = api.get(f"/events/{name}/why").json()
        command = there.told("why", "--last")

    assert told == command
    assert told["nearest"] == "only"


def test_o2_runs_are_listed_filtered_and_shown_with_their_log(there):
    there.only_kept(comment("evt_1"))
    there.began("evt_1")
    there.said(1, {"type": "text", "text": "Hello."})
    there.called("1.0", CallState.DONE)
    with answering(there) as api:
        listed = api.get("/runs").json()
        parked = api.get("/runs", params={"state": "parked"}).json()
        mine = api.get("/runs", params={"rule": "triage", "playbook": "triage"}).json()
        shown = api.get(f"/runs/{RUN[:5]}").json()
        log = api.get(f"/runs/{RUN}/log").json()
        command = there.told("runs", "show", RUN)

    assert [one["id"] for one in listed["runs"]] == [RUN] == [one["id"] for one in mine["runs"]]
    assert parked == {"runs": [], "next": None}
    assert shown == command
    assert [line["voice"] for line in log["lines"]][-1] == "stands"
    assert log["lines"] == there.told("runs", "log", RUN)


def test_o2_pages_of_runs_follow_each_other(there):
    for number in range(5):
        there.only_kept(comment(f"evt_{number}"))
        there.began(f"evt_{number}", workflow_id=f"triage:x~{number:012d}")
    seen, before = [], {}
    with answering(there) as api:
        while True:
            page = api.get("/runs", params={"limit": 2, **before}).json()
            seen += [one["id"] for one in page["runs"]]
            if page["next"] is None:
                break
            before = {"before": page["next"]}

    # All were opened in the same instant: their ids put them in order.
    assert seen == [f"{number:012d}.1" for number in (4, 3, 2, 1, 0)]


def test_o2_rules_money_refusals_dead_letters_and_status_are_told(there):
    there.refused("github")
    there.only_kept(comment("evt_1"))
    there.began("evt_1")
    there.stood(RunState.ENDED, "", Outcome.COMPLETED)
    with answering(there, rule(on=("github/*",))) as api:
        rules = api.get("/rules").json()
        one = api.get("/rules/triage").json()
        spent = api.get("/spend", params={"day": "2026-11-21"}).json()
        refusals = api.get("/refusals").json()
        others = api.get("/refusals", params={"source": "stripe"}).json()
        dead = api.get("/dead-letters").json()
        status = api.get("/status").json()

    assert [rule["name"] for rule in rules["rules"]] == ["triage"]
    assert (one["name"], one["configuration"]) == ("triage", "sha")
    assert (spent["day"], spent["installation"]["usd"]["cap"]) == ("2026-11-21", None)
    assert [one["reason"] for one in refusals["refusals"]] == ["bad_signature"]
    assert others == {"refusals": []}
    assert dead == {"dead_letters": []}
    assert status["inbox"]["events"] >= 1


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/events/evt_9", 404, "there is no event whose id is or begins with 'evt_9'"),
        ("/events/evt_", 409, "names more than one event: evt_1, evt_2"),
        ("/runs/nope", 404, "there is no run whose id is or begins with 'nope'"),
        ("/rules/triaje", 404, "did you mean 'triage'?"),
        ("/approvals/AAAAAAAAAA", 404, "nobody was asked anything under the code"),
        ("/events?before=evt_9", 400, "`before` expected the id of the last event of a page"),
        ("/runs?before=9.1", 400, "`before` expected the id of the last run of a page"),
        ("/events?limit=0", 400, "limit: Expected `int` >= 1"),
        ("/events?limit=501", 400, "limit: Expected `int` <= 500"),
        ("/spend?day=yesterday", 400, "day"),
        ("/nowhere", 404, ""),
    ],
)
def test_o2_what_cant_be_answered_is_a_problem_that_says_what_to_ask(there, path, status, said):
    there.only_kept(comment("evt_1"), comment("evt_2"))
    with answering(there, rule(), deciding=False) as api:
        answer = api.get(path)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["status"] == status
    assert told["type"].startswith("urn:doorbell:problem:")
    assert said in told["detail"]


NOT_KNOWN = [
    {},
    {"authorization": "Bearer"},
    {"authorization": "Bearer dbt_guess"},
    {"authorization": f"Bearer {EXPIRED}"},
    {"authorization": f"Bearer {READS} x"},
    {"authorization": f"Basic {READS}"},
    {"authorization": READS},
    {"authorization": b"Bearer \xfc"},
]


def test_d1_without_a_token_that_is_known_nothing_is_answered(there):
    with answering(there) as api:
        answers = [
            api.get(path, token=None, headers=shown)
            for shown in NOT_KNOWN
            for path in ("/events", "/me", "/runs?limit=zero", "/events/x/why")
        ]

    assert {answer.status_code for answer in answers} == {401}
    assert {answer.headers["www-authenticate"] for answer in answers} == {"Bearer"}
    assert {answer.json()["type"] for answer in answers} == {"urn:doorbell:problem:unproved"}


def test_o2_a_token_says_who_it_is(there):
    with answering(there) as api:
        assert api.get("/me", token=APPROVES).json() == {
            "token": "boss",
            "person": None,
            "scopes": ["approve", "operate", "read"],
            "rules": [],
            "version": "0",
        }


def test_o3_every_question_is_a_line_of_the_log(there):
    with answering(there) as api:
        api.get("/events")
        until(lambda: "asked" in api.log.said)
    assert api.log.said.count("asked") == 1
