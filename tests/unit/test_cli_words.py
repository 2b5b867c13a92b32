"""`events redeliver`, `events dead` and `rules`: words about the inbox, said to a service that is at work."""

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from orchestrator.cli import words
from orchestrator.cli.main import main
from orchestrator.inbox.inbox import Action, Decision, DecisionState
from orchestrator.sources.source import DOORBELL
from tests.support.builders import NOW, comment, github, rule
from tests.support.installed import Installed
from tests.support.service import until, working

CONFIGURATION = {
    "sources.yaml": "github: {scheme: github, secrets: [env:GITHUB_WEBHOOK_SECRET]}\n",
    "rules/triage.yaml": """\
triage:
  on: github/issues.*
  forward: {url: https://example.com/in, secret: env:BEYOND}
""",
}


@pytest.fixture
def there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    there = Installed(tmp_path / "state")
    there.only_kept()
    return there


def answered(there, *line, answer):
    """What the command says to a person who answers its question."""
    return CliRunner().invoke(main, [*line, "--state", str(there.path)], answer)


def died(there, *ids):
    """Dead letters, and the events they are about."""
    there.only_kept(*(comment(f"of-{known}") for known in ids))

    async def act(stores):
        for known in ids:
            (found,) = [one for one in await stores.inbox.undecided(9) if one.id == f"of-{known}"]
            buried = Decision(
                id=known,
                event_id=found.id,
                cause="triage",
                rule="triage",
                action=Action.START,
                reason="matched",
                lane=known,
                workflow_id="w1",
                state=DecisionState.READY,
            )
            await stores.inbox.decide(found.id, [buried], NOW)
            (lease,) = await stores.inbox.claim(NOW, NOW - NOW, 1)
            await stores.inbox.bury(known, lease.fence, "the server said no")

    there.use(act)


def test_d3_a_redelivered_event_acts_again_and_the_receipt_says_so(there):
    there.kept(comment("evt_1"), rule())
    with working(there, rule()) as runs:
        (receipt,) = there.told("events", "redeliver", "evt_1", "--yes")
        until(lambda: runs.arrived)

    assert (receipt["named"], receipt["done"]) == ("evt_1", True)
    assert "1 of them act" in receipt["reason"]
    assert [one["redelivery"] for one in there.told("why", "evt_1")["decisions"]] == [None, 2]


def test_it_says_how_many_and_asks_before_it_redelivers(there):
    there.kept(comment("evt_1"), rule())
    there.kept(github("evt_2", "issues", {"action": "opened", "issue": {"number": 1}}), rule())
    with working(there, rule()):
        no = answered(there, "events", "redeliver", "--since", "2020-01-01", answer="n\n")
        yes = answered(there, "events", "redeliver", "--since", "2020-01-01", answer="y\n")

    assert no.exit_code == 0
    assert "Redeliver 2 events?" in no.stderr
    assert "     1  github/issues.opened" in no.stderr
    assert "nothing is redelivered" in no.stderr
    assert [line.split(":")[0] for line in yes.stdout.splitlines()] == ["evt_1", "evt_2"]


def test_of_what_came_since_only_what_is_asked_for_is_redelivered_and_no_words(there):
    there.kept(replace(comment("evt_0"), source=DOORBELL), rule())
    there.kept(comment("evt_1"), rule())
    there.kept(github("evt_2", "issues", {"action": "opened", "issue": {"number": 1}}), rule())
    asked = ("events", "redeliver", "--since", "2020-01-01", "--yes")
    with working(there, rule()):
        issues = there.told(*asked, "--type", "issues.*")
        nobody = there.doorbell(*asked, "--source", "billing")
        everything = there.told(*asked)

    assert [one["named"] for one in issues] == ["evt_2"]
    assert "nothing is redelivered" in nobody.stderr
    assert [one["named"] for one in everything] == ["evt_1", "evt_2"]


def test_what_the_service_refuses_is_exit_one_with_its_reason(there):
    there.kept(comment("evt_1"), rule())
    there.use(lambda stores: stores.inbox.prune(["evt_1"]))
    died(there, "dec_1")
    with working(there):
        result = there.doorbell("rules", "pause", "triaje")

    assert result.exit_code == 1
    assert "triaje: refused: there is no rule 'triaje'" in result.stderr


@pytest.mark.parametrize(
    "line",
    [
        ("events", "redeliver"),
        ("events", "redeliver", "evt_1", "--since", "2h"),
        ("events", "redeliver", "evt_1", "--source", "github"),
        ("events", "redeliver", "--since", "yesterday"),
        ("events", "dead", "retry"),
        ("events", "dead", "discard", "dec_1", "--all"),
        ("rules", "pause"),
        ("rules", "pause", "triage", "--source", "github"),
        ("events", "list", "--refused", "--follow"),
        ("events", "list", "--refused", "--type", "issues.*"),
    ],
)
def test_what_can_not_be_meant_is_exit_two(there, line):
    assert (there.doorbell(*line)).exit_code == 2


