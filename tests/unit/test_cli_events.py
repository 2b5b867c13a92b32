"""`doorbell events`: what was kept and what was refused, for people and for programs."""

from datetime import timedelta

import pytest

from orchestrator.dispatch.decide import OURSELVES
from orchestrator.errors import Reason
from orchestrator.rules.rule import All, Leaf, Operator
from tests.support.builders import NOW, comment, github, rule, wanted
from tests.support.installed import Installed

LONG = "evt_0123456789abcdef"
HOSTILE = "[/red]\x1b[2J\u202e"


@pytest.fixture
def there(tmp_path):
    return Installed(tmp_path / "state")


def labelled(expected="bug"):
    leaf = Leaf(path="issue.number", operator=Operator.GT, expected=expected)
    return rule("labelled", when=All((leaf,)))


def test_r1_json_is_one_object_for_each_event_with_every_decision_and_its_trace(there):
    there.kept(comment("evt_1"), labelled(expected=9))

    assert there.told("events", "list") == [
        {
            "id": "evt_1",
            "source": "github",
            "type": "issue_comment.created",
            "subject": "acme/api#7",
            "actor": "ann",
            "delivery_id": "d-evt_1",
            "received_at": "2026-11-21T12:00:00.000Z",
            "state": "decided",
            "duplicates": 0,
            "duplicate_of": None,
            "decisions": [
                {
                    "id": there.told("why", "evt_1")["decisions"][0]["id"],
                    "rule": "labelled",
                    "action": "ignore",
                    "reason": "no match: when.issue.number",
                    "state": "settled",
                    "run_id": None,
                    "attempts": 0,
                    "note": None,
                    "due_at": None,
                    "held": None,
                    "behind": None,
                    "redelivery": None,
                    "trace": [
                        {
                            "path": "on",
                            "operator": "glob",
                            "expected": ["github/*"],
                            "actual": "github/issue_comment.created",
                            "held": True,
                        },
                        {
                            "path": "when.issue.number",
                            "operator": "gt",
                            "expected": 9,
                            "actual": 7,
                            "held": False,
                        },
                    ],
                }
            ],
        }
    ]


def test_the_newest_comes_first_and_a_limit_holds(there):
    there.only_kept(*(comment(f"evt_{number}") for number in range(4)))

    assert [event["id"] for event in there.told("events", "list", "--limit", "2")] == [
        "evt_3",
        "evt_2",
    ]


def test_a_limit_below_one_is_refused(there):
    there.only_kept(comment("evt_1"))

    assert there.doorbell("events", "list", "--limit", "0").exit_code == 2


def test_only_one_source_is_listed_when_asked(there):
    there.only_kept(comment("evt_1"))

    assert len(there.told("events", "list", "--source", "github")) == 1
    assert there.told("events", "list", "--source", "billing") == []


def test_people_see_whole_ids_that_can_be_copied(there):
    there.kept(comment(LONG), rule("a-rule-with-quite-a-long-name", key="issue:" + "x" * 90))

    assert LONG in there.doorbell("events", "list").stdout


def test_what_woke_a_run_names_the_run(there):
    there.kept(comment("evt_1"), rule(on=("stripe/*",)), waits=[wanted(since=0)])

    assert "resume 0123456789ab.1: run 0123456789ab.1 waits for it" in told(there)


def test_an_ignored_event_is_told_by_the_rule_that_came_nearest(there):
    there.kept(comment("evt_1"), labelled(expected=9), rule("deploys", on=("github/deployment.*",)))

    assert "ignore labelled: no match: when.issue.number" in told(there)
    assert "deploys" not in told(there)


def test_r4_an_event_of_our_own_is_told_as_that(there):
    there.kept(comment("evt_1"), labelled(), own_actors=frozenset({"ann"}))

    assert f"ignore {OURSELVES}: our own write" in told(there)


def test_an_event_nobody_has_decided_about_says_so(there):
    there.only_kept(comment("evt_1"))

    assert "received" in told(there)


def test_a_strangers_words_are_neither_markup_nor_commands_to_the_terminal(there):
    leaf = Leaf(path="issue.title", operator=Operator.EQ, expected="x")
    issue = {"number": 7, "title": HOSTILE}
    data = {"action": "opened", "issue": issue, "repository": {"full_name": "[/red]"}}
    there.kept(github("evt_1", "issues", data), rule(when=All((leaf,))))

    for words in (("events", "list"), ("events", "show", "evt_1"), ("why", "evt_1")):
        result = there.doorbell(*words)
        assert result.exit_code == 0, result.output
        assert "[/red]#7" in result.stdout
        assert not {"\x1b", "\u202e"} & set(result.stdout)
    assert r"came: [/red]\x1b[2J\u202e" in there.doorbell("why", "evt_1").stdout


def test_refusals_say_when_who_why_and_which_headers_but_no_value(there):
    there.refused("github", detail="none of 1 secrets fits")

    assert there.told("events", "list", "--refused") == [
        {
            "at": "2026-11-21T12:00:00.000Z",
            "source": "github",
            "reason": "bad_signature",
            "detail": "none of 1 secrets fits",
            "headers": ["host", "x-signature"],
        }
    ]
    shown = there.doorbell("events", "list", "--refused").stdout
    assert "none of 1 secrets fits" in shown
    assert "host, x-signature" in shown


