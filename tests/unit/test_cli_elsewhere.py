"""`--url`: what the command line says to an installation elsewhere, over a real socket, with a token."""

import json
import threading

import pytest
from click.testing import CliRunner

from orchestrator.cli import retry, start
from orchestrator.cli.main import main
from orchestrator.inbox.inbox import Action, Decision, DecisionState
from orchestrator.ledger import conversations, losses
from tests.support.api import NAMESPACE, OPERATES, READS, answering
from tests.support.builders import AT, NOW, RUN, comment, github, opening, rule
from tests.support.configurations import configuration
from tests.support.installed import Installed
from tests.support.rehearsing import ISSUE, RULE, secrets, written
from tests.support.service import until
from workflows.messages import Outcome, RunState

WITH = ("--with", "owner=acme", "--with", "number=7")
PLAYBOOKS = configuration().playbooks


@pytest.fixture
def there(tmp_path, monkeypatch):
    """The installation; who asks stands in an empty directory, without a state or a configuration of their own."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr(start, "PATIENCE", 0.5)
    monkeypatch.setattr(retry, "PATIENCE", 0.5)
    there = Installed(tmp_path / "state")
    there.kept(comment("evt_1"), rule())
    return there


def asked(api, *words, token=OPERATES, answer=None):
    """What a person types elsewhere, who has a token and nothing else."""
    line = [*words, "--url", api.url, "--token", token]
    return CliRunner().invoke(main, line, answer, catch_exceptions=False)


def told(api, *words):
    result = asked(api, *words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def died(there, known):
    async def act(stores):
        await stores.inbox.keep([comment(f"of-{known}")])
        buried = Decision(
            id=known,
            event_id=f"of-{known}",
            cause="triage",
            rule="triage",
            action=Action.START,
            reason="matched",
            lane=known,
            workflow_id="w1",
            state=DecisionState.READY,
        )
        await stores.inbox.decide(f"of-{known}", [buried], NOW)
        leases = await stores.inbox.claim(NOW, NOW - NOW, 9)
        (lease,) = [one for one in leases if one.decision.id == known]
        await stores.inbox.bury(known, lease.fence, "the server said no")

    there.use(act)


def decided(there, event_id):
    async def look(stores):
        return (await stores.inbox.decisions([event_id]))[event_id]

    return there.use(look)


def test_o2_a_run_is_started_with_inputs_of_the_types_that_the_playbook_there_declares(there):
    with answering(there, playbooks=PLAYBOOKS) as api:
        begun = told(api, "runs", "start", "triage", *WITH, "--key", "issue:7", "--stage", "live")
        strange = asked(api, "runs", "start", "traige", *WITH)
        unfit = asked(api, "runs", "start", "triage", "--with", "owner=a", "--with", "number=x")

    (decision,) = decided(there, begun["event"])
    assert (decision.with_, decision.key, decision.stage) == (
        {"owner": "acme", "number": 7},
        "issue:7",
        "live",
    )
    assert (begun["done"], begun["workflow"]) == (True, decision.workflow_id)
    assert (strange.exit_code, "did you mean 'triage'?" in strange.stderr) == (1, True)
    assert unfit.exit_code == 2
    assert "expected a whole number, got 'x'" in str(unfit.output)


def test_o2_an_ended_run_is_retried(there):
    (first,) = decided(there, "evt_1")
    begun = opening(first.id, event_id="evt_1", workflow_id=first.workflow_id)
    there.write(conversations.begin, begun, AT)
    run_id = conversations.run_id_of(first.workflow_id, 1)
    there.write(conversations.record, run_id, RunState.ENDED, "", Outcome.FAILED, AT)
    with answering(there, rule(), playbooks=PLAYBOOKS) as api:
        receipt = told(api, "runs", "retry", run_id[:8])

    assert (receipt["of"], receipt["done"]) == (run_id, True)
    assert [one.again is not None for one in decided(there, "evt_1")].count(True) == 1


def test_d3_events_are_redelivered_in_their_order_and_words_are_not(there):
    there.kept(comment("evt_2", number=9), rule())
    line = ("events", "redeliver", "--since", "2020-01-01")
    with answering(there, rule()) as api:
        no = asked(api, *line, answer="n\n")
        both = told(api, *line, "--yes")
        one = told(api, "events", "redeliver", "evt_2", "--yes")
        nothing = asked(api, "events", "redeliver", "evt_none", "--yes")

    assert (no.exit_code, "nothing is redelivered" in no.stderr) == (0, True)
    assert [(word["named"], word["done"]) for word in both] == [("evt_1", True), ("evt_2", True)]
    assert [word["named"] for word in one] == ["evt_2"]
    assert (nothing.exit_code, "there is no event" in nothing.stderr) == (1, True)


def test_o2_dead_letters_are_retried_and_discarded(there):
    for known in ("dec_1", "dec_2", "dec_3"):
        died(there, known)
    with answering(there, rule()) as api:
        retried = told(api, "events", "dead", "retry", "dec_1")
        no = asked(api, "events", "dead", "discard", "--all", answer="n\n")
        discarded = told(api, "events", "dead", "discard", "--all", "--yes")
        left = told(api, "events", "dead", "list")
        until(lambda: api.runs.decisions)

    assert [(word["named"], word["done"]) for word in retried] == [("dec_1", True)]
    assert "discard 2 dead letters?" in no.stderr
    assert [word["named"] for word in discarded] == ["dec_2", "dec_3"]
    assert left == []
    assert "dec_1" in [one.id for one in api.runs.decisions]


def test_o2_rules_and_sources_are_paused_and_unpaused(there):
    with answering(there, rule()) as api:
        paused = told(api, "rules", "pause", "triage")
        told(api, "rules", "pause", "source:github")
        held = told(api, "rules", "list")["paused"]
        told(api, "rules", "unpause", "triage")
        told(api, "rules", "unpause", "--source", "github")
        refused = asked(api, "rules", "pause", "triaje")
        left = told(api, "rules", "list")["paused"]

    assert [(one["named"], one["done"]) for one in paused] == [("triage", True)]
    assert sorted(one["name"] for one in held) == ["github", "triage"]
    assert left == []
    assert (refused.exit_code, "there is no rule 'triaje'" in refused.stderr) == (1, True)


def test_o2_a_candidate_rule_is_tried_on_the_events_there(there, tmp_path, monkeypatch):
    secrets(monkeypatch)
    written(tmp_path / "here" / "doorbell.d")
    issue = {**ISSUE["issue"], "number": 700}
    there.only_kept(github("evt_700", "issues", {**ISSUE, "number": 700, "issue": issue}))
    candidate = tmp_path / "triage.yaml"
    candidate.write_text(RULE.replace("{lt: 100}", "{lt: 1000}"))
    with answering(there, deciding=False) as api:
        since = NOW.date().isoformat()
        result = asked(api, "rules", "try", str(candidate), "--since", since)

    assert result.exit_code == 3, result.output
    assert "triage: would newly act: evt_700 github/issues.opened" in result.stdout
    assert "2 events asked; nothing was started" in result.stdout


def test_o2_the_very_bytes_of_a_delivery_are_told(there):
    arrival = comment("evt_raw")
    there.only_kept(arrival)
    with answering(there, deciding=False) as api:
        result = asked(api, "events", "show", "evt_raw", "--raw", token=READS)

    assert result.stdout_bytes.endswith(b"\n\n" + arrival.body)


def test_o2_what_is_old_and_done_is_forgotten_and_what_is_to_do_stays(there):
    there.kept(comment("evt_old"), rule("other", on=("github/star.*",)))
    with answering(there, deciding=False) as api:
        would = told(api, "events", "prune", "--dry-run", "--keep", "0s")
        kept = told(api, "events", "list")
        done = told(api, "events", "prune", "--keep", "0s")
        reader = asked(api, "events", "prune", token=READS)
        stands = told(api, "events", "list")

    assert [(one["source"], one["pruned"]) for one in would] == [("github", 1)]
    assert [one["state"] for one in kept] == ["decided", "decided"]
    assert [one["pruned"] for one in done] == [1]
    assert {one["id"]: one["state"] for one in stands} == {"evt_old": "pruned", "evt_1": "decided"}
    assert (reader.exit_code, "with the scope 'operate'" in reader.stderr) == (1, True)


def test_o2_lost_runs_are_listed_and_the_server_looked_at_there_is_accepted(there):
    there.write(conversations.begin, opening(), AT)
    there.write(losses.lose, RUN, "gone", AT)
    with answering(there, deciding=False) as api:
        listed = told(api, "runs", "lost")
        accepted = asked(api, "runs", "lost", "--accept")
        reader = asked(api, "runs", "lost", "--accept", token=READS)
        aimed = asked(api, "runs", "lost", "--accept", "--temporal", "127.0.0.1:9")

    assert [(one["run"], one["again"]) for one in listed] == [(RUN, True)]
    assert f"namespace 'default' ({NAMESPACE}) it was already" in accepted.stderr
    assert (reader.exit_code, "with the scope 'operate'" in reader.stderr) == (1, True)
    assert (aimed.exit_code, "the service there" in aimed.stderr) == (2, True)


def test_o2_events_are_followed_as_they_come(there, monkeypatch):
    """Each is told once; Ctrl-C ends it."""
    told_now, come = [], threading.Event()

    def echo(line, **_more):
        told_now.append(json.loads(line)["id"])
        if len(told_now) == 2:
            come.set()
            raise KeyboardInterrupt

    monkeypatch.setattr("orchestrator.cli.events.click.echo", echo)
    with answering(there, rule()) as api:
        ringing = threading.Thread(target=ring, args=(there, come))
        ringing.start()
        try:
            result = asked(api, "events", "list", "--follow", "--json", token=READS)
        finally:
            come.set()
            ringing.join()

    assert result.exit_code == 0
    assert len(set(told_now)) == 2
    assert "evt_1" not in told_now


def ring(there, come):
    number = 100
    while not come.wait(0.2):
        number += 1
        there.only_kept(comment(f"evt_{number}"))


@pytest.mark.parametrize(
    "line",
    [
        ("runs", "start", "triage"),
        ("runs", "retry", RUN),
        ("events", "redeliver", "evt_1", "--yes"),
        ("events", "dead", "retry", "--all", "--yes"),
        ("rules", "pause", "triage"),
        ("runs", "lost", "--accept"),
    ],
)
def test_o2_without_the_scope_nothing_is_said_or_done(there, line):
    died(there, "dec_1")
    there.write(conversations.begin, opening(), AT)
    with answering(there, rule(), playbooks=PLAYBOOKS, deciding=False) as api:
        result = asked(api, *line, token=READS)
        kept = told(api, "events", "list", "--source", "operator")

    assert (result.exit_code, "expected a token with the scope 'operate'" in result.stderr) == (
        1,
        True,
    )
    assert kept == []


def test_o2_a_fence_of_rules_holds_for_acts_too(there):
    with answering(there, rule(), deciding=False) as api:
        for line in (
            ("events", "prune", "--keep", "0s"),
            ("runs", "lost", "--accept"),
            ("events", "show", "evt_1", "--raw"),
            ("runs", "start", "triage"),
        ):
            result = asked(api, *line, token="dbt_fenced")
            assert (result.exit_code, "one is for guest-*" in result.stderr) == (1, True), line
        assert asked(api, "runs", "lost", token="dbt_fenced").exit_code == 0
        assert told(api, "events", "list")[0]["state"] == "decided"