def test_dead_letters_are_listed_with_the_reason(there):
    died(there, "dec_1")

    (one,) = there.told("events", "dead", "list")
    assert (one["id"], one["event"], one["rule"]) == ("dec_1", "of-dec_1", "triage")
    assert (one["action"], one["attempts"], one["reason"]) == ("start", 0, "the server said no")
    assert "the server said no" in there.doorbell("events", "dead", "list").stdout
    assert [event["id"] for event in there.told("events", "list", "--is", "dead")] == ["of-dec_1"]
    assert "dead after 0 failed attempts: the server said no" in (
        there.doorbell("why", "of-dec_1").stdout
    )


def test_a_dead_letter_named_by_its_beginning_is_retried(there):
    died(there, "dec_1", "dec_2")
    with working(there, rule()) as runs:
        result = there.doorbell("events", "dead", "retry", "dec_1")
        until(lambda: runs.arrived)

    assert result.stdout.startswith("dec_1: done, recorded as evt_")
    assert [one.id for one in runs.decisions] == ["dec_1"]
    assert (there.doorbell("events", "dead", "retry", "dec_9")).exit_code == 1


def test_all_dead_letters_are_discarded_after_a_yes(there):
    died(there, "dec_1", "dec_2")
    with working(there, rule()):
        answered(there, "events", "dead", "discard", "--all", answer="n\n")
        assert len(there.told("events", "dead", "list")) == 2
        answers = there.told("events", "dead", "discard", "--all", "--yes")

    assert [one["named"] for one in answers] == ["dec_1", "dec_2"]
    assert there.told("events", "dead", "list") == []
    (found,) = there.told("why", "of-dec_1")["decisions"]
    assert found["state"] == "settled"
    assert found["note"].startswith("discarded by ")


@pytest.mark.parametrize(
    ("named", "what"),
    [
        (("triage",), "rule triage"),
        (("source:github",), "source github"),
        (("--source", "github"), "source github"),
    ],
)
def test_what_is_paused_is_held_and_seen_to_be_held(there, named, what):
    with working(there, rule()) as runs:
        there.doorbell("rules", "pause", *named)
        there.only_kept(comment("evt_1"))
        until(lambda: there.told("events", "list", "--is", "held"))
        shown = there.doorbell("why", "evt_1")
        listed = there.doorbell("events", "list", "--is", "held")
        assert runs.arrived == []
        there.doorbell("rules", "unpause", *named)
        until(lambda: runs.arrived)

    kind = what.split()[0]
    assert f"held: {kind} paused by " in shown.stdout
    assert f"held: {kind} paused by " in listed.stdout
    assert there.told("events", "list", "--is", "held") == []


def configured(directory, files):
    for name, text in files.items():
        path = Path(directory) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_rules_are_listed_with_what_they_do_what_waits_and_what_is_paused(there, tmp_path):
    configured(tmp_path / "doorbell.d", CONFIGURATION)
    with working(there, rule()):
        there.doorbell("rules", "pause", "triage")
        there.only_kept(comment("evt_1"))
        until(lambda: there.told("events", "list", "--is", "waiting"))

    found = there.told("rules", "list")
    (one,) = found["rules"]
    assert (one["name"], one["on"], one["stage"]) == ("triage", ["github/issues.*"], "live")
    assert one["does"].startswith("forward → https://example.com")
    assert one["place"].endswith("rules/triage.yaml:1")
    assert (one["paused"], one["waiting"]) == (True, 1)
    assert [(pause["what"], pause["name"]) for pause in found["paused"]] == [("rule", "triage")]
    shown = there.doorbell("rules", "list").stdout
    assert "paused: rule triage, by " in shown
    assert "no rule in force" not in shown

    rules = tmp_path / "doorbell.d" / "rules" / "triage.yaml"
    rules.write_text(rules.read_text().replace("triage:", "renamed:\n  id: triage"))
    assert [pause["in_force"] for pause in there.told("rules", "list")["paused"]] == [False]
    assert "(no rule in force has this name;" in there.doorbell("rules", "list").stdout


def test_rules_are_listed_before_there_is_an_installation(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    configured(tmp_path / "doorbell.d", CONFIGURATION)
    there = Installed(tmp_path / "state")

    assert [one["waiting"] for one in there.told("rules", "list")["rules"]] == [0]
    assert not there.path.exists()


def test_r6_a_broken_rule_is_listed_with_its_text_and_the_reason(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bad = "bad:\n  on: github/issues.*\n  rn: triage\n"
    configured(tmp_path / "doorbell.d", CONFIGURATION | {"rules/bad.yaml": bad})
    there = Installed(tmp_path / "state")

    (one, *_) = there.told("rules", "list")["broken"]
    told = there.doorbell("rules", "list").stderr

    assert (one["name"], one["line"], one["text"]) == ("bad", 3, bad.rstrip())
    assert "broken    doorbell.d/rules/bad.yaml:3 (bad): " in told
    assert "          |   rn: triage" in told


def test_a_word_that_nobody_has_carried_out_yet_is_told_as_recorded(capsys):
    words.tell([receipt("triage", None)], as_json=False)

    assert capsys.readouterr().out == "triage: recorded as evt_1, not carried out yet\n"


def test_one_refusal_among_many_is_exit_one():
    with pytest.raises(SystemExit, match="1"):
        words.tell([receipt("a", None), receipt("b", False)], as_json=True)


def receipt(named, accepted):
    return {"named": named, "event": "evt_1", "accepted": accepted, "reason": "no"}