def test_refusals_of_one_source_are_found_behind_many_of_another(there):
    there.refused("billing")
    for _ in range(3):
        there.refused("github", Reason.STALE)

    found = there.told("events", "list", "--refused", "--source", "billing", "--limit", "1")
    assert [refusal["reason"] for refusal in found] == ["bad_signature"]


def test_a_limit_holds_for_refusals_too(there):
    there.refused("first")
    there.refused("second")

    assert len(there.told("events", "list", "--refused", "--limit", "1")) == 1


def test_a_refused_source_that_looks_like_markup_is_only_text(there):
    there.refused(HOSTILE, Reason.UNKNOWN_SOURCE)

    result = there.doorbell("events", "list", "--refused")
    assert result.exit_code == 0
    assert r"[/red]\x1b[2J\u202e" in result.stdout


def test_one_event_is_shown_whole(there):
    there.kept(comment("evt_1", text="It fails."), labelled())

    shown = there.told("events", "show", "evt_1")
    assert shown["headers"] == {
        "x-github-event": "issue_comment",
        "x-github-delivery": "d-evt_1",
    }
    assert '"It fails."' in shown["body"]
    assert shown["decisions"][0]["rule"] == "labelled"


def test_people_see_decisions_headers_and_a_readable_body(there):
    there.kept(comment("evt_1", text="It fails."), labelled())

    shown = there.doorbell("events", "show", "evt_1").stdout
    assert "labelled: ignore" in shown
    assert "delivery d-evt_1, by ann" in shown
    assert "  x-github-event: issue_comment" in shown
    assert '    "body": "It fails.",' in shown


def test_an_event_is_shown_with_how_it_was_verified_and_the_runs_it_reached(
    there, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITHUB_WEBHOOK_SECRET", "a secret of the tests that is long enough")
    (tmp_path / "doorbell.d").mkdir()
    text = "github: {scheme: github, secrets: [env:GITHUB_WEBHOOK_SECRET]}\n"
    (tmp_path / "doorbell.d" / "sources.yaml").write_text(text)
    there.kept(comment("evt_1"), rule())
    workflow_id = there.use(lambda stores: stores.inbox.decisions(["evt_1"]))["evt_1"][
        0
    ].workflow_id
    there.began("evt_1", workflow_id=workflow_id)

    shown = there.told("events", "show", "evt_1")
    assert shown["scheme"] == "github"
    assert [run["playbook"] for run in shown["runs"]] == ["triage"]
    text = there.doorbell("events", "show", "evt_1").stdout
    assert "verified as source github, scheme github" in text
    assert f"run {shown['runs'][0]['id']}: triage, running" in text
    elsewhere = there.told("events", "show", "evt_1", "--config", str(tmp_path / "nowhere"))
    assert elsewhere["scheme"] is None


def test_events_are_found_by_type_time_and_how_they_stand(there):
    there.kept(comment("evt_1"), rule())
    there.only_kept(github("evt_2", "issues", {"action": "opened", "issue": {"number": 1}}))

    def found(*asked):
        return [event["id"] for event in there.told("events", "list", *asked)]

    assert found("--type", "issue_*") == ["evt_1"]
    assert found("--is", "received") == ["evt_2"]
    assert found("--is", "waiting") == ["evt_1"]
    assert found("--since", "2026-11-21T12:00") == ["evt_2", "evt_1"]
    assert found("--until", "2026-11-21T12:00") == []


def test_what_waits_says_for_what_and_until_when(there):
    there.kept(comment("evt_1"), rule())

    async def held_up(stores):
        (lease,) = await stores.inbox.claim(NOW, timedelta(seconds=30), 1)
        note = "Temporal: UNAVAILABLE"
        await stores.inbox.release(lease.decision.id, lease.fence, NOW, note, count=False)

    there.use(held_up)
    assert "waits: Temporal: UNAVAILABLE, again at " in there.doorbell("why", "evt_1").stdout
    assert "waits: Temporal: UNAVAILABLE, again at " in told(there)
    (found,) = there.told("why", "evt_1")["decisions"]
    assert (found["reason"], found["note"]) == ("matched", "Temporal: UNAVAILABLE")
    assert found["due_at"] == "2026-11-21T12:00:00.000Z"


def test_an_event_nobody_knows_is_exit_one(there):
    there.only_kept(comment("evt_1"))

    result = there.doorbell("events", "show", "evt_2")
    assert result.exit_code == 1
    assert "there is no event whose id is or begins with 'evt_2'" in result.stderr


def test_without_an_installation_it_says_so_and_makes_none(there):
    result = there.doorbell("events", "list")

    assert result.exit_code == 1
    assert "there is no installation in" in result.stderr
    assert not there.path.exists()


def told(there):
    return there.doorbell("events", "list").stdout
