"""`doorbell runs retry`: a word to the service, told as what it came to."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from orchestrator.cli import retry
from orchestrator.dispatch.retrying import RETRY
from orchestrator.inbox.inbox import Action
from orchestrator.ledger import calls, conversations
from tests.support.builders import AT, comment, intent, opening, rule
from tests.support.installed import Installed
from tests.support.service import until, working
from workflows.messages import CallState, Outcome, RunState

KEYED = rule(key="issue:{{ event.repository.full_name }}#{{ event.issue.number }}")


@pytest.fixture
def there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(retry, "PATIENCE", 1.0)
    there = Installed(tmp_path / "state")
    there.kept(comment("evt_1"), KEYED)
    return there


def decisions(there, event_id="evt_1"):
    async def look(stores):
        return (await stores.inbox.decisions([event_id]))[event_id]

    return there.use(look)


def ran(there):
    (decision,) = [one for one in decisions(there) if one.action is Action.START]
    begun = opening(decision.id, event_id="evt_1", workflow_id=decision.workflow_id)
    there.write(conversations.begin, begun, AT)
    run_id = conversations.run_id_of(decision.workflow_id, 1)
    there.write(conversations.record, run_id, RunState.ENDED, "", Outcome.FAILED, AT)
    return run_id


def test_a_retry_waits_for_a_worker_and_says_so(there):
    run_id = ran(there)
    with working(there):
        result = there.doorbell("runs", "retry", run_id[:6])
    assert result.exit_code == 0, result.output
    assert f"run {run_id}: recorded as evt_" in result.stdout
    assert "waits for a worker" in result.stdout
    (anew,) = [one for one in decisions(there) if one.again]
    assert anew.reason.startswith(RETRY)


def test_a_run_that_may_have_written_is_exit_one_until_one_says_again(there):
    run_id = ran(there)
    there.write(calls.intend, run_id, 1, intent("c1"), AT)
    wrote = calls.Result(state=CallState.DONE, content=[], is_error=False)
    there.write(calls.finish, run_id, "c1", wrote, AT)
    with working(there):
        refused = there.doorbell("runs", "retry", run_id)
        done = there.doorbell("runs", "retry", run_id, "--again", "--json")
    assert refused.exit_code == 1
    assert "is not retried: it may have written: github.comment (done)" in refused.stderr
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["of"], told["done"], told["run"]) == (run_id, True, None)


def test_once_a_worker_has_begun_the_new_run_is_named(there, monkeypatch):
    """Its worker is quick: it has begun before the command looks again."""
    run_id = ran(there)
    monkeypatch.setattr(retry, "PATIENCE", 30.0)
    with working(there), ThreadPoolExecutor() as beside:
        said = beside.submit(there.doorbell, "runs", "retry", run_id)
        until(lambda: [one for one in decisions(there) if one.again])
        (anew,) = [one for one in decisions(there) if one.again]
        begun = opening(anew.id, event_id="evt_1", workflow_id=anew.workflow_id)
        there.write(conversations.begin, begun, AT)
        result = said.result()

    assert result.stdout.startswith(f"started run {run_id[:-1]}2 in place of {run_id}")


def test_without_a_service_nothing_is_said(there):
    run_id = ran(there)
    result = there.doorbell("runs", "retry", run_id)
    assert result.exit_code == 2
    assert "the service is not running here" in result.stderr
    assert len(decisions(there)) == 1
